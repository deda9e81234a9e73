"""The polite refusal of a file that no format knows: what it seems to be, what was recognised."""

from __future__ import annotations

from curation.labels.columns import recognise_columns
from curation.labels.hdf5 import opened
from curation.labels.mapping import Mapping
from curation.labels.rows import UnknownFormat
from curation.labels.source import Source
from curation.labels.words import OTHER_SCALES, normal


def what_was_recognised(source: Source, mapping: Mapping) -> str:
    """Return the sentences that refuse a file; never raises for bad content."""
    try:
        if source.kind == "hdf5":
            return _hdf5(source)
        if source.kind == "folder":
            return (
                f"{source.name} is a folder without pictures in folders of its own. Name the label "
                "files in it one by one, or sort the pictures into one folder per class."
            )
        if source.kind == "json":
            return (
                f"{source.name} is JSON, but no score or box was recognised in it. Needed is an "
                "object keyed by picture, whose entries have units named as in the scale or a box."
            )
        return _table(source, mapping)
    except UnknownFormat as refused:
        return refused.sentence


def _table(source: Source, mapping: Mapping) -> str:
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    known = [
        f"“{header[:40]}” as {what}" for header, what in columns.described(sheet, source.scale)
    ]
    seen = f"Recognised: {', '.join(known)}. " if known else "No column was recognised. "
    for header in sheet.header:
        if other := OTHER_SCALES.get(normal(header)):
            return (
                f"{source.name} is no score sheet that can be read: the column “{header}” is that "
                f"of {other}, whose units are others. {seen}If it holds grades of mice, say which "
                "columns they are."
            )
    return (
        f"{source.name} is no score sheet that can be read. {seen}Needed are a column with the "
        "file name, one column per unit named as in the scale and, with several raters, a rater "
        "column or the rater's number after the unit."
    )


def _hdf5(source: Source) -> str:
    with opened(source.path, source.name) as file:
        names = file.names()
        pose = file.array("poseest/points") if "poseest" in names else None
    if pose is not None:
        return (
            f"{source.name} is a JABS pose file ({len(pose)} frames). Its body points say nothing "
            "about the face; send score sheets, or landmarks of DeepLabCut or SLEAP."
        )
    held = ", ".join(f"“{one[:40]}”" for one in names[:5]) or "nothing"
    return (
        f"{source.name} is an HDF5 file with {held} in it; landmarks of DeepLabCut and SLEAP are "
        "read. Export it as one of them, or as CSV."
    )
