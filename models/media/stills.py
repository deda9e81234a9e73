"""Single pictures and folders of pictures as frames: one frame per picture, timestamp = its place.

Pictures of a folder come in natural order of their names (`a2` before `a10`); a picture that
cannot be read keeps its timestamp but yields no frame. Files whose name starts with a dot (such as
`._x.png` that some systems leave behind) are no pictures.

Pictures with more than 8 bits per channel are reduced by dropping low bits, counted from the
highest bit that the picture uses, so that 12-bit data in a 16-bit file is not shown as black.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from models.media.frames import Frame, Picture, Unreadable

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
MOST_PIXELS = 200_000_000


class Stills:
    """A picture, or a folder of pictures, opened for reading."""

    kind: Literal["video", "stills"] = "stills"
    time_base = (1, 1)
    stream = 0
    rotation = 0
    has_audio = False
    interlaced = False
    decoder = f"Pillow {PIL.__version__}, OpenCV {cv2.__version__}"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = picture_files(path) if path.is_dir() else [path]
        if not self.files:
            raise Unreadable(
                f"The folder {path.name} holds no picture; send PNG, JPEG or TIFF files."
            )
        self.container_name = "folder" if path.is_dir() else self.files[0].suffix[1:].lower()
        self.codec = ""
        self.pixel_format = ""
        self.metadata: dict[str, str] = {}
        self.width = 0
        self.height = 0
        self.problems: tuple[str, ...] = ()

    def __enter__(self) -> Stills:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing stays open between pictures."""

    def __iter__(self) -> Iterator[Frame]:
        """Every readable picture; raises Unreadable where there is none at all."""
        index = -1
        for index, (place, image) in enumerate(self._pictures(range(len(self.files)))):
            yield _frame(index, place, image)
        if index < 0:
            raise Unreadable(f"None of the pictures in {self.path.name} can be read.")

    def between(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """The pictures with start_s ≤ place < end_s; `index` is -1 where it was not counted."""
        places = [place for place in range(len(self.files)) if start_s <= place < end_s]
        counted = bool(places) and places[0] == 0
        for index, (place, image) in enumerate(self._pictures(places)):
            yield _frame(index if counted else -1, place, image)

    def scattered(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """The readable pictures at these places, in their order, with index -1."""
        places = sorted({place for place in wanted if 0 <= place < len(self.files)})
        for place, image in self._pictures(places):
            yield _frame(-1, place, image)

    def _pictures(self, places: Iterable[int]) -> Iterator[tuple[int, Picture]]:
        """Place and pixels of what can be read; the rest is told in `problems`."""
        self.problems = ()
        for place in places:
            try:
                image = self._read(self.files[place])
            except Unreadable as refusal:
                if len(self.files) == 1:
                    raise
                self.problems += (refusal.sentence,)
                continue
            if not self.width:
                self.height, self.width = image.shape[:2]
            yield place, image

    def _read(self, file: Path) -> Picture:
        try:
            with warnings.catch_warnings():
                # Pillow warns of large pictures and odd tags; the size is checked here instead.
                warnings.simplefilter("ignore")
                with Image.open(file) as picture:
                    return self._decode(file, picture)
        except UnidentifiedImageError as error:
            raw = _by_opencv(file)
            if raw is None:
                raise Unreadable(
                    f"{file.name} is not recognised as a picture; send a PNG, JPEG or TIFF file."
                ) from error
            return raw
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise Unreadable(
                f"{file.name} is damaged or cut off and cannot be read; send it again."
            ) from error

    def _decode(self, file: Path, picture: Image.Image) -> Picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise Unreadable(
                f"{file.name} has {picture.width} × {picture.height} pixels, more than can be "
                "read; crop or scale it."
            )
        if not self.codec:
            self.codec = (picture.format or "").lower()
            self.pixel_format = picture.mode
            self.metadata = _tags(picture)
        if getattr(picture, "n_frames", 1) > 1:
            self.problems += (f"{file.name} holds several pictures; only the first is used.",)
        if picture.mode.startswith(("I", "F")):
            upright = np.asarray(ImageOps.exif_transpose(picture))
            return _three(_eight_bits(upright))
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def picture_files(folder: Path) -> list[Path]:
    """The pictures directly in a folder, in natural order of their names."""
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    return sorted(files, key=_natural)


def _natural(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.split(r"(\d+)", file.name.lower())
    return [(1, int(p), "") if p.isdecimal() else (0, 0, p) for p in parts], file.name


def _frame(index: int, place: int, image: Picture) -> Frame:
    return Frame(
        index=index,
        pts=place,
        time_base=(1, 1),
        stream=0,
        to_image=lambda: image,
        to_luma=lambda: cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False),
    )


def _tags(picture: Image.Image) -> dict[str, str]:
    exif = picture.getexif()
    tags: dict[str, str] = {}
    if exif.get_ifd(ExifTags.IFD.GPSInfo):
        tags["gps"] = "present"
    taken = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(
        ExifTags.Base.DateTime
    )
    if taken:
        tags["creation_time"] = str(taken)
    return tags


def _by_opencv(file: Path) -> Picture | None:
    # Pillow does not know TIFF with 16 bits per colour channel.
    data = np.frombuffer(file.read_bytes(), np.uint8)
    if file.suffix.lower() not in {".tif", ".tiff", ".png"} or data.size == 0:
        return None
    raw = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if raw is None:
        return None
    if raw.ndim == 3:
        raw = raw[:, :, [2, 1, 0]]
    return _three(_eight_bits(raw))


def _eight_bits(values: NDArray[Any]) -> Picture:
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        top = float(values.max(initial=0.0))
        scale = 255.0 if top <= 1.0 else 255.0 / top
        return np.asarray(np.clip(values * scale, 0, 255), np.uint8)
    positive = np.clip(values.astype(np.int64), 0, None)
    shift = max(0, int(positive.max(initial=0)).bit_length() - 8)
    return (positive >> shift).astype(np.uint8)


def _three(values: Picture) -> Picture:
    return np.repeat(values[:, :, None], 3, axis=2) if values.ndim == 2 else values
