"""Label files in the shapes that labs and programs write, small, and a lab that sends them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import h5py
import numpy as np
import pytest
from django.test import Client

DECLARED = {
    "scored_from": "video",
    "raters_blind": "yes",
    "frames_chosen": "random",
    "raters_experience": "trained on 200 pictures, three years",
}


@pytest.fixture
def speak(token_of):
    """Speak JSON to the API as a person (or as nobody) and expect a status."""

    def make(user=None, *scopes: str):
        headers = {"Authorization": f"Bearer {token_of(user, *scopes)}"} if user else {}
        client = Client(headers=headers)

        def ask(method: str, path: str, body=None, expect: int = 200):
            response = client.generic(
                method,
                f"/api/{path}",
                json.dumps(body) if body is not None else "",
                content_type="application/json",
            )
            assert response.status_code == expect, response.content.decode()
            if "json" not in response.headers.get("Content-Type", ""):
                return response.content.decode()
            return response.json()

        return ask

    return make


class Lab:
    """Alice and her draft: two films of mouse m1 and three stills, through the API alone."""

    def __init__(self, ask, version, send, run_jobs, alice) -> None:
        self.ask = ask
        self.version = version
        self.name = version.identifier.replace("/", ".")
        self._send, self._run_jobs, self._alice = send, run_jobs, alice

    def look(self, name: str, data: bytes, expect: int = 201, **answers):
        """Send a file and have it looked at; return what the API shows of it then."""
        upload = self._send(self._alice, name, data, "labels")
        body = {"upload": upload.public_id, "name": name, "confirmed": False, **answers}
        row = self.ask("POST", f"versions/{self.name}/labels", body, expect)
        if expect >= 400:
            return row
        return self.again(row["id"])

    def again(self, import_id: str):
        """Let all jobs run and return what the API shows of an import."""
        self._run_jobs()
        return self.ask("GET", f"labels/{import_id}")

    def answer(self, row, **answers):
        """Answer what is asked and return what is seen then."""
        self.ask("PATCH", f"labels/{row['id']}", answers)
        return self.again(row["id"])

    def read(self, row, **declared):
        """Declare, confirm and have it read; return the import."""
        self.answer(row, declared=DECLARED | declared)
        self.ask("POST", f"labels/{row['id']}/confirm")
        return self.again(row["id"])

    def rows(self, row, kind: str):
        """Return the imported rows of one kind."""
        return self.ask("GET", f"labels/{row['id']}/rows/{kind}?limit=100")["results"]


@pytest.fixture
def desk(draft, speak, send, run_jobs, alice, still) -> Lab:
    """Alice's draft with r0001.mp4 (m1, baseline), r0002.mp4 (m1, after) and three stills."""
    from amgs.repository import services

    version = draft(animals=1, grades=False)
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        upload = send(alice, name, still(number), "recording")
        services.add_recording(
            by=alice, version=version, upload=upload, name=name, animal="m1", observation="after"
        )
    run_jobs()
    return Lab(speak(alice), version, send, run_jobs, alice)


@pytest.fixture(scope="session")
def still() -> Callable[[int], bytes]:
    """Draw a picture of 96 × 80 pixels, another one for every number, as PNG."""
    import cv2

    def make(number: int) -> bytes:
        picture = np.full((80, 96, 3), 40 + 50 * number, np.uint8)
        picture[20 + 5 * number : 50, 30:60] = 220
        return cv2.imencode(".png", picture)[1].tobytes()

    return make


@pytest.fixture
def zipped() -> Callable[[dict[str, bytes]], bytes]:
    """Pack files into a zip archive."""

    def pack(files: dict[str, bytes]) -> bytes:
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return kept.getvalue()

    return pack


EYE = ("eye_top", "eye_front", "eye_bottom", "eye_back")


@pytest.fixture
def dlc_csv() -> bytes:
    """The CSV that an analysis by DeepLabCut writes, of three frames."""
    head = [
        ["scorer", *["net"] * 12],
        ["bodyparts", *[point for point in EYE for _ in range(3)]],
        ["coords", *["x", "y", "likelihood"] * 4],
    ]
    points = [(50, 30), (40, 40), (50, 50), (60, 40)]
    rows = [
        [frame, *[value for x, y in points for value in (x, y + frame, 0.9)]] for frame in range(3)
    ]
    return "\n".join(",".join(map(str, row)) for row in head + rows).encode()


@pytest.fixture
def dlc_h5(tmp_path) -> bytes:
    """The HDF5 file of a labelling by a person: one block of values and its axes."""
    columns = [("anna", point, coord) for point in EYE for coord in ("x", "y")]
    values = np.array([[50.0, 30, 40, 40, 50, 50, 60, 40], [50, 31, 40, 40, np.nan, 50, 60, 40]])
    path = tmp_path / "CollectedData_anna.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        group.attrs["nblocks"] = 1
        group["block0_values"] = values
        group["axis1"] = np.array(
            [b"labeled-data/r0001/img0004.png", b"labeled-data/r0001/img0011.png"]
        )
        for level in range(3):
            known = sorted({column[level] for column in columns})
            group[f"block0_items_level{level}"] = np.array([text.encode() for text in known])
            group[f"block0_items_label{level}"] = np.array(
                [known.index(column[level]) for column in columns], np.int8
            )
    return path.read_bytes()


@pytest.fixture
def slp(tmp_path) -> bytes:
    """A SLEAP file with two frames of one film: a person's animal and one of the network."""
    meta = {
        "nodes": [{"name": "nose"}, {"name": "tail"}],
        "skeletons": [{"nodes": [{"id": 1}, {"id": 0}]}],
    }
    frame = [
        (field, "i8")
        for field in ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end")
    ]
    instance = [
        (field, "i8")
        for field in ("instance_type", "skeleton", "track", "point_id_start", "point_id_end")
    ]
    point = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
    path = tmp_path / "labels.slp"
    with h5py.File(path, "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = 1.2
        group.attrs["json"] = np.bytes_(json.dumps(meta).encode())
        file["frames"] = np.array([(0, 0, 7, 0, 1), (1, 0, 9, 1, 2)], frame)
        file["instances"] = np.array([(0, 0, 0, 0, 2), (1, 0, -1, 0, 2)], instance)
        file["points"] = np.array([(1.0, 2.0, True, True), (3.0, 4.0, False, True)], point)
        file["pred_points"] = np.array(
            [(5.0, 6.0, True, True, 0.9), (7.0, 8.0, True, True, 0.2)], [*point, ("score", "f8")]
        )
        video = {"backend": {"filename": r"C:\Users\anna\r0002.mp4"}}
        file["videos_json"] = np.array([json.dumps(video).encode()])
        file["tracks_json"] = np.array([b'[0,"female"]'])
    return path.read_bytes()


@pytest.fixture
def excel() -> Callable[..., bytes]:
    """Write worksheets by title as an Excel file."""
    import openpyxl

    def write(**pages) -> bytes:
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in pages.items():
            page = book.create_sheet(title)
            for row in rows:
                page.append(row)
        kept = io.BytesIO()
        book.save(kept)
        return kept.getvalue()

    return write
