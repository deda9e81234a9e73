"""Blobs as files a decoder can open, and frames as JPEG stills."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from amgs.files.models import Blob
from amgs.files.services import local_copy

if TYPE_CHECKING:
    from models.media import Picture

STILL_QUALITY = 92
POSTER_LONGEST = 640


@contextlib.contextmanager
def named_copy(blob: Blob, name: str) -> Iterator[Path]:
    """Give a blob's local copy the name the lab gave it, for as long as it is read.

    Readers judge by the suffix too, and refusals name the file.
    """
    with tempfile.TemporaryDirectory(prefix="amgs-named-") as folder:
        path = Path(folder) / (PurePosixPath(name).name or "file")
        path.symlink_to(Path(local_copy(blob)).resolve())
        yield path


def jpeg(image: Picture, longest: int | None = None) -> bytes:
    """Return a uint8 RGB picture (height, width, 3) as JPEG, shrunk to ``longest`` pixels."""
    import cv2

    if longest and max(image.shape[:2]) > longest:
        scale = longest / max(image.shape[:2])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, STILL_QUALITY]
    )
    if not done:
        raise RuntimeError("the JPEG encoder refused a picture")
    return data.tobytes()


def still_key() -> str:
    """Return a new storage key for a still.

    It is random and nothing else: raters see it in the address, so it must tell neither the
    recording nor the order of frames. Being new for every attempt of a job, it needs no other
    protection from a worker that wakes late.
    """
    name = secrets.token_hex(16)
    return f"stills/{name[:2]}/{name}.jpg"
