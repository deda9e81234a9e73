"""The film beside a chart: one that browsers play, with the same times, no sound and no tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av

from models.media.derive import public_copy
from models.media.frames import Unreadable
from models.media.proxy import make_proxy, unplayable_stream
from models.media.stills import is_picture
from models.media.tags import NotCopied
from models.media.video import Video

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Played:
    """A film that was written for a page.

    `start_s` is the time in the recording that is shown when the film begins: time on the chart is
    `start_s` plus the player's time. `how` says whether its packets were copied or coded anew.
    """

    file: str
    media_type: str
    start_s: float
    how: Literal["copied", "coded"]


def write_player(source: Path, folder: Path, progress: Progress | None = None) -> Played:
    """Write a playable film into `folder`; `progress` hears the number of frames coded.

    Packets are copied where browsers play them and the film begins at 0; everything else is coded
    anew. Raises Unreadable where there is no film, pictures included.
    """
    if is_picture(source):
        raise Unreadable("A picture has no film to play.")
    with Video(source) as film:
        first = next(iter(film), None)
        if first is None:
            raise Unreadable(f"{source.name} has no frame that can be shown.")
        start_s, begins_at_zero = first.time_s, first.pts == 0
    suffix = ".webm" if _webm(source) else ".mp4"
    if begins_at_zero and _reason(source) is None:
        try:
            public_copy(source, folder / f"player{suffix}")
        except NotCopied:
            pass  # its container would change something; coded anew it plays all the same
        else:
            return Played(f"player{suffix}", f"video/{suffix[1:]}", start_s, "copied")
    make_proxy(source, folder / "player.mp4", progress=progress)
    return Played("player.mp4", "video/mp4", start_s, "coded")


def _webm(source: Path) -> bool:
    with source.open("rb") as file:
        head = file.read(64)
    return head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head


def _reason(source: Path) -> str | None:
    with av.open(str(source), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec.codec.canonical_name == "h264" and _interlaced(container):
            return "The film is interlaced."
        return unplayable_stream(
            source, container.format.name, codec.codec.canonical_name, str(codec.pix_fmt)
        )


def _interlaced(container: av.container.InputContainer) -> bool:
    for frame in container.decode(video=0):
        return bool(frame.interlaced_frame)
    return False
