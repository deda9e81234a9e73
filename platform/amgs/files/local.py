"""The storage contract on files of one machine; addresses point at the application itself."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

from django.conf import settings
from django.utils.crypto import constant_time_compare

from amgs.files.storage import (
    CHUNK,
    Damaged,
    Missing,
    Stat,
    Unavailable,
    WrongLength,
    as_stream,
    chunks,
    valid_key,
)

ADDRESS = "/storage/"
"""Where ``amgs.api.storage`` answers; part of the addresses this module signs."""

_DRAFTS = ".drafts"
_RETRIES = 5
_NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class LocalStorage:
    """One file per object under a root folder. Drafts lie beside them until they are whole."""

    part_digest = "sha-256"

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Return the file of a key, which may not exist; raises ``BadKey``."""
        return self.root / valid_key(key)

    def put(self, key: str, data: BinaryIO | bytes, size: int = -1) -> Stat:
        """Store bytes, or so many bytes of a stream (-1: all that it still holds)."""
        return self._take(key, *as_stream(data, size), durable=True)

    def put_part(self, key: str, stream: BinaryIO, size: int, sha256: bytes | None = None) -> Stat:
        """Store ``size`` bytes that came to a signed address; ``Damaged`` if the digest differs.

        Unlike ``put`` it does not wait for the disk: what a power failure takes from a part is
        found when the whole is checked, and only the whole is made durable.
        """
        return self._take(key, stream, size, sha256, durable=False)

    def _take(
        self, key: str, stream: BinaryIO, size: int, sha256: bytes | None = None, *, durable: bool
    ) -> Stat:
        target, digest = self.path(key), hashlib.sha256()
        with self._draft() as (draft, path):
            for chunk in chunks(stream, size):
                draft.write(chunk)
                if sha256 is not None:
                    digest.update(chunk)
            if draft.tell() < size:
                raise WrongLength(f"{draft.tell()} of {size} bytes came")
            if sha256 is not None and digest.digest() != sha256:
                raise Damaged(f"{key}: other bytes came than were sent")
            self._settle(draft, path, target, durable=durable)
        return self._stat(target)

    @contextlib.contextmanager
    def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        """Open a stretch of an object for reading."""
        try:
            file = self.path(key).open("rb")
        except _NO_FILE:
            raise Missing(key) from None
        with file:
            file.seek(offset)
            yield file if length is None else io.BufferedReader(_Stretch(file, length))

    def stat(self, key: str) -> Stat | None:
        """Return size and entity tag of an object, or ``None``."""
        path = self.path(key)
        try:
            return self._stat(path) if path.is_file() else None
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        """Remove an object and the folders it leaves empty."""
        path = self.path(key)
        with contextlib.suppress(*_NO_FILE):
            path.unlink()
        for folder in path.parents:
            if folder == self.root or self.root not in folder.parents:
                return
            try:
                folder.rmdir()
            except OSError:  # not empty, or another process was faster
                return

    def list(self, prefix: str) -> Iterator[str]:
        """Yield every key that begins with the prefix, in order."""
        for key, _ in self.scan(prefix):
            yield key

    def scan(self, prefix: str) -> Iterator[tuple[str, Stat]]:
        """Yield every key that begins with the prefix, in order, with its facts."""
        if prefix:
            valid_key(prefix.rstrip("/"))
        # Walk only the folder that all such keys share.
        start = self.root / prefix.rpartition("/")[0]
        found = []
        for folder, folders, names in os.walk(start):
            folders[:] = [name for name in folders if name != _DRAFTS]
            for name in names:
                key = (Path(folder) / name).relative_to(self.root).as_posix()
                if key.startswith(prefix):
                    found.append(key)
        for key in sorted(found):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                yield key, self._stat(self.root / key)

    def compose(self, target: str, sources: Sequence[str], *, durable: bool = True) -> Stat:
        """Put objects together; one alone becomes a second name of the same bytes."""
        goal = self.path(target)
        paths = [self.path(source) for source in sources]
        try:
            with self._draft() as (draft, path):
                if not (len(paths) == 1 and _second_name(paths[0], path)):
                    for source in paths:
                        with source.open("rb") as stream:
                            _append(draft, stream)
                self._settle(draft, path, goal, durable=durable)
        except _NO_FILE as error:
            raise Missing(f"{target}: {error.filename} is not there") from None
        return self._stat(goal)

    def wait(self, key: str) -> None:
        """Wait until the disk has the bytes of an object."""
        try:
            _wait_for_disk(self.path(key))
        except _NO_FILE:
            raise Missing(key) from None

    def download(self, key: str, path: Path) -> Path:
        """Give an object a second name (or, on another file system, a copy) at ``path``."""
        source = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            if not _second_name(source, draft):
                shutil.copyfile(source, draft)
            draft.replace(path)
        except _NO_FILE:
            raise Missing(key) from None
        finally:
            # Renaming one name of a file to another of the same file leaves both.
            draft.unlink(missing_ok=True)
        return path

    def sign_put(self, key: str, seconds: int, size: int | None = None) -> str:
        """Return an address of this site to which the object may be PUT."""
        most = {} if size is None else {"most": str(size)}
        return self._address("PUT", key, seconds, most)

    def sign_get(
        self,
        key: str,
        seconds: int,
        filename: str | None = None,
        media_type: str | None = None,
    ) -> str:
        """Return an address of this site from which the object may be had."""
        said = {"filename": filename, "type": media_type}
        return self._address("GET", key, seconds, {k: v for k, v in said.items() if v})

    def sweep(self, seconds: float) -> int:
        """Remove drafts of processes that were killed longer ago than this."""
        count, before = 0, time.time() - seconds
        for path in (self.root / _DRAFTS).glob("*"):
            with contextlib.suppress(FileNotFoundError):  # settled meanwhile
                if path.stat().st_mtime < before:
                    path.unlink()
                    count += 1
        return count

    def check(self) -> None:
        """Raise ``Unavailable`` unless a file can be made in the root folder."""
        try:
            with self._draft():
                pass
        except OSError as error:
            raise Unavailable(f"{self.root}: {error.strerror}") from error

    def _address(self, method: str, key: str, seconds: int, said: dict[str, str]) -> str:
        said = said | {"expires": str(int(time.time()) + seconds)}
        said["signature"] = signature(method, valid_key(key), said)
        return f"{ADDRESS}{key}?{urlencode(said)}"

    @contextlib.contextmanager
    def _draft(self) -> Iterator[tuple[BinaryIO, Path]]:
        folder = self.root / _DRAFTS
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / secrets.token_hex(12)
        with path.open("xb") as draft:
            try:
                yield draft, path
            finally:
                path.unlink(missing_ok=True)

    def _settle(self, draft: BinaryIO, path: Path, target: Path, *, durable: bool = True) -> None:
        """Make a whole draft durable and give it its name."""
        draft.flush()
        if durable:
            _wait_for_disk(path)
        path.chmod(0o444)  # objects are replaced, never changed; a second name shares the bytes
        for attempt in range(_RETRIES):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(target)
                break
            except FileNotFoundError:  # `delete` removed the folder as empty just now
                if attempt == _RETRIES - 1:
                    raise
        if durable:
            _wait_for_disk(target.parent)

    @staticmethod
    def _stat(path: Path) -> Stat:
        facts = path.stat()
        return Stat(facts.st_size, f"{facts.st_size:x}-{facts.st_mtime_ns:x}-{facts.st_ino:x}")


def _second_name(source: Path, name: Path) -> bool:
    """Give a file a second name; false on another file system, or one without links."""
    name.unlink(missing_ok=True)
    try:
        name.hardlink_to(source)
    except _NO_FILE:
        raise
    except OSError:
        return False
    return True


def _wait_for_disk(path: Path) -> None:
    """Make a file or a folder durable, by its name: a second name stands for other bytes than
    those that were written to the draft."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class _Stretch(io.RawIOBase):
    """The next ``length`` bytes of a file."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(min(self._left, len(buffer)))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def _append(draft: BinaryIO, stream: BinaryIO) -> None:
    """Append a file to a draft inside the kernel, where the file system can share its bytes."""
    draft.flush()
    try:
        while os.copy_file_range(stream.fileno(), draft.fileno(), 64 * CHUNK):
            pass
    except OSError:  # not on this file system; both positions are where the last call left them
        draft.seek(0, os.SEEK_END)
        stream.seek(os.lseek(stream.fileno(), 0, os.SEEK_CUR))
        shutil.copyfileobj(stream, draft, CHUNK)


def signature(method: str, key: str, said: dict[str, str]) -> str:
    """Return the HMAC-SHA256 (hex) of one act on one key with all that the address says."""
    secret = hashlib.sha256(b"amgs.files.local" + settings.SECRET_KEY.encode()).digest()
    lines = [method, key, *(f"{name}={said[name]}" for name in sorted(said))]
    # A line end inside a value is doubled in meaning by no other text: values are quoted.
    text = "\n".join(repr(line) for line in lines)
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def is_signed(method: str, key: str, said: dict[str, str]) -> bool:
    """Whether an address was signed here for this act and has not run out."""
    said = dict(said)
    given = said.pop("signature", "")
    expires = said.get("expires", "")
    if not constant_time_compare(given, signature(method, key, said)):
        return False
    return expires.isdecimal() and int(expires) >= time.time()
