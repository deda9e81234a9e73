"""Saliency of chosen frames as transparent pictures, which a page lays over the frame."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from models.bundle import Bundle
from models.events import Refused
from models.explain import METHOD, explain_crops
from models.faces import Square, cut
from models.figures import without_nan
from models.media import read_frames
from models.overlay import NOTE, landmarks_in_crop
from models.records import Prediction
from models.regions import region_masks
from models.zoo import trained_frame_net

Array = NDArray[np.float64]
COLOURS = "inferno"
"""Rises in lightness alone along with its hue, so that it reads without colour vision, too."""
STRONGEST = 0.85


def explain_frames(
    video: Path, bundle: Bundle, predictions: Iterable[Prediction], pts: Sequence[int], out: Path
) -> dict[str, Any]:
    """Write a strip of maps for each of these frames, and explanation.json; returns its content.

    A strip is a PNG with one square per unit of the scale, side by side: transparent where nothing
    speaks for the grade. `square` (left, top, edge) says where it lies in the picture as displayed,
    in pixels; `inside` is the share of the map in the unit's region, `by_chance` the share of the
    square that the region fills. Raises Unreadable, and Refused where no frame has a face.
    """
    wanted = set(pts)
    said = [one for one in predictions if one.key.pts in wanted and one.face is not None]
    frames = read_frames(video, [one.key.pts for one in said])
    shown = [one for one in said if one.key.pts in frames and one.grades]
    if not shown:
        raise Refused("None of these frames shows a face that was graded: nothing to explain.")
    crops = np.stack(
        [cut(frames[one.key.pts].luma, one.face.box, bundle.crop) for one in shown if one.face]
    )
    saliency = np.maximum(explain_crops(trained_frame_net(bundle), crops), 0)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for one, found in zip(shown, saliency, strict=True):
        name = f"saliency-{one.key.pts}.png"
        done, data = cv2.imencode(".png", strip(found))
        if not done or one.face is None:
            continue
        (out / name).write_bytes(data.tobytes())
        square = Square.round_box(one.face.box, 1 + 2 * bundle.crop.margin)
        places = landmarks_in_crop(one.face, bundle.scale, bundle.crop)
        masks = region_masks(bundle.scale, bundle.crop, places)
        total = found.sum((1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            inside = (found * masks).sum((1, 2)) / total
        rows.append(
            {
                "file": name,
                "pts": one.key.pts,
                "time_s": one.time_s,
                "square": [square.left, square.top, square.edge],
                "inside": {
                    unit.key: round(float(share), 4)
                    for unit, share in zip(bundle.scale.units, inside, strict=True)
                },
                "by_chance": {
                    unit.key: round(float(mask.mean()), 4)
                    for unit, mask in zip(bundle.scale.units, masks, strict=True)
                },
            }
        )
    content: dict[str, Any] = without_nan(
        {
            "bundle": bundle.digest,
            "phantom": bundle.phantom,
            "method": METHOD,
            "note": NOTE,
            "colours": COLOURS,
            "units": list(bundle.scale.unit_keys),
            "frames": rows,
            "faithfulness": bundle.report.get("explanation"),
        }
    )
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (out / "explanation.json").write_text(text, encoding="utf-8")
    return content


def strip(saliency: Array) -> NDArray[np.uint8]:
    """Maps (units, size, size) ≥ 0 as one picture (size, units · size, 4), blue, green, red, alpha.

    Each map is scaled to its own highest value; the maps of two units cannot be compared.
    """
    tiles = []
    for one in saliency:
        top = one.max()
        level = one / top if top > 0 else one
        colour = np.asarray(colormaps[COLOURS](level))[..., 2::-1]
        alpha = STRONGEST * level**0.7
        tiles.append(np.concatenate([colour, alpha[..., None]], axis=2))
    return np.asarray(np.rint(255 * np.concatenate(tiles, axis=1)), np.uint8)
