"""Single pictures and folders of pictures as frames: one frame per picture, timestamp = its place.

Pictures of a folder come in natural order of their names (`a2` before `a10`); a picture that
cannot be read, or only in part, keeps its timestamp but yields no frame. Files whose name starts
with a dot (such as `._x.png` that some systems leave behind) are no pictures. A TIFF file sent by
itself gives one frame per page; of a file among others in a folder only the first picture counts.

Pictures with more than 8 bits per channel are reduced by dropping low bits, counted from the
highest bit that the picture uses, so that 12-bit data in a 16-bit file is not shown as black.
"""

from __future__ import annotations

import contextlib
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
        self._stack = contextlib.ExitStack()
        self._page: Image.Image | None = None
        pages = 1 if path.is_dir() else _pages(path)
        self.places = [(file, page) for file in self.files for page in range(pages)]
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
        """Close a file with several pages; nothing else stays open between pictures."""
        self._page = None
        self._stack.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every readable picture; raises Unreadable where there is none at all."""
        index = -1
        for index, (place, image) in enumerate(self._pictures(range(len(self.places)))):
            yield _frame(index, place, image)
        if index < 0:
            raise Unreadable(f"None of the pictures in {self.path.name} can be read.")

    def between(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """The pictures with start_s ≤ place < end_s; `index` is -1 where it was not counted."""
        places = [place for place in range(len(self.places)) if start_s <= place < end_s]
        counted = bool(places) and places[0] == 0
        for index, (place, image) in enumerate(self._pictures(places)):
            yield _frame(index if counted else -1, place, image)

    def scattered(self, wanted: Iterable[int]) -> Iterator[Frame]:
        """The readable pictures at these places, in their order, with index -1."""
        places = sorted({place for place in wanted if 0 <= place < len(self.places)})
        for place, image in self._pictures(places):
            yield _frame(-1, place, image)

    def _pictures(self, places: Iterable[int]) -> Iterator[tuple[int, Picture]]:
        """Place and pixels of what can be read; the rest is told in `problems`."""
        self.problems = ()
        for place in places:
            try:
                image = self._read(*self.places[place])
            except Unreadable as refusal:
                if len(self.places) == 1:
                    raise
                said = refusal.sentence
                if len(self.files) == 1:
                    said = f"Page {place + 1}: {said}"
                self.problems += (said,)
                continue
            if not self.width:
                self.height, self.width = image.shape[:2]
            yield place, image

    def _read(self, file: Path, page: int) -> Picture:
        try:
            with warnings.catch_warnings(), contextlib.ExitStack() as opened:
                # Pillow warns of large pictures and odd tags; the size is checked here instead.
                warnings.simplefilter("ignore")
                if len(self.places) == len(self.files):
                    return self._decode(file, page, _opened(file, opened))
                # Finding a page from the start each time would be slow in a long stack.
                if self._page is None:
                    self._page = _opened(file, self._stack)
                self._page.seek(page)
                return self._decode(file, page, self._page)
        except UnidentifiedImageError as error:
            raw = _by_opencv(file, page)
            if raw is None:
                raise Unreadable(
                    f"{file.name} is not recognised as a picture; send a PNG, JPEG or TIFF file."
                ) from error
            return raw
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise Unreadable(
                f"{file.name} is damaged or cut off and cannot be read; send it again."
            ) from error

    def _decode(self, file: Path, page: int, picture: Image.Image) -> Picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise Unreadable(
                f"{file.name} has {picture.width} × {picture.height} pixels, more than can be "
                "read; crop or scale it."
            )
        if not self.codec:
            self.codec = (picture.format or "").lower()
            self.pixel_format = picture.mode
            self.metadata = _tags(picture)
        if len(self.places) == len(self.files) and getattr(picture, "n_frames", 1) > 1:
            self.problems += (f"{file.name} holds several pictures; only the first is used.",)
        if picture.mode.startswith(("I", "F")):
            upright = np.asarray(ImageOps.exif_transpose(picture))
            return _three(_eight_bits(upright))
        # Of 16 bits per colour channel Pillow gives the upper eight, used or not.
        deep = any(";16" in str(tile) for tile in getattr(picture, "tile", ()))
        raw = _by_opencv(file, page) if deep else None
        if raw is not None:
            return raw
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def _opened(file: Path, stack: contextlib.ExitStack) -> Image.Image:
    # By a stream, not by name: then Pillow maps no file into memory, which it does with swapped
    # sides where a TIFF is to be turned.
    return stack.enter_context(Image.open(stack.enter_context(file.open("rb"))))


def _pages(file: Path) -> int:
    """How many pages a TIFF file has; 1 for anything else."""
    with contextlib.suppress(OSError, SyntaxError, ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as picture:
            if picture.format == "TIFF":
                return int(getattr(picture, "n_frames", 1))
    return 1


def picture_files(folder: Path) -> list[Path]:
    """The pictures directly in a folder, in natural order of their names."""
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    return sorted(files, key=_natural)


def is_picture(path: Path) -> bool:
    """Whether a file is to be read as a picture rather than as a film."""
    # By content first, because scientists' files carry any suffix; by suffix for damaged ones.
    with path.open("rb") as file:
        head = file.read(12)
    signatures = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM")
    if head.startswith(signatures) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return path.suffix.lower() not in {".mjpeg", ".mjpg"}
    return path.suffix.lower() in SUFFIXES


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


def _by_opencv(file: Path, page: int) -> Picture | None:
    """A TIFF or PNG picture with 16 bits per colour channel, upright; None where it is no such."""
    data = np.frombuffer(file.read_bytes(), np.uint8)
    if file.suffix.lower() not in {".tif", ".tiff", ".png"} or data.size == 0:
        return None
    how = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    if page:
        _, pages = cv2.imdecodemulti(data, how, range=(page, page + 1))
        raw = pages[0] if pages else None
    else:
        raw = cv2.imdecode(data, how)
    if raw is None:
        return None
    return _three(_eight_bits(raw[:, :, ::-1] if raw.ndim == 3 else raw))


def _eight_bits(values: NDArray[Any]) -> Picture:
    if values.dtype == np.uint8:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
        top = float(values.max(initial=0.0))
        scale = 255.0 if top <= 1.0 else 255.0 / top
        return np.asarray(np.clip(values * scale, 0, 255), np.uint8)
    positive = np.clip(values.astype(np.int64), 0, None)
    shift = max(0, int(positive.max(initial=0)).bit_length() - 8)
    return (positive >> shift).astype(np.uint8)


def _three(values: Picture) -> Picture:
    return np.repeat(values[:, :, None], 3, axis=2) if values.ndim == 2 else values
