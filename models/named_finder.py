"""The face finder that looks at what comes in, with the name that facts state it by."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.bundle import Bundle
from models.config import CropConfig
from models.faces import FaceFinder
from models.media.frames import Picture
from models.records import Face
from models.scale import load_scale
from models.shipped import PARTS, shipped_part_facts


@dataclass(frozen=True)
class NamedFinder:
    """A finder, the confidence from which it sees a face, and its name for people."""

    name: str
    finder: FaceFinder
    least: float

    def face(self, luma: Picture) -> Face | None:
        """The face in a picture, uint8 (height, width); None where there is none.

        A head that is no mouse's is no face either.
        """
        (face,) = self.finder.find([luma])
        return face if face.confidence >= self.least and face.view != "none" else None


def finder_of(bundle: Bundle, threads: int = 1) -> NamedFinder:
    """The finder of a bundle, such as the serving one."""
    graph = bundle.path / "finder.onnx"
    finder = FaceFinder(graph, bundle.config.finder.long_side, bundle.scale.landmarks, threads)
    name = f"finder {_digest(graph)[:12]} of bundle {bundle.digest[:12]}"
    return NamedFinder(name, finder, bundle.crop.minimum_confidence)


@functools.cache
def shipped_finder() -> NamedFinder:
    """The finder that comes with the program, for as long as no bundle serves.

    Raises ConfigError where this copy of the program has none.
    """
    facts = shipped_part_facts("finder")
    graph = PARTS / "finder" / "finder.onnx"
    finder = FaceFinder(graph, int(facts["config"]["long_side"]), load_scale().landmarks)
    name = f"finder {_digest(graph)[:12]}, shipped"
    return NamedFinder(name, finder, CropConfig().minimum_confidence)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
