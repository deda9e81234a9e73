"""Real recordings that finders and eye readers learn from and are judged on, where they are there.

They lie outside the project, are read in place and never copied. This is the one home of the split
in time: what comes last in time is held out of every training.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.media import Unreadable, open_media

Luma = NDArray[np.uint8]
Part = Literal["train", "held_out"]

VARIABLE = "AMGS_REAL_MATERIAL"
BESIDE = Path(__file__).parents[3] / "shared" / "data"
STILLS = "mouse-faces-side"
FILM = "mouse-video-side/treadmill_mirror_250fps.mp4"
WHOLE_PROFILE = "mouse-video-side/head_fixed_side.mp4"
"""The film no network ever learns from; every frame shows the same head."""
WHOLE_PROFILE_BOX = (612.0, 640.0, 1440.0, 1050.0)
"""The head in it, nose to ear and crown to throat, marked by eye; it is fixed and does not move."""
HELD_SHARE = 5
"""The last one of this many stills in time is held out."""
FEW = 40
"""Most pictures taken of one faceless recording."""


@dataclass(frozen=True)
class Source:
    """Where a part of the material is from, and its licence."""

    name: str
    origin: str
    licence: str


SOURCES = (
    Source(STILLS, "AnnaStuckert/ViT_facemap", "MIT"),
    Source(FILM, "paninski-lab/lightning-pose", "MIT"),
    Source("eye-closeups", "yzhaoinuw/mouse-pupil-analysis", "MIT"),
    Source("videos-odd", "dmlc/decord, pytorch/torchcodec", "Apache-2.0, BSD-3-Clause"),
)
JUDGES = (Source(WHOLE_PROFILE, "AnnaStuckert/DeepEnsampleGUI", "MIT"),)
"""What no network learns from, and every one is judged on."""
# Public-domain pictures that some packages bring along: package, file inside it, what it shows.
PACKAGED = (
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "portrait of a person"),
    ("skimage", "data/astronaut.png", "portrait of a person"),
    ("skimage", "data/chelsea.png", "face of a cat"),
)


@dataclass(frozen=True)
class Still:
    """A real still with points placed by hand: name → (x, y) in pixels."""

    path: Path
    points: dict[str, tuple[float, float]]

    def luma(self) -> Luma:
        """The picture in grey (height, width); raises Unreadable."""
        return _read(self.path)


def real_material() -> Path | None:
    """The folder with the real material, None where there is none.

    The variable AMGS_REAL_MATERIAL names it; unset, it is `../shared/data` beside the project, and
    empty means that there shall be none.
    """
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named and (Path(named) / STILLS).is_dir() else None
    return BESIDE if (BESIDE / STILLS).is_dir() else None


def stills(folder: Path, part: Part) -> list[Still]:
    """The real profile stills of one part, in time: the first four fifths train, the last judge."""
    with (folder / STILLS / "landmarks.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: _time(row["image"]))
    held = len(rows) // HELD_SHARE
    chosen = rows[len(rows) - held :] if part == "held_out" else rows[: len(rows) - held]
    return [
        Still(
            folder / STILLS / row["image"],
            {
                name.removesuffix(" x"): (float(row[name]), float(row[f"{name[:-2]} y"]))
                for name in row
                if name.endswith(" x")
            },
        )
        for row in chosen
    ]


def faceless(folder: Path, part: Part, most: int = FEW) -> dict[str, list[Luma]]:
    """Real pictures in which nothing may be graded, per recording at most `most` of one part.

    The first half in time of every recording trains, the second judges; of the odd films, every
    second file in the order of their names.
    """
    found: dict[str, list[Luma]] = {}
    for name in _faceless_recordings(folder):
        path = folder / name
        if name.startswith("videos-odd/"):
            files = sorted(file.name for file in path.parent.iterdir() if _is_film(file))
            if (files.index(path.name) % 2 == 0) != (part == "train"):
                continue
            lumas = list(_lumas(path, most))
        else:
            everything = list(_lumas(path, None))
            half = len(everything) // 2
            lumas = everything[:half] if part == "train" else everything[half:]
        if lumas:
            found[name] = [lumas[n] for n in _spread(len(lumas), most)]
    return found


def packaged() -> dict[str, Luma]:
    """Public-domain pictures of faces that are no mouse, out of packages that are installed."""
    found = {}
    for package, name, shown in PACKAGED:
        spec = find_spec(package)
        places = spec.submodule_search_locations if spec else None
        path = Path(next(iter(places))) / name if places else None
        if path is not None and path.is_file():
            found[f"{package}: {shown}"] = _read(path)
    return found


def used(folder: Path | None) -> list[dict[str, object]]:
    """What a finder that was given this folder learnt from, as a bundle states it."""
    if folder is None:
        return []
    sources: list[dict[str, object]] = [
        {"name": source.name, "origin": source.origin, "licence": source.licence, "phantom": False}
        for source in SOURCES
        if (folder / source.name).exists()
    ]
    for name in packaged():
        sources.append(
            {"name": name, "origin": "package", "licence": "public domain", "phantom": False}
        )
    return sources


def judged_finder(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a finder was judged on, with its figures, from `models.nets.finder_trial.try_finder`.

    Only what was held out of its training is named; empty without figures.
    """
    found = {
        STILLS: figures.get("held_out_stills"),
        WHOLE_PROFILE: figures.get("whole_profile_film"),
        **figures.get("faceless", {}).get("held_out", {}),
    }
    return [_judged(name, reached) for name, reached in found.items() if reached and reached["n"]]


def judged_eyes(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an eye reader was judged on, with its figures (`models.data.eye_figures`)."""
    found = {STILLS: figures.get("stills"), WHOLE_PROFILE: figures.get("shut")}
    return [_judged(name, reached) for name, reached in found.items() if reached]


def _judged(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    source = next(one for one in (*SOURCES, *JUDGES) if name.startswith(one.name))
    return {
        "name": name,
        "origin": source.origin,
        "licence": source.licence,
        "phantom": False,
        "figures": dict(figures),
    }


def material_digest(folder: Path | None) -> str:
    """SHA-256 over everything a finder learns from in this folder; empty without one."""
    if folder is None:
        return ""
    digest = hashlib.sha256()
    recordings = [folder / name for name in _faceless_recordings(folder)]
    files = [folder / STILLS / "landmarks.csv", *(still.path for still in stills(folder, "train"))]
    for path in [*files, *recordings]:
        parts = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in parts:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.name} {content}\n".encode())
    for name, luma in packaged().items():
        digest.update(name.encode() + luma.tobytes())
    return digest.hexdigest()


def _faceless_recordings(folder: Path) -> list[str]:
    names = [FILM] if (folder / FILM).is_file() else []
    closeups = folder / "eye-closeups"
    if closeups.is_dir():
        names += [f"eye-closeups/{p.name}" for p in sorted(closeups.iterdir()) if p.is_dir()]
    odd = folder / "videos-odd"
    if odd.is_dir():
        names += [f"videos-odd/{p.name}" for p in sorted(odd.iterdir()) if _is_film(p)]
    return names


def _is_film(path: Path) -> bool:
    return path.suffix in (".mp4", ".mov", ".mkv")


def _lumas(path: Path, most: int | None) -> Iterator[Luma]:
    try:
        with open_media(path) as media:
            for count, frame in enumerate(media):
                if most is not None and count >= most:
                    return
                yield np.array(frame.luma, np.uint8)
    except Unreadable:
        # A damaged film is one of them on purpose: what can be read of it has been read.
        return


def _spread(length: int, most: int) -> list[int]:
    return sorted({int(n) for n in np.linspace(0, length - 1, min(length, most)).round()})


def _time(name: str) -> int:
    return int("".join(char for char in name if char.isdigit()))


def _read(path: Path) -> Luma:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise Unreadable(f"The picture {path.name} cannot be read.")
    return np.asarray(picture, np.uint8)
