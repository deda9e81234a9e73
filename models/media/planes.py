"""Decoded pictures as arrays: the luma plane as a view, RGB on demand, upright.

Interlaced pictures hold two moments, one in the even lines and one in the odd. The rule: the even
lines are kept and each odd line becomes the mean of its neighbours, so that a frame shows one
moment. It holds for luma and RGB alike and only for pictures that the file flags as interlaced;
weaving by motion would be sharper and is slower than decoding itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from models.media.frames import Picture


@dataclass(frozen=True)
class Orientation:
    """How stored pictures are turned for display: mirrored first, then quarter turns clockwise."""

    quarter_turns: int
    mirrored: bool

    @property
    def rotation(self) -> int:
        """Clockwise turn in degrees: 0, 90, 180 or 270."""
        return self.quarter_turns * 90

    def display(self, picture: Picture) -> Picture:
        """The stored picture as it is displayed; the same array where nothing turns."""
        if not self.quarter_turns and not self.mirrored:
            return picture
        if self.mirrored:
            picture = picture[:, ::-1]
        # OpenCV takes no view with negative strides.
        return np.ascontiguousarray(np.rot90(picture, -self.quarter_turns))


UPRIGHT = Orientation(0, mirrored=False)


def orientation(decoded: VideoFrame) -> Orientation:
    """The orientation that the display matrix of a picture asks for, to the next quarter turn."""
    try:
        matrix = decoded.side_data.get(SideDataType.DISPLAYMATRIX)  # type: ignore[call-overload]
    except ValueError:
        # PyAV gives up at side data that it has no name for, such as EXIF in MJPEG; it still tells
        # the turn (degrees against the clock), though not a mirror image.
        return Orientation(round(-decoded.rotation / 90) % 4, mirrored=False)
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("9i", bytes(matrix))
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # The first row says where the stored x axis points on the screen (y down, so b > 0 turns
    # clockwise).
    if abs(a) >= abs(b):
        return Orientation(0 if a > 0 else 2, mirrored)
    return Orientation(1 if b > 0 else 3, mirrored)


def luma(decoded: VideoFrame) -> Picture:
    """The brightness of a picture as stored, uint8 (height, width).

    With 8 bits a read-only view of the decoder's own plane, whose rows may lie further apart than
    their length; with more bits a copy without the low ones.
    """
    plane = _plane(decoded)
    if plane is None:
        plane = _converted(decoded, "gray")
    return _one_moment(plane) if decoded.interlaced_frame else plane


def rgb(decoded: VideoFrame) -> Picture:
    """The picture as uint8 RGB, (height, width, 3)."""
    picture = _converted(decoded, "rgb24")
    return _one_moment(picture) if decoded.interlaced_frame else picture


def _plane(decoded: VideoFrame) -> Picture | None:
    """The first plane where it is one of brightness in this machine's byte order."""
    form = decoded.format
    name, bits = form.name, form.components[0].bits
    planar = name.startswith(("yuv", "gray", "nv")) and not name.startswith(("yuyv", "grayf"))
    if not planar or form.is_big_endian or bits > 16:
        return None
    plane = decoded.planes[0]
    # Read-only: later pictures may be predicted from this very memory.
    held = memoryview(plane).toreadonly()
    if bits > 8:
        wide = _rows(np.frombuffer(held, np.uint16), plane)
        return (wide >> (bits - 8)).astype(np.uint8)
    rows = _rows(np.frombuffer(held, np.uint8), plane)
    return rows if plane.line_size > 0 else np.ascontiguousarray(rows)


def _rows(values: NDArray[Any], plane: VideoPlane) -> NDArray[Any]:
    """The picture in a plane's memory, which may be padded at the right or stored bottom up."""
    rows = values.reshape(plane.height, -1)
    return rows[:: 1 if plane.line_size > 0 else -1, : plane.width]


def _one_moment(picture: Picture) -> Picture:
    made = picture.copy()
    if len(made) > 2:
        above, below = picture[0:-2:2], picture[2::2]
        made[1 : 2 * len(below) : 2] = cv2.addWeighted(above, 0.5, below, 0.5, 0.0)
    if len(made) % 2 == 0:
        made[-1] = made[-2]
    return made


def _converted(decoded: VideoFrame, form: str) -> Picture:
    return np.asarray(decoded.to_ndarray(format=form), np.uint8)
