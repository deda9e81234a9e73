"""The folder of one attempt of a run, begun with the newest checkpoint there is.

Every attempt writes into a folder of its own: a child of an earlier attempt that is still dying
cannot spoil the files of the next one. Checkpoints also go to storage, so that another machine
can go on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from django.conf import settings

from amgs.core.jobs import Context
from amgs.files.storage import Missing, get_storage
from amgs.training.models import Run

CHECKPOINTS = "checkpoints"


class Workspace:
    """``var/runs/<run>/<attempt>/`` with ``out`` for the child, and links to what it reads."""

    def __init__(self, context: Context, run: Run) -> None:
        self._context = context
        self._run = run
        self.run_folder = Path(settings.VAR) / "runs" / run.public_id
        self.folder = self.run_folder / str(context.attempt)
        self.out = self.folder / "out"
        self.resume = self.folder / "resume"
        self.log = self.folder / "child.log"
        # Two folders: what a run learns from, and what it is judged on.
        self.media = self.folder / "media"
        self.judging = self.folder / "judging"

    def prepare(self) -> bool:
        """Make the folder and bring the newest checkpoint; return whether there is one."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.resume.mkdir(exist_ok=True)
        attempt, folder = self._newest_here()
        stored = self._stored_attempt()
        # What this machine wrote is at least as new as what that attempt sent to storage.
        if folder is not None and attempt >= stored:
            for path in folder.iterdir():
                if path.is_file() and not path.name.startswith("."):
                    # The old child may vanish with a file it was just replacing.
                    with contextlib.suppress(FileNotFoundError):
                        os.link(path, self.resume / path.name)
        elif stored:
            key = self._run.checkpoint_key
            with contextlib.suppress(Missing):
                get_storage().download(key, self.resume / Path(key).name)
        return any(self.resume.iterdir())

    def _newest_here(self) -> tuple[int, Path | None]:
        attempts = sorted(
            (int(path.name) for path in self.run_folder.iterdir() if path.name.isdecimal()),
            reverse=True,
        )
        for attempt in attempts:
            for name in (f"out/{CHECKPOINTS}", "resume"):
                folder = self.run_folder / str(attempt) / name
                if folder != self.resume and folder.is_dir() and any(folder.iterdir()):
                    return attempt, folder
        return 0, None

    def _stored_attempt(self) -> int:
        """Return the attempt whose checkpoint lies in storage, from its key; 0 where none does."""
        parts = self._run.checkpoint_key.split("/")
        return int(parts[2]) if len(parts) > 2 and parts[2].isdecimal() else 0

    def keep(self, path: Path) -> None:
        """Send a checkpoint to storage and name it in the run's row.

        Nothing is named once the lease is lost; the one before is removed afterwards.
        """
        key = self._context.key(f"{CHECKPOINTS}/{path.name.lstrip('.')}")
        storage = get_storage()
        try:
            with path.open("rb") as stream:
                storage.put(key, stream, path.stat().st_size)
        except FileNotFoundError:
            return  # a newer checkpoint has replaced it already
        old = self._run.checkpoint_key
        held = Run.objects.filter(
            pk=self._run.pk, job__attempt=self._context.attempt, job__state="running"
        ).update(checkpoint_key=key)
        if held:
            self._run.checkpoint_key = key
            if old and old != key:
                storage.delete(old)

    def remove(self) -> None:
        """Remove all attempts' folders and the checkpoint in storage: the run is over."""
        shutil.rmtree(self.run_folder, ignore_errors=True)
        if self._run.checkpoint_key:
            get_storage().delete(self._run.checkpoint_key)
