"""A version as Croissant metadata, which programs that train models load data by.

Format: http://mlcommons.org/croissant/1.0. The files are the recordings, each with its SHA-256,
and the table of ratings, whose columns are the fields of the one record set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from curation.citing import PUBLISHER, Cited, creators, sentence
from curation.licences import LICENCES

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES = {"text": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean"}


@dataclass(frozen=True)
class FileObject:
    """One file that the metadata name."""

    name: str
    url: str
    media_type: str
    sha256: str = ""
    """Empty where the file is made when it is asked for."""
    size: int | None = None


def croissant(
    cited: Cited,
    files: Iterable[FileObject],
    ratings: FileObject | None,
    columns: dict[str, tuple[str, str]],
) -> dict[str, Any]:
    """Return the metadata; `columns` are those of the ratings: name → (kind, what it means).

    Without `ratings` nothing may be downloaded, and no columns are told.
    """
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"graded/{name}",
            "name": f"graded/{name}",
            "description": meaning,
            "dataType": TYPES[kind],
            "source": {"fileObject": {"@id": "ratings"}, "extract": {"column": name}},
        }
        for name, (kind, meaning) in columns.items()
    ]
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": cited.identifier.replace("/", "."),
        "alternateName": cited.title,
        "description": " ".join([cited.description or cited.title, *cited.notes]).strip(),
        "citeAs": sentence(cited),
        "url": cited.url,
        "version": f"{cited.number}.0.0",
        "creator": creators(cited),
        "publisher": {"@type": "Organization", "name": PUBLISHER},
        "isLiveDataset": True,  # the table of ratings is made when it is asked for
        "distribution": [
            _file(f"recordings/{number:06d}", row) for number, row in enumerate(files, start=1)
        ]
        + ([_file("ratings", ratings)] if ratings else []),
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "graded",
                "name": "graded",
                "description": "One row per rater, frame and action unit.",
                "field": fields,
            }
        ]
        if ratings
        else [],
    }
    if cited.licence in LICENCES:
        found["license"] = LICENCES[cited.licence].url
    if cited.published:
        found["datePublished"] = cited.published.isoformat()
    if cited.keywords:
        found["keywords"] = list(cited.keywords)
    return found


def _file(key: str, row: FileObject) -> dict[str, Any]:
    found = {
        "@type": "cr:FileObject",
        "@id": key,
        "name": row.name,
        "contentUrl": row.url,
        "encodingFormat": row.media_type,
    }
    if row.sha256:
        found["sha256"] = row.sha256
    if row.size is not None:
        found["contentSize"] = f"{row.size} B"
    return found
