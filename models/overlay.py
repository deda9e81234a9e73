"""`python -m models explain`: overlays that show what the grades of a recording rest on."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.bundle import Bundle
from models.config import CropConfig
from models.events import Refused
from models.explain import explain_crops
from models.faces import cut, in_crop
from models.figures import without_nan
from models.media import read_frames
from models.records import Face, Prediction
from models.regions import region_masks
from models.result import summarise
from models.scale import Scale
from models.scorer import Scorer
from models.zoo import trained_frame_net

Array = NDArray[np.float64]

NOTE = (
    "Warm: what in this single frame speaks for the grade (what the seconds round it add is not "
    "shown). Dashed: the unit's region. A picture of what a network rests on is no proof; the "
    "report measures how faithful such pictures are."
)


def explain_recording(video: Path, bundle: Bundle, out: Path) -> dict[str, Any]:
    """Write an overlay PNG for each of the recording's best frames, and explanation.json.

    Returns the content of explanation.json. Raises Unreadable, and Refused where no frame could be
    graded.
    """
    predictions = list(Scorer(bundle).score(video))
    by_pts = {one.key.pts: one for one in predictions}
    best = [by_pts[one.pts] for one in summarise(predictions, bundle.scale).best]
    if not best:
        raise Refused(
            f"No frame of {video.name} could be graded, so that there is nothing to explain; film "
            "one awake mouse from the front, with its face large in the picture."
        )
    frames = read_frames(video, [one.key.pts for one in best])
    shown = [one for one in best if one.key.pts in frames and one.face is not None]
    crops = np.stack(
        [cut(frames[one.key.pts].luma, one.face.box, bundle.crop) for one in shown if one.face]
    )
    saliency = explain_crops(trained_frame_net(bundle), crops)
    places = [landmarks_in_crop(one.face, bundle.scale, bundle.crop) for one in shown]
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for one, crop, found, at in zip(shown, crops, saliency, places, strict=True):
        name = f"frame-{one.index:06d}.png"
        masks = region_masks(bundle.scale, bundle.crop, at)
        picture = overlay(crop, found, one, bundle.scale, masks)
        picture.savefig(out / name, dpi=110, bbox_inches="tight", metadata={"Software": None})
        rows.append({"file": name, **_told(one, found, masks, bundle.scale)})
    content: dict[str, Any] = without_nan(
        {
            "recording": video.name,
            "bundle": bundle.digest,
            "phantom": bundle.phantom,
            "note": NOTE,
            "frames": rows,
            "faithfulness": bundle.report.get("explanation"),
        }
    )
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (out / "explanation.json").write_text(text, encoding="utf-8")
    return content


def landmarks_in_crop(face: Face | None, scale: Scale, how: CropConfig) -> Array | None:
    """Landmarks (landmarks, 2) in shares of the crop; None where some are not known."""
    if face is None or any(name not in face.landmarks for name in scale.landmarks):
        return None
    points = np.array([[face.landmarks[name] for name in scale.landmarks]])
    return np.asarray(in_crop(points, np.array([face.box]), how)[0])


def overlay(
    crop: NDArray[np.uint8], saliency: Array, said: Prediction, scale: Scale, masks: Array
) -> Figure:
    """A row of pictures: the crop (size, size), then its saliency (units, size, size) laid over.

    The regions `masks` (units, size, size) are outlined.
    """
    grades = {grade.unit: grade for grade in said.grades}
    count = len(scale.units) + 1
    with rc_context({"font.size": 9}):
        figure = Figure(figsize=(1.7 * count, 2.0))
        panels = figure.subplots(1, count)
        figure.subplots_adjust(left=0, right=1, top=0.88, bottom=0.08, wspace=0.06)
        for axes in panels:
            axes.imshow(crop, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
        panels[0].set_title(f"{said.time_s:.2f} s", loc="left", fontsize=10)
        rows = zip(panels[1:], scale.units, saliency, masks, strict=True)
        for axes, unit, found, mask in rows:
            warm = np.maximum(found, 0)
            warm = warm / warm.max() if warm.max() > 0 else warm
            axes.imshow(warm, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * warm**0.7)
            grade = grades[unit.key].grade if unit.key in grades else None
            axes.set_title(
                f"{unit.short}: {'–' if grade is None else grade}", loc="left", fontsize=10
            )
            axes.contour(mask, [0.5], colors="#7fd1ff", linestyles="--", linewidths=0.9)
        note = textwrap.fill(NOTE, 27 * count)
        figure.text(0, 0.05, note, fontsize=7, color="#555555", va="top")
    return figure


def _told(one: Prediction, saliency: Array, masks: Array, scale: Scale) -> dict[str, Any]:
    warm = np.maximum(saliency, 0)
    total = warm.sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        energy = (warm * masks).sum((1, 2)) / total
    grades = {grade.unit: grade.grade for grade in one.grades}
    return {
        "index": one.index,
        "pts": one.key.pts,
        "time_s": one.time_s,
        "image_score": one.image_score,
        "units": {
            unit.key: {"grade": grades.get(unit.key), "energy": round(float(share), 4)}
            for unit, share in zip(scale.units, energy, strict=True)
        },
    }
