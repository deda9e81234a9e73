"""The silent seconds round a frame, by which raters name the state of an animal."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from amgs.core.jobs import Context
from amgs.files.storage import get_storage
from amgs.repository.media_files import named_copy
from amgs.repository.models import Frame


def clip_of(context: Context, frame: Frame) -> str | None:
    """Cut and store the clip of a frame; return its key, ``None`` where nothing can be read.

    The key tells no more than that of a still: see ``media_files.still_key``.
    """
    from models.media import Unreadable
    from models.media.proxy import make_clip

    recording = frame.recording
    if recording.blob is None:
        return None
    with (
        tempfile.TemporaryDirectory(prefix="amgs-clip-") as folder,
        named_copy(recording.blob, recording.name) as path,
    ):
        target = Path(folder) / "clip.mp4"
        try:
            made = make_clip(path, target, frame.time_s)
        except Unreadable:
            return None
        name = secrets.token_hex(16)
        key = f"clips/{name[:2]}/{name}.mp4"
        with target.open("rb") as stream:
            get_storage().put(key, stream, made.size)
    return key
