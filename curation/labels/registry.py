"""The formats that are known: ours and those of installed plug-ins, by the same door.

A plug-in is a package with an entry point of the group `amgs.labels` that names a `Format`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from curation.labels.mapping import Format, Guess, Mapping
from curation.labels.rows import Labels, UnknownFormat
from curation.labels.source import Source

GROUP = "amgs.labels"
BUILT_IN = tuple(
    EntryPoint(name, f"curation.labels.{name}:FORMAT", GROUP)
    for name in (
        "wide",
        "long",
        "observations",
        "program",
        "boxes",
        "folders",
        "deeplabcut",
        "sleap",
    )
)
"""As entry points, so that nothing can be done to ours that a stranger's cannot have."""


@cache
def formats() -> tuple[Format, ...]:
    """Return all formats, ours first; a plug-in that cannot be loaded or repeats a key is left out.

    What was left out is in :func:`refused_plugins`.
    """
    return _loaded()[0]


@cache
def refused_plugins() -> tuple[str, ...]:
    """Return a sentence about every plug-in that was left out."""
    return _loaded()[1]


def _loaded() -> tuple[tuple[Format, ...], tuple[str, ...]]:
    found: dict[str, Format] = {}
    refused = []
    for entry in (*BUILT_IN, *sorted(entry_points(group=GROUP), key=lambda entry: entry.name)):
        try:
            form = entry.load()
        except Exception as error:  # a stranger's module may raise anything
            refused.append(f"The plug-in “{entry.name}” cannot be loaded ({error}).")
            continue
        if not isinstance(form, Format):
            refused.append(f"The plug-in “{entry.name}” is no Format; see the reference.")
        elif form.key in found:
            refused.append(f"The plug-in “{entry.name}” repeats the format “{form.key}”.")
        else:
            found[form.key] = form
    return tuple(found.values()), tuple(refused)


def guess_of(form: Format, source: Source, mapping: Mapping) -> Guess | None:
    """Ask a format about a file; a plug-in that fails recognises nothing."""
    try:
        return form.recognises(source, mapping)
    except UnknownFormat:
        raise
    except Exception:
        if _is_ours(form):
            raise
        return None


def read_by(form: Format, source: Source, mapping: Mapping) -> Labels:
    """Have a format read a file; raises `UnknownFormat` also where a plug-in fails."""
    try:
        return form.read(source, mapping)
    except UnknownFormat:
        raise
    except Exception as error:
        if _is_ours(form):
            raise
        raise UnknownFormat(
            f"{source.name} cannot be read: the plug-in “{form.key}” failed ({error}). Tell its "
            "maker."
        ) from error


def _is_ours(form: Format) -> bool:
    return form.key in {entry.name for entry in BUILT_IN}
