"""Bodies of parts reach the storage in pieces that are worth a step."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from amgs.wsgi import in_large_pieces


class _Reader:
    """What lies behind gunicorn's stream of a body."""

    def __init__(self, data: bytes) -> None:
        self.stream, self.steps = io.BytesIO(data), 0

    def read(self, size: int) -> bytes:
        self.steps += 1
        return self.stream.read(size)


class _Input:
    def __init__(self, reader: _Reader) -> None:
        self.reader = reader

    def read(self, size: int) -> bytes:
        return self.reader.read(min(size, 1024))


def _read(environ, start):
    return [environ["wsgi.input"].read(len(DATA)), environ["wsgi.input"].read(1)]


DATA = bytes(range(256)) * 4096


def test_a_body_is_whole_and_comes_in_few_steps() -> None:
    reader = _Reader(DATA)
    environ = {"REQUEST_METHOD": "PUT", "wsgi.input": _Input(reader)}
    assert in_large_pieces(_read)(environ, None) == [DATA, b""]
    assert reader.steps < 30


def test_other_servers_and_methods_keep_their_stream() -> None:
    for method, stream in (("PUT", io.BytesIO(DATA)), ("POST", _Input(_Reader(DATA)))):
        environ = {"REQUEST_METHOD": method, "wsgi.input": stream}
        in_large_pieces(lambda environ, start: [])(environ, None)
        assert environ["wsgi.input"] is stream


def test_a_process_that_serves_pages_starts_without_the_libraries_of_science(tmp_path):
    """They cost 60 MiB and a second, and most processes never use them."""
    root = Path(__file__).resolve().parents[3]
    script = (
        "import sys, django; django.setup(); import amgs.urls, amgs.wsgi;"
        "print(sorted({'torch', 'pandas', 'scipy', 'pyarrow', 'onnxruntime', 'cv2', 'av',"
        " 'matplotlib'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            "PYTHONPATH": f"{root}{os.pathsep}{root / 'platform'}",
            "DJANGO_SETTINGS_MODULE": "amgs.settings.base",
            "AMGS_VAR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"
