"""The silent seconds round a frame, by which raters name the state of an animal."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from amgs.core.jobs import Context
from amgs.files.storage import get_storage
from amgs.repository.media_files import named_copy
from amgs.repository.models import Frame


def clip_of(context: Context, frame: Frame, whole: dict[int, str]) -> str | None:
    """Cut and store the clip of a frame; return its key, ``None`` where nothing can be read.

    The key tells no more than that of a still: see ``media_files.still_key``. A film that is no
    longer than a clip is coded once and stored under one key more for every frame: ``whole`` keeps
    a key of each such recording (primary key).
    """
    from models.media import Unreadable
    from models.media.proxy import CLIP_S, make_clip

    recording = frame.recording
    if recording.blob is None:
        return None
    short = float((recording.media or {}).get("duration_s") or CLIP_S + 1) <= CLIP_S
    if recording.pk in whole:
        key = _new_key()
        get_storage().compose(key, [whole[recording.pk]])
        return key
    with (
        tempfile.TemporaryDirectory(prefix="amgs-clip-") as folder,
        named_copy(recording.blob, recording.name) as path,
    ):
        target = Path(folder) / "clip.mp4"
        try:
            made = make_clip(path, target, 0.0 if short else frame.time_s)
        except Unreadable:
            return None
        key = _new_key()
        with target.open("rb") as stream:
            get_storage().put(key, stream, made.size)
    if short:
        whole[recording.pk] = key
    return key


def _new_key() -> str:
    name = secrets.token_hex(16)
    return f"clips/{name[:2]}/{name}.mp4"
