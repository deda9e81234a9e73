"""Recordings of any lab as frames with exact timestamps.

`open_media(path)` iterates a video, a picture or a folder of pictures in presentation order;
`between` of what it returns gives a part of it. `decoded_ahead(frames)` lets a thread of its own
decode while the caller works. `probe(path)` states what a recording is; `read_frames(path, pts)`
gets single frames by their timestamps. All raise `Unreadable` with one plain sentence where there
is nothing to read. The rules for missing and repeated timestamps and for damaged files are those
of `models.media.video`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from models.media.ahead import decoded_ahead
from models.media.facts import measure
from models.media.frames import Frame, Picture, Unreadable
from models.media.stills import Stills, is_picture
from models.media.video import Video
from models.records import MediaFacts

Media = Video | Stills

__all__ = [
    "Frame",
    "Media",
    "Picture",
    "Unreadable",
    "decoded_ahead",
    "frame_times",
    "open_media",
    "probe",
    "read_frames",
]


def open_media(path: str | Path, threads: int | None = None) -> Media:
    """Open a recording as a context manager that iterates `Frame`s; raises Unreadable.

    `threads` decode a video; None takes up to three per core that this process may use (eight at
    most). The frames are the same whatever their number.
    """
    path = Path(path)
    if path.is_dir():
        return Stills(path)
    if not path.is_file():
        raise Unreadable(f"There is no file {path.name}.")
    if path.stat().st_size == 0:
        raise Unreadable(f"{path.name} is empty (0 bytes); copy it again from the camera.")
    if is_picture(path):
        return Stills(path)
    return Video(path, threads)


def probe(path: str | Path) -> MediaFacts:
    """Decode a recording once and state its facts; raises Unreadable."""
    with open_media(path) as media:
        return measure(media)


def read_frames(path: str | Path, pts: Iterable[int]) -> dict[int, Frame]:
    """The frames with these timestamps, keyed by timestamp, held in memory.

    Timestamps that no frame has are absent from the answer. Frames reached by jumping have index
    -1, because their place in the recording was not counted. Raises Unreadable.
    """
    wanted = set(pts)
    if not wanted:
        return {}
    with open_media(path) as media:
        return {frame.pts: frame for frame in media.scattered(wanted)}


def frame_times(path: str | Path) -> list[int]:
    """The timestamp of every readable frame in presentation order; raises Unreadable."""
    # The packets state timestamps too, and many times faster, but not which of them become frames:
    # damage shows only in decoding, and a packet may hold half a picture, two, or one never shown.
    with open_media(path) as media:
        return [frame.pts for frame in media]
