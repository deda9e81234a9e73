"""What is made of a recording that came in: drawn frames, sheet, copy for others, proxy."""

from __future__ import annotations

import json
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amgs.core.jobs import Context
from amgs.files.models import Blob
from amgs.files.storage import get_storage
from amgs.registry.bundles import bundle_folder
from amgs.registry.queries import serving
from amgs.repository import media_files
from amgs.repository.models import Frame, Recording

if TYPE_CHECKING:
    from models.media import Frame as MediaFrame
    from models.media.likeness import Likeness
    from models.named_finder import NamedFinder
    from models.records import MediaFacts

# Frames drawn from every recording: some ten per animal and time point is the classic protocol.
DRAWN_FRAMES = 12
SHEET_FRAMES = 12
PROGRESS_EVERY = 25
TELLING_LONGEST = 480

_lock = threading.Lock()
_held: tuple[str, Any] | None = None


def finder() -> NamedFinder | None:
    """Return the face finder of the bundle that serves, of the shipped part while none does.

    Loaded once per process and bundle; ``None`` where this copy of the program ships none.
    """
    global _held
    from models.bundle import load_bundle
    from models.config import ConfigError
    from models.named_finder import finder_of, shipped_finder

    version = serving()
    if version is None:
        try:
            return shipped_finder()
        except ConfigError:
            return None
    with _lock:
        if _held is None or _held[0] != version.digest:
            _held = (version.digest, finder_of(load_bundle(bundle_folder(version))))
        return _held[1]


@dataclass(frozen=True)
class Drawn:
    """What one pass over a recording stored: rows of drawn frames, not yet written, and keys.

    ``evidence`` are the telling frames (`MediaFacts.telling`): reason → key, frame, time_s.
    """

    frames: list[Frame]
    poster: str
    contact_sheet: str
    evidence: dict[str, dict[str, Any]]


def draw(context: Context, row: Recording, blob: Blob, facts: MediaFacts, media: Any) -> Drawn:
    """Draw frames and store their stills, the poster, the contact sheet and telling frames.

    The draw is uniform over all readable frames and seeded by the file's own digest, so that
    anybody can repeat it and nobody can choose it. The sheet shows frames evenly in time instead:
    it is for finding one's way, not for rating.
    """
    from models.media.thumbnails import contact_sheet, evenly_in_time

    chance = random.Random(int(blob.sha256, 16))  # noqa: S311  (to be repeatable is the point)
    total = facts.frame_count
    numbers = set(chance.sample(range(total), min(DRAWN_FRAMES, total)))
    middle = sorted(numbers)[len(numbers) // 2]
    frames: list[Frame] = []
    poster = context.key("poster.jpg")
    reasons: dict[int, list[str]] = defaultdict(list)
    for reason, index in facts.telling.items():
        reasons[index].append(reason)
    evidence: dict[str, dict[str, Any]] = {}

    def passing() -> Iterator[MediaFrame]:
        for frame in media:
            if frame.index % PROGRESS_EVERY == 0:
                context.progress(0.4 + 0.55 * frame.index / total, "drawing frames")
            if frame.index in numbers:
                frames.append(frame_row(row, frame, drawn=True))
            if frame.index == middle:
                small = media_files.jpeg(frame.image, media_files.POSTER_LONGEST)
                get_storage().put(poster, small)
            if frame.index in reasons:
                evidence.update(_telling(context, frame, reasons.pop(frame.index), facts))
            yield frame

    # One pass for both: decoding is what takes the time.
    going = passing()
    made = contact_sheet(evenly_in_time(going, facts, SHEET_FRAMES))
    while (len(frames) < len(numbers) or reasons) and next(going, None) is not None:
        pass
    going.close()
    sheet = context.key("contact-sheet.jpg")
    get_storage().put(sheet, made.data)
    return Drawn(frames, poster, sheet, evidence)


def _telling(
    context: Context, frame: MediaFrame, reasons: list[str], facts: MediaFacts
) -> dict[str, dict[str, Any]]:
    """Store small pictures of a frame, one for all reasons; text has one with its lines framed."""
    from models.media.burned_text import framed

    found = {}
    for text in (False, True):
        named = [reason for reason in reasons if (reason == "text") is text]
        if not named:
            continue
        image = framed(frame.image, facts.text_boxes or ()) if text else frame.image
        key = context.key(f"telling-{frame.index}{'-text' if text else ''}.jpg")
        get_storage().put(key, media_files.jpeg(image, TELLING_LONGEST))
        shown = {"key": key, "frame": frame.index, "time_s": round(frame.time_s, 3)}
        found.update(dict.fromkeys(named, shown))
    return found


def frame_row(recording: Recording, frame: MediaFrame, *, drawn: bool) -> Frame:
    """Store a frame's still and return its row, not yet written."""
    key = media_files.still_key()
    get_storage().put(key, media_files.jpeg(frame.image))
    return Frame(
        recording=recording,
        stream=frame.stream,
        pts=frame.pts,
        tb_num=frame.time_base[0],
        tb_den=frame.time_base[1],
        number=frame.index,
        time_s=frame.time_s,
        still_key=key,
        drawn=drawn,
    )


def store_likeness(context: Context, likeness: Likeness) -> str:
    """Store the hashes that near-duplicates are found by, as JSON; return their key."""
    from models.records import to_json

    key = context.key("likeness.json")
    get_storage().put(key, json.dumps(to_json(likeness)).encode())
    return key


def copy_for_others(context: Context, path: Path, folder: Path) -> dict[str, Any]:
    """Store the public copy of a file; return what ``Recording.public`` holds of it.

    Where none can be made that is the same, that is ``{"refusal": sentence}``.
    """
    from models.media.derive import public_copy
    from models.media.private_tags import NotCopied

    def done(share: float) -> None:
        context.progress(0.5 * share, "copying for others")

    target = folder / f"public{path.suffix}"
    try:
        made = public_copy(path, target, done)
    except NotCopied as refusal:
        return {"refusal": refusal.sentence}
    key = context.key(target.name)
    with target.open("rb") as stream:
        get_storage().put(key, stream, made.size)
    return {
        "key": key,
        "sha256": made.sha256,
        "size": made.size,
        "original": made.original,
        "left_out": [[tag.kind, tag.name, tag.where] for tag in made.left_out],
    }


def proxy(context: Context, path: Path, folder: Path, facts: MediaFacts) -> str:
    """Store a film that browsers play where the original is none; return its key or nothing."""
    from models.media.proxy import make_proxy, unplayable

    if unplayable(path, facts) is None:
        return ""

    def done(count: int) -> None:
        if count % PROGRESS_EVERY == 0:
            context.progress(0.5 + 0.5 * min(1.0, count / facts.frame_count), "coding for browsers")

    target = folder / "proxy.mp4"
    made = make_proxy(path, target, progress=done)
    key = context.key(target.name)
    with target.open("rb") as stream:
        get_storage().put(key, stream, made.size)
    return key
