"""The released artefact: a folder of graphs, weights, scale, calibration, report and a digest.

Nothing in a bundle runs code, and no file in it is a pickle. The files are listed in
`docs/reference/bundle.md`; `load_bundle` refuses a folder that is not exactly what was sealed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.config import ConfigError, CropConfig, RunConfig, load_config
from models.scale import Scale, ScaleError, read_scale

FORMAT = 3
DIGEST = "DIGEST"
GRAPHS = ("finder", "eyes", "frame", "temporal")
"""The graphs of a bundle, each in a file `<name>.onnx`."""
FILES = (
    "bundle.json",
    *(f"{name}.onnx" for name in GRAPHS),
    "weights.safetensors",
    "config.yaml",
    "scale.toml",
    "calibration.json",
    "report.json",
    "report.html",
    "card.md",
)
JUDGEMENT = ("report.json", "report.html", "card.md")
"""Files that training leaves out: they come with the evaluation (`models.finishing`)."""
FROM_TRAINING = tuple(name for name in FILES if name not in JUDGEMENT)
SHIPPED = Path(__file__).parent / "bundles"
CHUNK = 1 << 20
MOST_BYTES = 512 << 20


class BundleError(ValueError):
    """A bundle is missing, incomplete, changed or of another format; `str()` says which."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle."""

    path: Path
    digest: str
    info: dict[str, Any]
    report: dict[str, Any]
    scale: Scale
    calibration: dict[str, Any]
    config: RunConfig

    @property
    def phantom(self) -> bool:
        """Whether any of it rests on phantom data."""
        return bool(self.info["phantom"])

    @property
    def training(self) -> dict[str, Any]:
        """How it was trained; a bundle made by an earlier program says so in its report alone."""
        told = self.info.get("training") or self.report.get("training") or {}
        return dict(told)

    @property
    def crop(self) -> CropConfig:
        """How faces were cut for this bundle."""
        return self.config.crop


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def compute_digest(folder: Path) -> str:
    """SHA-256 over the sorted lines `name digest` of every file of a folder but DIGEST itself."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise BundleError(f"The bundle holds a link ({name}); only plain files are allowed.")
        if path.is_file() and name != DIGEST:
            digest.update(f"{name} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def seal(folder: Path, files: Sequence[str] = FILES) -> str:
    """Write the digest of a finished bundle, or of what training leaves, and return it."""
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        raise BundleError(f"The bundle lacks {', '.join(missing)}.")
    value = compute_digest(folder)
    (folder / DIGEST).write_text(f"{value}\n", encoding="ascii")
    return value


def load_bundle(path: Path | str, *, judged: bool = True) -> Bundle:
    """Read and verify a bundle; raises BundleError. Runs no code of the bundle's.

    Unless `judged`, what training left is taken too: a bundle whose report is still empty.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise BundleError(f"There is no bundle at {folder}.")
    needed = FILES if judged or (folder / "report.json").is_file() else FROM_TRAINING
    missing = [name for name in (*needed, DIGEST) if not (folder / name).is_file()]
    if missing:
        raise BundleError(f"{folder.name} is no complete bundle: it lacks {', '.join(missing)}.")
    stated = (folder / DIGEST).read_text(encoding="ascii", errors="replace").strip()
    if compute_digest(folder) != stated:
        raise BundleError(
            f"{folder.name} was changed after it was sealed; fetch it again from its source."
        )
    info = _json(folder / "bundle.json")
    if info.get("format") != FORMAT:
        raise BundleError(
            f"{folder.name} has format {info.get('format')}, this program reads {FORMAT}; "
            "use the program version that made it."
        )
    try:
        scale = read_scale(folder / "scale.toml")
        config = load_config(folder / "config.yaml")
    except (ScaleError, ConfigError) as error:
        raise BundleError(f"{folder.name}: {error}") from error
    return Bundle(
        path=folder,
        digest=stated,
        info=info,
        report=_json(folder / "report.json") if needed is FILES else {},
        scale=scale,
        calibration=_json(folder / "calibration.json"),
        config=config,
    )


def default_bundle() -> Bundle:
    """The bundle shipped with the program; raises BundleError where none is."""
    folders = sorted(path.parent for path in SHIPPED.glob("*/bundle.json"))
    if not folders:
        raise BundleError("No bundle is shipped with this program yet; name one with --bundle.")
    return load_bundle(folders[-1])


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{path.name} of the bundle is no JSON.") from error
    if not isinstance(data, dict):
        raise BundleError(f"{path.name} of the bundle is no JSON object.")
    return data


def pack(folder: Path, archive: Path) -> Path:
    """Put a verified bundle into a plain tar whose bytes depend on the content alone."""
    load_bundle(folder)
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_name(f".{archive.name}.{os.getpid()}")
    with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    unfinished.replace(archive)
    return archive


def unpack(archive: Path, folder: Path) -> Bundle:
    """Take a bundle out of a tar and verify it; nothing is left in `folder` where it is refused.

    Refuses links, devices, absolute and upward paths, unknown files and more than 512 MiB.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BundleError(f"{folder} is not empty; choose another folder for the bundle.")
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        _extract(archive, unfinished)
        load_bundle(unfinished)
        if folder.exists():
            folder.rmdir()
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return load_bundle(folder)


def _extract(archive: Path, folder: Path) -> None:
    allowed = {*FILES, DIGEST}
    room = MOST_BYTES
    try:
        with tarfile.open(archive, "r:") as tar:
            for entry in tar:
                room -= entry.size
                if not entry.isreg() or entry.name not in allowed or room < 0:
                    raise BundleError(
                        f"{archive.name} holds “{entry.name}”, which does not belong in a bundle."
                    )
                source = tar.extractfile(entry)
                if source is None:
                    raise BundleError(f"“{entry.name}” of {archive.name} cannot be read.")
                with (folder / entry.name).open("wb") as target:
                    shutil.copyfileobj(source, target, CHUNK)
    except (OSError, tarfile.TarError) as error:
        raise BundleError(f"{archive.name} is no bundle archive: {error}.") from error
