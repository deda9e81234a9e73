"""What a file is, by its content; what no reader may touch is refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from curation.labels import UnknownFormat, read, sniff
from curation.labels.source import Source

Sheet = Callable[..., Path]
TEXT = "filename;ot1;nb1;Bemerkung\nmäuse/ä1.png;1;2;schräg – „gut“\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_are_told_apart_by_content(sheet: Sheet, encoding: str) -> None:
    source = Source(sheet(TEXT.encode(encoding)))
    assert source.kind == "text"
    assert source.sheet().rows[0][1] == ("mäuse/ä1.png", "1", "2", "schräg – „gut“")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x80\x04\x95\x05\x00\x00\x00.", "Python pickle, which is never opened"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "is encrypted"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old kind"),
        (b"%PDF-1.7", "PDF"),
        (b"\x89PNG\r\n", "is a picture"),
        (b"MATLAB 5.0 MAT-file", "MATLAB"),
        (b"\x1f\x8b\x08", "unpack it"),
        (b"PAR1", "Parquet"),
    ],
)
def test_other_files_are_named_for_what_they_are(
    sheet: Sheet, content: bytes, sentence: str
) -> None:
    path = sheet(content, "labels.bin")
    assert sniff(path) == ()
    with pytest.raises(UnknownFormat, match=sentence):
        read(path)


def test_a_side_file_of_macos_is_no_sheet(sheet: Sheet) -> None:
    path = sheet("filename,ot1\na.png,1\n", "._scores.csv")
    with pytest.raises(UnknownFormat, match="macOS side file"):
        read(path)
    assert read(path, name="scores.csv").rows


@pytest.mark.parametrize("name", ["gone.csv", "a\x00b.csv", "x" * 300])
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownFormat, match="cannot be opened"):
        read(tmp_path / name)


@pytest.mark.parametrize("share", [-1, 1])
def test_a_file_above_the_limit_is_refused(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    path = sheet(TEXT)
    monkeypatch.setattr("curation.labels.source.MOST_BYTES", path.stat().st_size + share)
    if share < 0:
        with pytest.raises(UnknownFormat, match="larger than"):
            read(path)
    else:
        assert read(path).rows


def test_links_to_other_files_are_not_followed(tmp_path: Path, slp: Sheet) -> None:
    other = slp()
    path = tmp_path / "link.slp"
    with h5py.File(path, "w") as file:
        for name in ("frames", "instances", "metadata"):
            file[name] = h5py.ExternalLink(str(other), name)
    with pytest.raises(UnknownFormat, match="refers to other places"):
        read(path)


def test_data_outside_the_file_is_not_read(tmp_path: Path, slp: Sheet) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(256)))
    path = slp(points=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("points", (2,), "f8", external=[(str(secret), 0, 16)])
    with pytest.raises(UnknownFormat, match="keeps data in other files"):
        read(path)


def test_an_array_that_only_claims_to_be_huge_is_not_read(slp: Sheet) -> None:
    path = slp(points=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("points", (10**12,), [("x", "f8"), ("y", "f8")], chunks=(1000,))
    with pytest.raises(UnknownFormat, match="more than 1 GB"):
        read(path)


def test_python_objects_are_not_read(dlc_fixed: Sheet) -> None:
    path = dlc_fixed(axis1=None)
    with h5py.File(path, "a") as file:
        kind = h5py.vlen_dtype(np.uint8)
        objects = file.create_dataset("df_with_missing/axis1", (1,), kind)
        objects[0] = np.frombuffer(b"cos\nsystem\n(Vx\ntR.", np.uint8)
    with pytest.raises(UnknownFormat, match="Python objects"):
        read(path)


def test_an_unknown_file_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["tracks"] = [1]
    with pytest.raises(UnknownFormat, match="HDF5 file with “tracks” in it"):
        read(path)


def test_real_files_of_other_kinds_are_refused_with_what_they_are(real_files: Path) -> None:
    with pytest.raises(UnknownFormat, match=r"Rat Grimace Scale.*“Filename” as picture"):
        read(real_files / "rat_grimace_tool_output.xlsx")
    with pytest.raises(UnknownFormat, match=r"JABS pose file \(1800 frames\)"):
        read(real_files / "sample_pose_est_v3.h5")
    with pytest.raises(UnknownFormat, match="No column was recognised"):
        read(real_files / "LICENSE-sleap")
