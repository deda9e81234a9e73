import io
import json
import tarfile
from pathlib import Path
from shutil import copytree

import pytest

from models.bundle import (
    DIGEST,
    FILES,
    BundleError,
    compute_digest,
    file_digest,
    load_bundle,
    pack,
    seal,
    unpack,
)


@pytest.fixture
def copy(tiny_run, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    copytree(tiny_run.bundle, folder)
    return folder


def test_a_bundle_says_what_each_part_rests_on(tiny_run) -> None:
    bundle = load_bundle(tiny_run.bundle)
    assert set(bundle.info["parts"]) == {
        "finder", "eyes", "units", "scorable", "states", "calibration"
    }  # fmt: skip
    assert bundle.info["parts"]["finder"]["trained_on"][0]["phantom"] is True
    assert {row["name"] for row in bundle.info["parts"]["units"]["trained_on"]} == {
        "AMGS-000000/1", "AMGS-000001/1",
    }  # fmt: skip
    assert bundle.info["phantom"] is True
    assert bundle.config.name == "tiny"
    assert bundle.scale.name == bundle.info["scale"]
    assert set(bundle.calibration["units"]) == set(bundle.scale.unit_keys)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused(copy: Path, name: str) -> None:
    with (copy / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleError, match="changed after it was sealed"):
        load_bundle(copy)


def test_an_added_a_missing_and_a_linked_file_are_refused(copy: Path) -> None:
    (copy / "extra.txt").write_text("x")
    with pytest.raises(BundleError, match="changed after"):
        load_bundle(copy)
    (copy / "extra.txt").unlink()
    (copy / "extra").symlink_to(copy / "card.md")
    with pytest.raises(BundleError, match="link"):
        load_bundle(copy)
    (copy / "extra").unlink()
    (copy / "frame.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks frame\.onnx"):
        load_bundle(copy)
    with pytest.raises(BundleError, match=r"lacks frame\.onnx"):
        seal(copy)
    with pytest.raises(BundleError, match="no bundle at"):
        load_bundle(copy / "nowhere")


def test_an_unknown_format_is_refused(copy: Path) -> None:
    info = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps({**info, "format": 99}))
    seal(copy)
    with pytest.raises(BundleError, match="format 99"):
        load_bundle(copy)


def test_packing_is_reproducible_and_unpacking_gives_the_same_bundle(
    tiny_run, tmp_path: Path
) -> None:
    one, two = (pack(tiny_run.bundle, tmp_path / name) for name in ("a.tar", "b.tar"))
    assert one.read_bytes() == two.read_bytes()
    assert unpack(one, tmp_path / "out").digest == load_bundle(tiny_run.bundle).digest
    with pytest.raises(BundleError, match="not empty"):
        unpack(one, tmp_path / "out")


def archive(path: Path, entry: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w") as tar:
        entry.size = len(content) if entry.isreg() else 0
        tar.addfile(entry, io.BytesIO(content))
    return path


def test_an_archive_that_reaches_outside_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    link = tarfile.TarInfo("card.md")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    entries = [tarfile.TarInfo("../card.md"), tarfile.TarInfo("/card.md"), link,
               tarfile.TarInfo("code.py")]  # fmt: skip
    for number, entry in enumerate(entries):
        with pytest.raises(BundleError, match="does not belong in a bundle"):
            unpack(archive(tmp_path / f"{number}.tar", entry), tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert not list(tmp_path.glob(".out*"))
        assert not (tmp_path / "card.md").exists()
    with pytest.raises(BundleError, match="no complete bundle"):
        unpack(archive(tmp_path / "part.tar", tarfile.TarInfo("card.md")), tmp_path / "out")
    (tmp_path / "text.tar").write_text("hello")
    with pytest.raises(BundleError, match="no bundle archive"):
        unpack(tmp_path / "text.tar", tmp_path / "out")


def test_the_digest_file_names_the_content(tiny_run) -> None:
    assert (tiny_run.bundle / DIGEST).read_text().strip() == load_bundle(tiny_run.bundle).digest


def test_a_digest_depends_on_names_and_content_and_on_nothing_else(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, names in ((one, ("a", "b")), (two, ("b", "a"))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(f"content of {name}")
    assert compute_digest(one) == compute_digest(two)
    (two / DIGEST).write_text("not part of it")
    assert compute_digest(one) == compute_digest(two)
    (two / "a").rename(two / "c")
    assert compute_digest(one) != compute_digest(two)
    assert file_digest(one / "a") == file_digest(two / "c")
