"""The contact sheet: what the phantom looks like, at one glance."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from models.phantom.look import Look, Picture
from models.phantom.looks import LOOKS
from models.phantom.pose import Pose
from models.phantom.render import render_face
from models.phantom.truth import FaceParams
from models.phantom.units import TOP
from models.scale import Coat, Scale, load_scale

CROP = (60, 30, 260, 210)


def contact_sheet(scale: Scale | None = None, animal: int = 3) -> Picture:
    """One row per coat and lab: at rest, every unit at its top, turned, and every rendered state.

    uint8 RGB; each row shows the crop CROP of a 320 × 240 picture, its lab's light and camera.
    """
    scale = scale or load_scale()
    looks = [LOOKS[n % len(LOOKS)] for n in range(len(scale.coats))]
    rows = [_row(scale, coat, look, animal) for coat, look in zip(scale.coats, looks, strict=True)]
    return np.vstack(rows)


def write_contact_sheet(path: str) -> None:
    """Write the contact sheet as a picture file."""
    picture = cv2.cvtColor(contact_sheet(), cv2.COLOR_RGB2BGR)
    jpeg = path.lower().endswith((".jpg", ".jpeg"))
    if not cv2.imwrite(path, picture, [cv2.IMWRITE_JPEG_QUALITY, 78] if jpeg else []):
        raise OSError(f"The contact sheet cannot be written to {path}; choose another folder.")


def _row(scale: Scale, coat: Coat, look: Look, animal: int) -> Picture:
    rest = FaceParams(coat=coat, look=look, animal=animal, rest=(160.0, 120.0, 46.0))
    faces = [rest]
    for unit in scale.units:
        faces.append(replace(rest, intensities={unit.key: TOP}))
    faces.append(replace(rest, intensities=dict.fromkeys(scale.unit_keys, TOP)))
    faces.append(replace(rest, pose=Pose(yaw=27, pitch=4, roll=5)))
    for state in scale.states:
        if state.shown and not state.graded:
            shown = state.shown
            faces.append(
                replace(
                    rest,
                    state=state,
                    lids=shown.eyelids,
                    relaxed=shown.ears,
                    paws=shown.paws,
                    paw_phase=0.15,
                    smear=(4 * shown.motion, shown.motion),
                )
            )
    x0, y0, x1, y1 = CROP
    return np.hstack([render_face(face, scale)[0][y0:y1, x0:x1] for face in faces])
