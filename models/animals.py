"""How many animals are in view: counted while a recording is looked at, at no second reading.

One score cannot stand for several animals, and a finder that looks for one face would jump between
them. So whoever scores a recording also keeps a `Census` of it: in how many looks a second face was
seen that is no reflection of the first. Needs numpy, OpenCV and ONNX Runtime only.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.faces import FAINT, Box, FaceFinder, Luma, Peak, inner, same_face
from models.records import Face

SURE = 0.4
"""Confidence from which a face counts, whether it is the first or another one."""
MOST_FACES = 6
DENSE, DENSE_S, STEP_S = 24, 20.0, 1.0
"""All of the first DENSE looks within DENSE_S seconds are counted, then the first of each second.
What is counted hangs on time alone, so that parts of a film together count what the whole does."""
STEP = 5
"""Of pictures without a time one in STEP is counted after the first DENSE."""
FEWEST_LOOKS = 3
"""Looks with two animals that a film needs, or all its looks where it has fewer."""
SHARE = 0.2
"""… and the share they need of the looks with any face."""
EARLY, EARLY_SHARE = 12, 0.5
"""Looks with two animals, and their share, after which there is no need to look on."""
SIDE, REACH = 32, 2
WEAK = 0.35
"""Contrast of a face, as a share of the other's, under which it is what a pane reflects. A black
and a white mouse side by side differed by 0.37 at most, perspex reflects 0.04 to 0.2."""
MIRRORED = 0.8
"""Correlation with the flipped first face from which another one is its mirror image. Pairs of
rendered mice reached 0.81 at most, mirror walls 0.75 to 0.99."""


PAIR, MIRRORED_ONE, ALONE = "p", "m", "a"


class Census:
    """Looks at a recording, counted: with a face, with two animals, with a mirror image."""

    def __init__(self) -> None:
        self.looks = self.pairs = self.mirrored = 0
        self.noted: list[str] = []
        self._settled = False

    def see(self, luma: Luma, faces: Sequence[Face]) -> None:
        """Count one look at a picture with these faces, the surest first."""
        sure = [face for face in faces if face.confidence >= SURE and face.view != "none"]
        if not sure:
            return
        first, *others = sure
        if any(not is_reflection(luma, first.box, other.box) for other in others):
            self.note(PAIR)
        else:
            self.note(MIRRORED_ONE if others else ALONE)

    def note(self, outcome: str) -> None:
        """Count what one look showed: PAIR, MIRRORED_ONE or ALONE."""
        self.noted.append(outcome)
        self.looks += 1
        self.pairs += outcome == PAIR
        self.mirrored += outcome == MIRRORED_ONE
        self._settled = self._settled or self.certain

    @property
    def several(self) -> bool:
        """Whether more than one animal is in view, given all that was seen.

        A mirror wall shows now and then a view that looks like another animal, so that pairs must
        also outnumber mirror images.
        """
        return self._settled or self._outnumber()

    def _outnumber(self) -> bool:
        needed = max(1, min(FEWEST_LOOKS, self.looks))
        return (
            self.pairs >= needed and self.pairs >= SHARE * self.looks and self.pairs > self.mirrored
        )

    @property
    def certain(self) -> bool:
        """Whether what comes can hardly change that there are several."""
        return self._outnumber() and self.pairs >= max(EARLY, EARLY_SHARE * self.looks)

    @property
    def settled(self) -> bool:
        """Whether it was `certain` once: looking further is needless, and parts of a film seen
        apart must say what one reading of it said that ended there."""
        return self._settled


class CountingFinder(FaceFinder):
    """A finder that finds what the given one finds, and tells a census what else it sees.

    The first look at a picture shows all that may be a face anyway; a second look is taken only at
    what lies apart from the face that was found.
    """

    def __init__(
        self, finder: FaceFinder, census: Census, span: tuple[float, float] | None = None
    ) -> None:
        self.session, self.long_side = finder.session, finder.long_side
        self.landmarks = finder.landmarks
        self.census = census
        self.span = span or (-np.inf, np.inf)
        self.pictures = 0
        self._first_s: float | None = None
        self._second: int | None = None

    def find(self, lumas: Sequence[Luma], times: Sequence[float] | None = None) -> list[Face]:
        """As `FaceFinder.find`; some of the pictures are counted.

        `times` (seconds) are those of the pictures of a film; what lies outside the span is not
        counted, and the beginning is looked at more closely only where the span holds it.
        """
        if not lumas:
            return []
        far = self._far(lumas, MOST_FACES, FAINT)
        near = self._near(lumas, [peaks[0].box for peaks in far])
        found = []
        for row, (luma, peaks, close) in enumerate(zip(lumas, far, near, strict=True)):
            found.append(self._face(luma, peaks[0], close))
            self.pictures += 1
            if self._counts(None if times is None else times[row]):
                self.census.see(luma, [found[-1], *self._others(luma, found[-1], peaks[1:])])
        return found

    def _counts(self, time_s: float | None) -> bool:
        if time_s is None:
            return self.pictures <= DENSE or self.pictures % STEP == 0
        if self._first_s is None:
            self._first_s = time_s
        second = int(np.floor(time_s / STEP_S + 1e-6))
        new, self._second = second != self._second, second
        start, end = self.span
        early = self.pictures <= DENSE and time_s - self._first_s < DENSE_S and start == -np.inf
        return (new or early) and start <= time_s < end

    def _others(self, luma: Luma, first: Face, peaks: Sequence[Peak]) -> list[Face]:
        """The faces at these peaks that lie apart from the first and from each other."""
        apart = [peak for peak in peaks if not _centre_in(peak.box, first.box)]
        if first.confidence < SURE or not apart:
            return []
        near = self._near([luma] * len(apart), [peak.box for peak in apart])
        kept = [first]
        for peak, close in zip(apart, near, strict=True):
            face = self._face(luma, peak, close)
            if not any(same_face(face, other) for other in kept):
                kept.append(face)
        return kept[1:]


def _centre_in(box: Box, other: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return other[0] < x < other[2] and other[1] < y < other[3]


def is_reflection(luma: Luma, one: Box, other: Box) -> bool:
    """Whether one of two boxes of a picture holds but a reflection of what the other holds.

    True where the contrast of one is a small part of the other's, or where it is the other's
    mirror image: the largest normalised correlation of one with the flipped other, within a shift
    of REACH of SIDE pixels.
    """
    first, second = inner(luma, one, SIDE), inner(luma, other, SIDE)
    if not first.size or not second.size:
        return True
    weak, strong = sorted((float(first.std()), float(second.std())))
    if weak < WEAK * strong:
        return True
    flipped = np.ascontiguousarray(second[REACH:-REACH, REACH:-REACH][:, ::-1])
    found = cv2.matchTemplate(first, flipped, cv2.TM_CCOEFF_NORMED)
    return bool(found.max() >= MIRRORED)
