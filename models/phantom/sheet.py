"""Contact sheets: what the phantom looks like, at one glance."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from models.phantom.look import Picture
from models.phantom.looks import CAMERAS, INDEPENDENT, Camera
from models.phantom.motion import ClipPlan, Stretch, course
from models.phantom.pose import Pose
from models.phantom.render import render_face
from models.phantom.truth import FaceParams
from models.phantom.units import TOP
from models.scale import Coat, Scale, State, load_scale

# Part of a 320 × 240 picture that the sheet of faces shows.
CROP = (60, 30, 260, 210)
TURNS = (Pose(yaw=-32, pitch=6, roll=5), Pose(yaw=60), Pose(pitch=28), Pose(pitch=-28))
# A cell of the sheet of labs, and the coarsest step of its columns.
CELL = (200, 150)
PAINED = 0.92


def contact_sheet(scale: Scale | None = None, animal: int = 3) -> Picture:
    """One row per coat, each with another lab's camera: at rest, every unit at its top, all of
    them, then turned heads; uint8 RGB."""
    scale = scale or load_scale()
    rows = [
        _row(scale, coat, CAMERAS[n % len(CAMERAS)], animal) for n, coat in enumerate(scale.coats)
    ]
    return np.vstack(rows)


def lab_sheet(scale: Scale | None = None, animal: int = 3) -> Picture:
    """One row per lab, the independent one last: at rest, in pain, still in pain with shut eyes,
    then every state that is not graded; coats take turns; uint8 RGB."""
    scale = scale or load_scale()
    others = [state for state in scale.states if state.shown and not state.graded]
    rows = []
    for n, camera in enumerate((*CAMERAS, INDEPENDENT)):
        shown: list[tuple[State, float, float | None]] = [
            (scale.graded_state, 0.05, None),
            (scale.graded_state, 0.80, None),
            (scale.graded_state, 0.60, PAINED),
            *((state, 0.20, None) for state in others),
        ]
        cells = [
            _moment(
                scale, scale.coats[(n + k) % len(scale.coats)], camera, 20 * n + k + animal, one
            )
            for k, one in enumerate(shown)
        ]
        rows.append(np.hstack(cells))
    return np.vstack(rows)


SHEETS = {"faces": contact_sheet, "labs": lab_sheet}


def write_contact_sheet(path: str, kind: str = "faces") -> None:
    """Write a contact sheet as a picture file; `kind` is a key of SHEETS."""
    picture = cv2.cvtColor(SHEETS[kind](), cv2.COLOR_RGB2BGR)
    jpeg = path.lower().endswith((".jpg", ".jpeg"))
    if not cv2.imwrite(path, picture, [cv2.IMWRITE_JPEG_QUALITY, 80] if jpeg else []):
        raise OSError(f"The contact sheet cannot be written to {path}; choose another folder.")


def _row(scale: Scale, coat: Coat, camera: Camera, animal: int) -> Picture:
    rest = FaceParams(coat=coat, look=camera.look, animal=animal, rest=(160.0, 120.0, 46.0))
    faces = [rest]
    faces += [replace(rest, intensities={unit.key: TOP}) for unit in scale.units]
    faces.append(replace(rest, intensities=dict.fromkeys(scale.unit_keys, TOP)))
    faces += [replace(rest, pose=pose, heading=0.5 * pose.yaw) for pose in TURNS]
    x0, y0, x1, y1 = CROP
    return np.hstack([render_face(face, scale)[0][y0:y1, x0:x1] for face in faces])


def _moment(
    scale: Scale, coat: Coat, camera: Camera, animal: int, shown: tuple[State, float, float | None]
) -> Picture:
    state, pain, still = shown
    seconds, middle = 4.0, 2.4
    stretch = Stretch(state, 0.8, 3.6, still)
    stretches = (stretch,) if still is not None or not state.graded else ()
    plan = ClipPlan(coat, camera.look, animal, pain, seconds, camera.fps, camera.size, stretches)
    picture, _ = render_face(course(plan, scale, animal)[round(middle * camera.fps)], scale)
    return np.asarray(cv2.resize(picture, CELL, interpolation=cv2.INTER_AREA), np.uint8)
