"""One deformation of the face per action unit, with continuous intensity 0 (absent) to 2 (obvious).

The scale file names the function of each unit in `deformation`; a new unit is one entry there and
one function here, listed in DEFORMATIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from models.phantom.shape import FaceShape
from models.scale import Scale

Deformation = Callable[[FaceShape, float], FaceShape]

TOP = 2.0


def narrow_the_eyes(shape: FaceShape, intensity: float) -> FaceShape:
    """Close the lids to a slit and squeeze the fur round the eye into wrinkles."""
    part = intensity / TOP
    return replace(
        shape,
        eye_opening=shape.eye_opening * (1 - 0.91 * part),
        eye_squeeze=max(shape.eye_squeeze, part),
    )


def round_the_bridge(shape: FaceShape, intensity: float) -> FaceShape:
    """Raise a rounded bulge on the bridge of the nose."""
    return replace(shape, bridge=shape.bridge + intensity / TOP)


def puff_the_cheeks(shape: FaceShape, intensity: float) -> FaceShape:
    """Make the cheeks convex, which also widens the outline of the lower face."""
    return replace(shape, cheeks=shape.cheeks + intensity / TOP)


def pull_back_the_ears(shape: FaceShape, intensity: float) -> FaceShape:
    """Pull the ears outward and back: they lean, move apart, narrow and look pointed."""
    part = intensity / TOP
    return replace(
        shape,
        ear_lean=shape.ear_lean + 44 * part,
        ear_width=shape.ear_width * (1 - 0.42 * part),
        ear_point=max(shape.ear_point, part),
        ear_apart=max(shape.ear_apart, part),
    )


def clump_the_whiskers(shape: FaceShape, intensity: float) -> FaceShape:
    """Stiffen the whiskers, draw them back and together into bundles."""
    part = intensity / TOP
    return replace(
        shape,
        whisker_fan=shape.whisker_fan * (1 - 0.55 * part),
        whisker_curve=shape.whisker_curve * (1 - 0.9 * part),
        whisker_swing=shape.whisker_swing + 30 * part,
        whisker_clump=max(shape.whisker_clump, part),
    )


DEFORMATIONS: dict[str, Deformation] = {
    deformation.__name__: deformation
    for deformation in (
        narrow_the_eyes,
        round_the_bridge,
        puff_the_cheeks,
        pull_back_the_ears,
        clump_the_whiskers,
    )
}


def deform(scale: Scale, intensities: Mapping[str, float], shape: FaceShape) -> FaceShape:
    """The face with every unit at its intensity (keys of the scale, 0..2; absent ones are 0)."""
    for unit in scale.units:
        intensity = min(max(intensities.get(unit.key, 0.0), 0.0), TOP)
        if intensity:
            shape = DEFORMATIONS[unit.deformation](shape, intensity)
    return shape
