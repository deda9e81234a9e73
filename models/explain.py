"""What a grade rests on: saliency per unit on the face crop, and how faithful it is.

The saliency is that of integrated gradients (Sundararajan, Taly, Yan 2017, ICML) from a blurred
crop to the crop itself: a blurred face has no grimace to see, and its grade is the answer to
nothing. The sign is turned so that positive means *this is why the grade differs from that answer*.
Faithfulness is measured, not claimed: `faithfulness` goes into every report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.config import CropConfig
from models.regions import face_mask, region_masks
from models.scale import Scale
from models.stats.bootstrap import cluster_interval

Array = NDArray[np.float64]
Crops = NDArray[np.uint8]

STEPS = 8
BATCH = 16
BLUR = 1 / 9
"""Standard deviation of the blur that hides a face, as a share of the crop's side."""
SMOOTH = 1 / 36
"""The same for smoothing the saliency, whose single pixels are noise."""
CELLS = 12
"""Faces are taken apart in CELLS × CELLS squares: single pixels would make patterns of their own
that no face has, in whatever order they go."""
STAGES = 12
RANDOM_ORDERS = 3
METHOD = "integrated gradients from a blurred crop, 8 steps, smoothed"


def explain_crops(net: nn.Module, crops: Crops, steps: int = STEPS) -> Array:
    """Saliency (n, units, size, size) of crops (n, size, size) in grades per pixel.

    The landmarks stay where the network sees them in the whole crop. Unsmoothed it would add up to
    the difference between the expected grade of the crop and of its blurred self, without sign.
    Positive parts speak for the grade, negative ones against it.
    """
    with Still(net):
        raw = np.concatenate(
            [_gradients(net, part, steps) for part in _batches(_unit_range(crops))]
        )
    size = crops.shape[-1]
    flat = raw.reshape(-1, size, size)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), SMOOTH * size) for one in flat])
    return np.asarray(smooth.reshape(raw.shape), np.float64)


def integrated_gradients(net: nn.Module, crops: Crops, steps: int = STEPS) -> Array:
    """Unsmoothed attributions (n, units, size, size) with the sign of the expected grade's change.

    Their sum over a crop is near the expected grade of the crop minus that of its blurred self, the
    nearer the more steps.
    """
    with Still(net):
        parts = [_gradients(net, part, steps, turn=False) for part in _batches(_unit_range(crops))]
    return np.concatenate(parts)


def expected_grades(net: nn.Module, crops: Array) -> Array:
    """Expected grade (n, units) of crops (n, size, size) with luma 0..1, before calibration."""
    return _grades_at(net, crops, None)


def _grades_at(net: nn.Module, crops: Array, places: Tensor | None) -> Array:
    """Expected grade (n, units) of crops whose landmarks (n, landmarks, 2) are known."""
    parts = []
    with Still(net), torch.no_grad():
        for start in range(0, max(len(crops), 1), 4 * BATCH):
            some = slice(start, start + 4 * BATCH)
            at = None if places is None else places[some]
            parts.append(_expected(net, _tensor(crops[some]), at).numpy())
    return np.concatenate(parts).astype(np.float64)


def located(net: nn.Module, crops: Array) -> Tensor | None:
    """Where a network sees the landmarks (n, landmarks, 2) of crops (n, size, size), luma 0..1.

    None where it says nothing of them.
    """
    with Still(net), torch.no_grad():
        parts = [getattr(net(_tensor(part)), "places", None) for part in _batches(crops)]
    found = [part for part in parts if part is not None]
    return torch.cat(found) if found else None


def faithfulness(
    net: nn.Module,
    crops: Crops,
    scale: Scale,
    crop: CropConfig,
    animals: Sequence[object] | None = None,
    seed: int = 0,
    places: Array | None = None,
) -> dict[str, Any]:
    """What the saliency of crops (n, size, size) is worth, per unit; goes into report.json.

    `places` (n, landmarks, 2), in shares of the crop's side, are the landmarks that the regions
    follow; without them the regions are those of frontal faces.

    energy           share of the positive saliency that lies in the unit's region
    region_area      share of the crop that the region fills: what chance would give
    deletion         mean agreement with the grade of the whole crop, 1 - |Δ expected grade| / top
                     grade, while squares are blurred, most salient first; less is better
    insertion        the same while squares are shown on a blurred crop; more is better
    above_centre     deletion from the centre outwards minus deletion by saliency, with a 95 %
                     interval over animals (over crops without `animals`)
    background_swap  mean |Δ expected grade| when everything outside the face is that of another
                     crop

    Deletion and insertion stand beside those of the orders `centre` and `random`. After Petsiuk,
    Das, Saenko 2018 (deletion, insertion) and Wang et al. 2020, Score-CAM (energy).
    """
    shown = _unit_range(crops)
    if not len(shown):
        return {"method": METHOD, "n": 0, "units": {}}
    saliency = np.maximum(explain_crops(net, crops), 0)
    masks = masks_at(scale, crop, places, len(shown))
    found_at = located(net, shown)
    order = saliency_orders(saliency, seed)
    blurred = _blurred(shown)
    whole = _grades_at(net, shown, found_at)
    top = np.array([unit.top_grade for unit in scale.units], np.float64)

    def agreement(masked: Callable[[Array], Array]) -> Array:
        """Mean agreement (orders, n, units) over all stages of an order."""
        found = np.zeros((len(order), *whole.shape))
        for place, ranks in enumerate(order):
            for stage in range(1, STAGES):
                left = masked(squares(ranks, stage / STAGES, crop.size))
                said = _grades_at(net, left, found_at)
                found[place] += (1 - np.abs(said - whole) / top) / (STAGES - 1)
        return found

    taken = agreement(lambda mask: shown * (1 - mask) + blurred * mask)
    given = agreement(lambda mask: shown * mask + blurred * (1 - mask))
    swapped = expected_grades(net, with_other_background(shown, face_mask(scale, crop)))
    total = saliency.sum((2, 3))
    inside = (saliency * masks).sum((2, 3))
    whose = list(animals) if animals is not None else list(range(len(shown)))
    units = {}
    for index, unit in enumerate(scale.units):
        above = (taken[-1] - taken[index])[:, index]
        lit = total[:, index] > 0
        units[unit.key] = {
            "energy": float((inside[lit, index] / total[lit, index]).mean()) if lit.any() else None,
            "region_area": float(masks[:, index].mean()),
            "deletion": _beside(taken[:, :, index], index),
            "insertion": _beside(given[:, :, index], index),
            "above_centre": {
                "difference": float(above.mean()),
                "interval": list(
                    cluster_interval(lambda rows, a=above: float(a[rows].mean()), whose, 400, seed)  # type: ignore[misc]
                ),
            },
            "background_swap": float(np.abs(swapped - whole)[:, index].mean()),
        }
    return {"method": METHOD, "n": len(shown), "units": _rounded(units)}


def explain_evaluation(
    net: nn.Module,
    graded: pd.DataFrame,
    crops: Crops,
    scale: Scale,
    crop: CropConfig,
    most: int,
    frontal: NDArray[np.bool_],
    places: Array | None = None,
) -> dict[str, Any] | None:
    """`faithfulness` on at most `most` of the frames that were graded, spread over animals.

    `crops` (n, size, size), `frontal` (n,) and `places` (n, landmarks, 2) belong to the rows of
    `graded`. Frontal faces come first, because regions are drawn for them; `n_frontal` says how
    many there were. None where nothing was graded.
    """
    rows = spread_over_animals(graded, most, frontal)
    if not len(rows):
        return None
    animals = graded["animal"].to_numpy()[rows].tolist()
    at = None if places is None else places[rows]
    told = faithfulness(net, np.ascontiguousarray(crops[rows]), scale, crop, animals, places=at)
    return {**told, "n_frontal": int(frontal[rows].sum())}


def masks_at(scale: Scale, crop: CropConfig, places: Array | None, n: int) -> Array:
    """The regions (n, units, size, size) of n faces with landmarks at `places`."""
    if places is None:
        one = region_masks(scale, crop)
        return np.broadcast_to(one, (n, *one.shape))
    return np.stack([region_masks(scale, crop, own) for own in places])


def spread_over_animals(
    graded: pd.DataFrame, most: int, first: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Rows of at most `most` graded frames: one of every animal, then a second one, and so on.

    Frames that are not among the `first` (n,) are taken where those do not suffice.
    """
    rows = np.flatnonzero(np.isfinite(graded["score"].to_numpy(np.float64)))
    table = pd.DataFrame({"row": rows, "animal": graded["animal"].to_numpy()[rows]})
    table["later"] = ~first[rows]
    table["turn"] = table.groupby(["later", "animal"]).cumcount()
    ordered = table.sort_values(["later", "turn", "animal"], kind="stable")["row"]
    return np.sort(ordered.to_numpy()[: max(most, 0)]).astype(np.int64)


def saliency_orders(saliency: Array, seed: int) -> list[NDArray[np.int64]]:
    """In which order squares go: ranks (n, CELLS²) by each unit's saliency, by chance, by centre.

    First one order per unit, then RANDOM_ORDERS random ones, last from the centre outwards.
    """
    n, units, size, _ = saliency.shape
    edges = np.linspace(0, size, CELLS + 1).round().astype(np.int64)
    sums = np.add.reduceat(np.add.reduceat(saliency, edges[:-1], 2), edges[:-1], 3)
    area = np.outer(np.diff(edges), np.diff(edges))
    mean = (sums / area).reshape(n, units, -1)
    rng = np.random.default_rng(seed)
    place = np.arange(CELLS) - (CELLS - 1) / 2
    near = -np.hypot(place[:, None], place[None, :]).ravel()
    orders = [mean[:, index] for index in range(units)]
    orders += [rng.random((n, CELLS**2)) for _ in range(RANDOM_ORDERS)]
    orders.append(np.broadcast_to(near, (n, CELLS**2)))
    return [np.argsort(np.argsort(-one, 1, kind="stable"), 1, kind="stable") for one in orders]


def squares(ranks: NDArray[np.int64], share: float, size: int) -> Array:
    """Masks (n, size, size) of the first `share` of the squares in an order of ranks."""
    first = (ranks < share * CELLS**2).reshape(-1, CELLS, CELLS).astype(np.float64)
    cell = np.minimum((np.arange(size) + 0.5) * CELLS / size, CELLS - 1e-9).astype(np.int64)
    return np.asarray(first[:, cell][:, :, cell])


def with_other_background(crops: Array, face: Array) -> Array:
    """Crops (n, size, size) whose background, where `face` is 0, is that of the next crop.

    The seam is softened; a single crop gets an even background of its own mean luma.
    """
    soft = cv2.GaussianBlur(face, (0, 0), face.shape[0] / 48)
    other = np.roll(crops, 1, axis=0)
    if len(crops) == 1:
        other = np.broadcast_to(crops.mean(), crops.shape)
    return np.asarray(crops * soft + other * (1 - soft))


def _beside(agreement: Array, own: int) -> dict[str, float]:
    """Agreement (orders, n) of one unit: by its own saliency, by chance, from the centre."""
    return {
        "saliency": float(agreement[own].mean()),
        "random": float(agreement[-1 - RANDOM_ORDERS : -1].mean()),
        "centre": float(agreement[-1].mean()),
    }


def _rounded(value: Any) -> Any:
    """Floats to four digits: the last ones depend on how many threads added them up."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def _unit_range(crops: Crops) -> Array:
    return np.asarray(crops, np.float64) / 255


def _batches(crops: Array, size: int = BATCH) -> list[Array]:
    return [crops[start : start + size] for start in range(0, max(len(crops), 1), size)]


def _blurred(crops: Array) -> Array:
    sigma = BLUR * crops.shape[-1]
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in crops])


def _tensor(crops: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(crops, np.float32))[:, None]


def _expected(net: nn.Module, crops: Tensor, places: Tensor | None) -> Tensor:
    """Expected grade (n, units) from the conditional logits; padded steps are left out."""
    logits: Tensor = (net(crops) if places is None else net(crops, places)).grades
    above = torch.sigmoid(logits).cumprod(2)
    steps = torch.tensor(getattr(net, "steps", [logits.shape[2]] * logits.shape[1]))
    used = torch.arange(logits.shape[2])[None, :] < steps[:, None]
    return (above * used).sum(2)


def _gradients(net: nn.Module, crops: Array, steps: int, turn: bool = True) -> Array:
    sharp, dull = _tensor(crops), _tensor(_blurred(crops))
    places = located(net, crops)
    sums: list[Any] = []
    for step in range(steps):
        # Midpoints of equal parts of the way.
        at = (dull + (sharp - dull) * ((step + 0.5) / steps)).requires_grad_(True)
        grades = _expected(net, at, places)
        for unit in range(grades.shape[1]):
            (slope,) = torch.autograd.grad(grades[:, unit].sum(), at, retain_graph=True)
            if step == 0:
                sums.append(torch.zeros_like(slope))
            sums[unit] += slope
    found = torch.stack([(sharp - dull) * one / steps for one in sums], 1)[:, :, 0]
    if turn:
        with torch.no_grad():
            way = _expected(net, sharp, places) - _expected(net, dull, places)
        found = found * torch.sign(way)[:, :, None, None]
    return found.detach().numpy().astype(np.float64)


class Still:
    """A network in evaluation mode without gradients of its weights, and as it was afterwards.

    On one thread: the networks are small, and sums come out the same on every machine.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def __enter__(self) -> None:
        self.training, self.threads = self.net.training, torch.get_num_threads()
        torch.set_num_threads(1)
        self.wanted = [weight.requires_grad for weight in self.net.parameters()]
        self.net.eval().requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for weight, wanted in zip(self.net.parameters(), self.wanted, strict=True):
            weight.requires_grad_(wanted)
        self.net.train(self.training)
        torch.set_num_threads(self.threads)
