"""Drawings of the scale for raters: one face, bent to every grade of every unit.

``python -m amgs.web.drawings``, with ``platform`` on the path, writes them as files, which a page
shows as pictures; they follow the reader's light or dark scheme by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import cos, hypot, radians, sin
from pathlib import Path

from models.scale import Unit, load_scale

CARD = Path(__file__).parent / "static" / "amgs" / "rating" / "card"
SIZE = 240
MIDDLE = SIZE / 2

# The unit in ink and on a tint, everything else pale, so that eyes go to the unit.
STYLE = (
    "path,circle,ellipse{fill:none;stroke-linecap:round;stroke-linejoin:round}"
    ".fur{fill:#f3efe7}.pale{stroke:#b9b2a6;stroke-width:2}.hair{stroke-width:1.4}"
    ".shade{fill:#b9b2a6}.ink{stroke:#1c2228;stroke-width:4}.fine{stroke-width:2.6}"
    ".eye{fill:#1c2228}.tint{fill:#f0cfae}.gleam{fill:#f3efe7}.plate{fill:#fff}"
    "@media(prefers-color-scheme:dark){.fur{fill:#2a3036}.pale{stroke:#697179}"
    ".shade{fill:#697179}.ink{stroke:#f4f1ea}.eye{fill:#0d0f11}.tint{fill:#7a5230}"
    ".plate{fill:#15181b}}"
)

# A point of the left half of the picture: distance from the middle line, and height from the top.
Point = tuple[float, float]
Shape = Sequence[Point]


@dataclass(frozen=True)
class Face:
    """How far each part is from a face at ease: 0 absent, 1 obvious."""

    eyes: float = 0.0
    bridge: float = 0.0
    cheeks: float = 0.0
    ears: float = 0.0
    whiskers: float = 0.0


# Which part of the face a unit's deformation bends.
PARTS = {
    "narrow_the_eyes": "eyes",
    "round_the_bridge": "bridge",
    "puff_the_cheeks": "cheeks",
    "pull_back_the_ears": "ears",
    "clump_the_whiskers": "whiskers",
}

# Shapes at ease and at the obvious end; what lies between is their mixture.
CROWN = ((0, 64), (24, 67), (46, 76), (63, 94), (71, 117))
CHEEK = (
    ((69, 135), (61, 155), (51, 174), (42, 189)),
    ((82, 135), (89, 157), (75, 180), (46, 191)),
)
MUZZLE = ((37, 203), (20, 213), (0, 216))
# Ears stand on the origin and point up; the first point is on the side of the crown.
EAR = (
    (
        *((-19, 2), (-34, 20), (-40, 44), (-32, 65), (-17, 76), (0, 79)),
        *((17, 76), (32, 65), (40, 44), (33, 18), (17, -4)),
    ),
    (
        *((-17, 4), (-25, 18), (-26, 35), (-18, 51), (-6, 65), (1, 73)),
        *((7, 64), (16, 50), (23, 34), (22, 15), (15, -6)),
    ),
)
# Where whiskers spring from; at ease a fan of curves, at the obvious end two stiff clumps.
ROOTS = ((24, 194), (31, 197), (23, 200), (32, 203), (22, 206), (29, 208))
FAN = ((104, 146), (114, 166), (116, 186), (112, 206), (101, 222), (84, 233))
CLUMPS = ((103, 98), (107, 97), (108, 102), (111, 129), (115, 130), (113, 134))
# The same from the side: two clumps in front of the nose.
FORWARD = (
    ((-25, 10), (-51, 12)),
    ((-24, 13), (-51, 13)),
    ((-23, 17), (-47, 31)),
    ((-27, 18), (-47, 32)),
)
# A lid as angles of an ellipse from corner to corner, and the wrinkles at both corners of the eye.
LID = (180, 150, 120, 90, 60, 30, 0)
WRINKLES = (((-25, -2), (-34, -5)), ((-25, 4), (-33, 8)), ((24, -1), (33, 0)), ((23, 5), (31, 11)))


def _mix(ends: tuple[Shape, Shape], amount: float) -> list[Point]:
    """Return the shape that lies so far (0..1) from the first to the second."""
    return [
        (a + (c - a) * amount, b + (d - b) * amount) for (a, b), (c, d) in zip(*ends, strict=True)
    ]


def _between(ends: tuple[float, float], amount: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * amount


def _curve(points: Shape, closed: bool = False) -> str:
    """Return path data of a smooth curve through the points.

    As Catmull and Rom have it, a point's tangent runs along the chord of its neighbours; it is no
    longer than the piece it belongs to, lest tight tips make loops.
    """
    count = len(points)

    def at(i: int) -> Point:
        return points[i % count if closed else min(max(i, 0), count - 1)]

    data = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for i in range(count if closed else count - 1):
        before, start, end, after = at(i - 1), at(i), at(i + 1), at(i + 2)
        piece = hypot(end[0] - start[0], end[1] - start[1]) / 3
        handles = []
        for (ax, ay), (bx, by), (x, y), sign in (
            (before, end, start, 1),
            (start, after, end, -1),
        ):
            length = hypot(bx - ax, by - ay) or 1.0
            handles.append(
                (x + sign * piece * (bx - ax) / length, y + sign * piece * (by - ay) / length)
            )
        (ax, ay), (bx, by) = handles
        data.append(f"C{ax:.1f} {ay:.1f} {bx:.1f} {by:.1f} {end[0]:.1f} {end[1]:.1f}")
    return "".join(data) + ("Z" if closed else "")


def _path(points: Shape, look: str, closed: bool = False) -> str:
    return f'<path class="{look}" d="{_curve(points, closed)}"/>'


def _left(points: Iterable[Point]) -> list[Point]:
    return [(MIDDLE - u, y) for u, y in points]


def _both(drawn: str) -> str:
    """Return what was drawn on the left, and its mirror on the right."""
    return f'{drawn}<g transform="matrix(-1 0 0 1 {SIZE} 0)">{drawn}</g>'


def _turned(points: Iterable[Point], degrees: float, foot: Point) -> list[Point]:
    """Return a shape that stands on the origin turned outward and set on its foot."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return [(foot[0] + x * c + y * s, foot[1] + x * s - y * c) for x, y in points]


def _look(inked: bool) -> str:
    return "ink" if inked else "pale"


def _ears(face: Face, inked: bool) -> str:
    amount = face.ears
    foot = (_between((52, 54), amount), _between((86, 95), amount))
    degrees = _between((22, 57), amount)
    shape = _mix(EAR, amount**1.5)
    narrow = _between((0.68, 0.5), amount)
    inside = [(x * narrow, y * 0.78 + 8) for x, y in shape]
    drawn = _path(_left(_turned(shape, degrees, foot)), f"fur {_look(inked)}", closed=True)
    drawn += _path(_left(_turned(inside, degrees, foot)), "tint" if inked else "pale", closed=True)
    return _both(drawn)


def _outline(face: Face) -> list[Point]:
    half = [*CROWN, *_mix(CHEEK, face.cheeks), *MUZZLE]
    return _left(half) + [(MIDDLE + u, y) for u, y in reversed(half[1:-1])]


def _head(face: Face, inked: bool) -> str:
    return _path(_outline(face), "fur pale", closed=True)


def _cheeks(face: Face, inked: bool) -> str:
    if not inked:
        return ""
    side = [CROWN[-1], *_mix(CHEEK, face.cheeks), MUZZLE[0]]
    drawn = ""
    if face.cheeks:
        inner = _mix(
            (
                ((66, 142), (58, 158), (52, 172), (43, 188)),
                ((61, 143), (42, 151), (34, 169), (42, 187)),
            ),
            face.cheeks,
        )
        drawn += _path(_left([*side[1:-1], *reversed(inner)]), "tint", closed=True)
        drawn += _path(_left(inner), "ink fine")
    return _both(drawn + _path(_left(side), "ink"))


def _bridge(face: Face, inked: bool) -> str:
    amount = face.bridge
    flat = ((13, 116), (12, 134), (11, 152), (10, 170), (9, 186))
    bulged = ((9, 108), (25, 122), (30, 144), (23, 168), (9, 187))
    side = _mix((flat, bulged), amount)
    if not inked:
        return _both(_path(_left(side[:-1]), "pale"))
    drawn = ""
    if amount:
        whole = _left(side) + [(MIDDLE + u, y) for u, y in reversed(side)]
        drawn = _path(whole, "tint", closed=True)
    drawn += _both(_path(_left(side), "ink"))
    return drawn


def _eyes(face: Face, inked: bool) -> str:
    amount = face.eyes
    middle, level = 53.0, 123.0
    wide, high = 16.5 + 2 * amount, _between((16.5, 1.5), amount)
    c, s = cos(radians(22 * amount**2)), sin(radians(22 * amount**2))

    def put(points: Iterable[Point]) -> list[Point]:
        # The outer corner of a squeezed eye stands higher than the inner one.
        return [(MIDDLE - middle + a * c - b * s, level + a * s + b * c) for a, b in points]

    def lid(height: float, reach: float = 1.0) -> list[Point]:
        return [(wide * reach * cos(radians(t)), -height * sin(radians(t))) for t in LID]

    drawn = ""
    if inked and amount:
        folds = lid(high + 13 * amount + 3, 1.12) + lid(-high - 10 * amount - 3, 1.12)[::-1][1:-1]
        drawn += _path(put(folds), "tint", closed=True)
    look = "eye ink" if inked else "shade pale"
    drawn += _path(put(lid(high) + lid(-high)[::-1][1:-1]), look, closed=True)
    if inked and amount < 1:
        ((x, y),) = put([(-4, -high * 0.38)])
        drawn += (
            f'<ellipse class="gleam" cx="{x:.1f}" cy="{y:.1f}" rx="4.2" ry="{high * 0.25:.1f}"/>'
        )
    if inked and amount:
        drawn += _path(put(lid(high + 13 * amount + 3, 1.12)[1:-1]), "ink fine")
    if inked and amount == 1:
        drawn += _path(put(lid(-high - 11, 1.12)[1:-1]), "ink fine")
        for wrinkle in WRINKLES:
            drawn += _path(put(wrinkle), "ink fine")
    return _both(drawn)


def _nose(face: Face, inked: bool) -> str:
    pad = [(8, 195), (23, 186), (37, 192), (37, 206), (20, 214), (4, 212)]
    dots = "".join(
        f'<circle class="shade" cx="{MIDDLE - u}" cy="{v}" r="1.3"/>'
        for u, v in ((16, 198), (24, 196), (17, 205), (26, 203))
    )
    drawn = _both(_path(_left(pad), "pale") + dots)
    drawn += (
        '<path class="shade pale" d="M109 192q11-6 22 0q-2 10-11 13q-9-3-11-13Z"/>'
        '<path class="pale" d="M120 205v6"/>'
    )
    return drawn


def _hair(root: Point, end: Point, sag: float, look: str) -> str:
    """Return one whisker: it leaves the pad outward and hangs towards its tip."""
    (a, b), (c, d) = _left([root, end])
    bend = (a * 0.45 + c * 0.55, b * 0.45 + d * 0.55 - sag)
    return (
        f'<path class="{look}" d="M{a:.1f} {b:.1f}Q{bend[0]:.1f} {bend[1]:.1f} {c:.1f} {d:.1f}"/>'
    )


def _whiskers(face: Face, inked: bool) -> str:
    sag = _between((22, 0), min(face.whiskers * 1.5, 1.0))
    ends = _mix((FAN, CLUMPS), face.whiskers)
    look = "ink fine" if inked else "pale hair"
    pairs = zip(ROOTS, ends, strict=True)
    return _both("".join(_hair(root, end, sag, look) for root, end in pairs))


def _profile(face: Face, part: str) -> str:
    """Return the head from the side in a small circle, for what the front hides."""
    # Whiskers that point forward want room in front of the nose.
    r, scale, right = (47.0, 1.0, 0.0) if part == "bridge" else (35.0, 0.62, 6.0)
    x = y = SIZE - 2 - r

    def put(points: Iterable[Point]) -> list[Point]:
        return [(x + right + a * scale, y + b * scale) for a, b in points]

    flat = ((-38, 11), (-29, 4), (-18, -4), (-7, -12), (4, -17))
    bulged = ((-38, 11), (-37, 0), (-27, -13), (-11, -19), (4, -17))
    bridge = _mix((flat, bulged), face.bridge)
    back = [(4, -17), (16, -21), (30, -17), (40, -6)]
    chin = [(32, 30), (14, 26), (-6, 24), (-24, 21), (-35, 18), (-38, 11)]
    drawn = f'<circle class="plate pale" cx="{x:g}" cy="{y:g}" r="{r:g}"/>'
    drawn += _path(put([*bridge, *back[1:], (44, 12), *chin[:-1]]), "fur", closed=True)
    drawn += _path(put(back), "pale") + _path(put(chin), "pale")
    ear = [(12, -17), (7, -29), (14, -39), (26, -37), (33, -27), (30, -15), (21, -9)]
    drawn += _path(put(ear), "fur pale", closed=True)
    for (a, b), size in zip(put([(-3, -4), (-37, 12)]), (5, 3), strict=True):
        drawn += f'<circle class="shade" cx="{a:.1f}" cy="{b:.1f}" r="{size * scale:.1f}"/>'
    if part == "whiskers":
        for root, end in FORWARD:
            drawn += _path(put([root, end]), "ink fine")
        return drawn + _path(put(bridge), "pale")
    if face.bridge:
        drawn += _path(put([*bridge, *reversed(flat[1:-1])]), "tint", closed=True)
    return drawn + _path(put(bridge), "ink")


Draw = Callable[[Face, bool], str]
LAYERS: tuple[tuple[str, Draw], ...] = (
    ("ears", _ears),
    ("", _head),
    ("cheeks", _cheeks),
    ("bridge", _bridge),
    ("", _nose),
    ("eyes", _eyes),
)


def drawing(unit: Unit, grade: int) -> str:
    """Return the SVG file of the face with one unit at one grade, and the definition as title."""
    part = PARTS[unit.deformation]
    face = replace(Face(), **{part: grade / unit.top_grade})
    drawn = "".join(draw(face, name == part) for name, draw in LAYERS)
    # Whiskers lie over the face where they count, else behind it.
    drawn = drawn + _whiskers(face, True) if part == "whiskers" else _whiskers(face, False) + drawn
    # The bridge shows from the side; whiskers are drawn back on the face, forward in the circle.
    if part == "bridge" or face.whiskers == 1:
        drawn += _profile(face, part)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" role="img">'
        f"<title>{unit.title} {grade}: {unit.grades[grade]}</title>"
        f"<style>{STYLE}</style>{drawn}</svg>\n"
    )


def file_name(unit: Unit, grade: int) -> str:
    """Return what the file of a drawing is called."""
    return f"{unit.key}-{grade}.svg"


def files() -> dict[str, str]:
    """Return the text of every file of the card by its name."""
    return {
        file_name(unit, grade): drawing(unit, grade)
        for unit in load_scale().units
        for grade in range(len(unit.grades))
    }


def main() -> None:
    """Write the files of the card."""
    CARD.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (CARD / name).write_text(text)


if __name__ == "__main__":
    main()
