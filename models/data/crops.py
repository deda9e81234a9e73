"""Face crops of labelled frames, kept once per file as a memory-mapped array.

A store lies in `CACHE/crops/<finder>-<crop>-<revision>/<blob>.npy`, where the parts name the finder
and the crop settings by their digests: another finder gives another store, never a mixture. Needs
no torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import config
from models.config import CropConfig
from models.faces import REVISION, VIEWS, FaceFinder, cut
from models.media import Unreadable, read_frames
from models.records import Face

BATCH = 64


def crop_type(size: int, landmarks: int) -> np.dtype[Any]:
    """The record of one frame in a store."""
    return np.dtype(
        [
            ("pts", "<i8"),
            ("found", "?"),
            ("confidence", "<f4"),
            ("view", "u1"),
            ("box", "<f4", (4,)),
            ("landmarks", "<f4", (landmarks, 2)),
            ("sharpness", "<f4"),
            ("crop", "u1", (size, size)),
        ]
    )


class CropStore:
    """The crops of one finder and one crop size under a cache folder."""

    def __init__(self, cache: Path, finder: FaceFinder, finder_digest: str, crop: CropConfig):
        self.finder = finder
        self.crop = crop
        self.kind = crop_type(crop.size, len(finder.landmarks))
        name = f"{finder_digest[:16]}-{config.digest(crop)[:8]}-{REVISION}"
        self.folder = cache / "crops" / name

    def gather(
        self,
        frames: pd.DataFrame,
        media: Path,
        threads: int = 1,
        on_progress: Callable[[float], None] | None = None,
    ) -> NDArray[Any]:
        """One record per row of `frames` (columns `blob`, `pts`), in their order.

        Crops that no run has cut yet are cut and kept. A frame that its file does not hold has
        `found` False. Raises Unreadable naming the file that cannot be decoded.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = {str(blob): rows["pts"].to_numpy() for blob, rows in frames.groupby("blob")}
        done = 0
        stores: dict[str, NDArray[Any]] = {}
        with ThreadPoolExecutor(max(1, threads)) as pool:
            jobs = pool.map(
                lambda item: (item[0], self._blob(item[0], item[1], media)), wanted.items()
            )
            for blob, store in jobs:
                stores[blob] = store
                done += 1
                if on_progress is not None:
                    on_progress(done / len(wanted))
        result = np.zeros(len(frames), self.kind)
        for blob, rows in frames.reset_index(drop=True).groupby("blob"):
            store = stores[str(blob)]
            place = {int(pts): index for index, pts in enumerate(store["pts"])}
            for row, pts in zip(rows.index, rows["pts"], strict=True):
                result[row] = store[place[int(pts)]]
        return result

    def _blob(self, blob: str, pts: Iterable[int], media: Path) -> NDArray[Any]:
        path = self.folder / f"{blob}.npy"
        kept: NDArray[Any] = np.zeros(0, self.kind)
        if path.is_file():
            kept = np.load(path, mmap_mode="r", allow_pickle=False)
        missing = sorted({int(value) for value in pts} - {int(value) for value in kept["pts"]})
        if not missing:
            return kept
        new = self._cut(media / blob, missing)
        store = np.concatenate([kept, new])
        unfinished = path.with_name(f".{blob}.{os.getpid()}")
        with unfinished.open("wb") as file:
            np.save(file, store, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))

    def _cut(self, path: Path, pts: list[int]) -> NDArray[Any]:
        if not path.exists():
            raise Unreadable(f"The recording {path.name} is not in the media folder.")
        records = np.zeros(len(pts), self.kind)
        records["pts"] = pts
        for start in range(0, len(pts), BATCH):
            some = pts[start : start + BATCH]
            frames = read_frames(path, some)
            present = [
                (index, frames[value]) for index, value in enumerate(some) if value in frames
            ]
            lumas = [frame.luma for _, frame in present]
            for (index, _), luma, face in zip(present, lumas, self.finder.find(lumas), strict=True):
                self._fill(records[start + index], luma, face)
        return records

    def _fill(self, record: Any, luma: NDArray[np.uint8], face: Face) -> None:
        record["found"] = True
        record["confidence"] = face.confidence
        record["view"] = VIEWS.index(face.view)
        record["box"] = face.box
        record["landmarks"] = [face.landmarks[name] for name in self.finder.landmarks]
        record["sharpness"] = face.sharpness
        record["crop"] = cut(luma, face.box, self.crop)
