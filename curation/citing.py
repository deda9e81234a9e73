"""How a version of a dataset is cited: a sentence, BibTeX, RIS, schema.org and DataCite.

Every form comes from the one record `Cited`, so that they cannot differ. What left the site keeps
its citation; all forms then say that it left, when and why. Rendered data (the phantom) are marked
in every form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from curation.contributors import AUTHOR, BY_KEY, ORCID_ORG, Contributor
from curation.licences import LICENCES

PUBLISHER = "aMGS"
KIND = "Recordings of mice with grimace grades"
PHANTOM_NOTE = "Rendered phantom data: they show no animal."
LEFT = {"withdrawn": "Withdrawn", "retracted": "Retracted"}
SUFFIX = re.compile(r"[^a-z0-9.-]")


@dataclass(frozen=True)
class Cited:
    """What a citation says of a version, ready for every form of it."""

    identifier: str
    """Ours, such as `AMGS-000123/2`."""
    number: int
    title: str
    lab: str
    url: str
    """The page of the version, which stays whatever becomes of the data."""
    description: str = ""
    institution: str = ""
    published: date | None = None
    licence: str = ""
    doi: str = ""
    funder: str = ""
    keywords: tuple[str, ...] = ()
    contributors: tuple[Contributor, ...] = ()
    """Who made it; the lab is cited where there is no author among them."""
    phantom: bool = False
    previous: str = ""
    """DOI or page of the version before, where there is one."""
    state: str = "published"
    left: date | None = None
    """The day it was withdrawn or retracted."""
    why_left: str = ""

    @property
    def link(self) -> str:
        """The address that a citation ends with: the DOI's, or our page's."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url

    @property
    def authors(self) -> tuple[Contributor, ...]:
        """The people whom a citation names, in the order given."""
        return tuple(row for row in self.contributors if row.role == AUTHOR)

    @property
    def by(self) -> tuple[str, ...]:
        """The names that a citation begins with: those of the authors, or the lab's."""
        return tuple(row.name for row in self.authors) or (self.lab,)

    @property
    def year(self) -> str:
        """The year of publication, or that there is none yet."""
        return str(self.published.year) if self.published else "unpublished"

    @property
    def notes(self) -> tuple[str, ...]:
        """What every form adds where it is true: that it is phantom, that it left."""
        found = [PHANTOM_NOTE] if self.phantom else []
        if self.state in LEFT:
            found.append(left_note(self))
        return tuple(found)


def left_note(cited: Cited) -> str:
    """Return the sentence that says that a version was withdrawn or retracted, when and why."""
    when = f" on {cited.left.day} {cited.left:%B %Y}" if cited.left else ""
    why = f": {cited.why_left.strip()}" if cited.why_left.strip() else ""
    return f"{LEFT[cited.state]}{when}{why}".rstrip(".") + "."


def doi_of(prefix: str, identifier: str) -> str:
    """Return the DOI of an identifier: `AMGS-000123/2` → `10.1234/amgs-000123.2`."""
    return f"{prefix}/{SUFFIX.sub('-', identifier.lower().replace('/', '.'))}"


def sentence(cited: Cited) -> str:
    """Return the citation as a reference list has it."""
    parts = [
        f"{'; '.join(cited.by)} ({cited.year}).",
        f"{cited.title.rstrip('.')} (version {cited.number}, {cited.identifier}) [Data set].",
        f"{PUBLISHER}.",
        *([cited.link] if cited.published or cited.doi else []),
    ]
    return " ".join([*parts, *cited.notes])


def bibtex(cited: Cited) -> str:
    """Return the citation for BibTeX and BibLaTeX."""
    rows = {
        "author": " and ".join(_tex_author(cited)),
        "title": "{" + _tex(cited.title) + "}",
        "year": str(cited.published.year) if cited.published else "",
        "publisher": PUBLISHER,
        "version": str(cited.number),
        "number": cited.identifier,
        "doi": cited.doi,
        "url": cited.link,
        "note": " ".join(_tex(note) for note in cited.notes),
    }
    body = "".join(f"  {key} = {{{value}}},\n" for key, value in rows.items() if value)
    return f"@dataset{{{re.sub('[^A-Za-z0-9]', '', cited.identifier)},\n{body}}}\n"


_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
}


def _tex(text: str) -> str:
    return "".join(_TEX.get(sign, sign) for sign in _line(text))


def _tex_author(cited: Cited) -> list[str]:
    """Return the names as BibTeX takes them apart; what has no given name stays whole."""
    if not cited.authors:
        return ["{" + _tex(cited.lab) + "}"]
    found = []
    for person in cited.authors:
        family, given = (_tex(part) for part in person.parts)
        found.append(f"{{{family}}}, {{{given}}}" if given else f"{{{family}}}")
    return found


def _line(text: str) -> str:
    """Return a text on one line, without control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def ris(cited: Cited) -> str:
    """Return the citation for reference managers (RIS)."""
    rows = [
        ("TY", "DATA"),
        *(("AU", name) for name in cited.by),
        ("TI", cited.title),
        ("PY", str(cited.published.year) if cited.published else ""),
        ("DA", f"{cited.published:%Y/%m/%d}" if cited.published else ""),
        ("PB", PUBLISHER),
        ("ET", str(cited.number)),
        ("AN", cited.identifier),
        ("DO", cited.doi),
        ("UR", cited.link),
        ("AB", cited.description),
        *(("KW", word) for word in cited.keywords),
        *(("N1", note) for note in cited.notes),
    ]
    body = "".join(f"{tag}  - {_line(value)}\r\n" for tag, value in rows if _line(value))
    return f"{body}ER  - \r\n"


def schema_org(cited: Cited) -> dict[str, Any]:
    """Return the schema.org `Dataset` that search engines read off the page (JSON-LD)."""
    found: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "@id": cited.link,
        "name": cited.title,
        "description": " ".join(
            [cited.description or f"{KIND}: {cited.title}.", *cited.notes]
        ).strip(),
        "identifier": [cited.identifier, *([f"doi:{cited.doi}"] if cited.doi else [])],
        "url": cited.url,
        "version": str(cited.number),
        "creator": creators(cited),
        "publisher": {"@type": "Organization", "name": PUBLISHER},
        "isAccessibleForFree": True,
        "citation": sentence(cited),
        "creativeWorkStatus": cited.state.capitalize(),
    }
    if cited.licence in LICENCES:
        found["license"] = LICENCES[cited.licence].url
    if cited.published:
        found["datePublished"] = cited.published.isoformat()
    if cited.keywords:
        found["keywords"] = list(cited.keywords)
    if others := [_role(row) for row in cited.contributors if row.role != AUTHOR]:
        found["contributor"] = others
    if cited.funder:
        found["funder"] = {"@type": "Organization", "name": cited.funder}
    if cited.previous:
        found["isBasedOn"] = cited.previous
    return found


def creators(cited: Cited) -> list[dict[str, Any]] | dict[str, Any]:
    """Return the authors as schema.org's people, or the lab as its organization."""
    lab: dict[str, Any] = {"@type": "Organization", "name": cited.lab}
    if cited.institution:
        lab["parentOrganization"] = {"@type": "Organization", "name": cited.institution}
    return [_person(row) | {"affiliation": lab} for row in cited.authors] or lab


def _person(row: Contributor) -> dict[str, Any]:
    found: dict[str, Any] = {"@type": "Person", "name": row.name}
    family, given = row.parts
    if given:
        found |= {"name": f"{given} {family}", "givenName": given, "familyName": family}
    if row.orcid:
        found |= {"@id": row.orcid_url, "identifier": row.orcid_url}
    return found


def _role(row: Contributor) -> dict[str, Any]:
    """Return somebody with what they did (https://schema.org/Role)."""
    return {"@type": "Role", "roleName": row.role_title, "contributor": _person(row)}


def _datacite_person(cited: Cited, row: Contributor) -> dict[str, Any]:
    family, given = row.parts
    found: dict[str, Any] = {
        "name": row.name,
        "nameType": "Personal",
        "affiliation": [{"name": cited.institution or cited.lab}],
        "nameIdentifiers": [],
    }
    if given:
        found |= {"givenName": given, "familyName": family}
    if row.orcid:
        found["nameIdentifiers"] = [
            {
                "nameIdentifier": row.orcid_url,
                "nameIdentifierScheme": "ORCID",
                "schemeUri": ORCID_ORG.rstrip("/"),
            }
        ]
    return found


def _datacite_people(cited: Cited) -> dict[str, list[dict[str, Any]]]:
    """Return the creators and the contributors; beside authors the lab is one of the latter."""
    lab: dict[str, Any] = {
        "name": cited.lab,
        "nameType": "Organizational",
        "affiliation": [{"name": cited.institution}] if cited.institution else [],
    }
    authors = [_datacite_person(cited, row) for row in cited.authors]
    others = [
        _datacite_person(cited, row) | {"contributorType": BY_KEY[row.role].datacite}
        for row in cited.contributors
        if row.role != AUTHOR
    ]
    if authors:
        others.append(lab | {"contributorType": "ResearchGroup"})
    return {"creators": authors or [lab], "contributors": others}


def datacite(cited: Cited, doi: str) -> dict[str, Any]:
    """Return the body for DataCite's REST API that makes or changes a DOI.

    What was withdrawn is hidden from DataCite's search; the DOI still leads to its page, which
    says so. What was retracted stays to be found, with the note before its description.
    """
    rights: list[Mapping[str, str]] = []
    if cited.licence in LICENCES:
        licence = LICENCES[cited.licence]
        rights = [
            {
                "rights": licence.title,
                "rightsUri": licence.url,
                "rightsIdentifier": cited.licence,
                "rightsIdentifierScheme": "SPDX",
            }
        ]
    dates: list[Mapping[str, str]] = []
    if cited.published:
        dates.append({"date": cited.published.isoformat(), "dateType": "Issued"})
    if cited.left:
        dates.append(
            {
                "date": cited.left.isoformat(),
                "dateType": "Withdrawn",
                "dateInformation": left_note(cited),
            }
        )
    return {
        "data": {
            "type": "dois",
            "id": doi,
            "attributes": {
                "doi": doi,
                "event": "hide" if cited.state == "withdrawn" else "publish",
                "url": cited.url,
                **_datacite_people(cited),
                "titles": [{"title": _title(cited)}],
                "publisher": {"name": PUBLISHER},
                "publicationYear": cited.published.year if cited.published else None,
                "types": {"resourceTypeGeneral": "Dataset", "resourceType": KIND},
                "version": str(cited.number),
                "language": "en",
                "rightsList": rights,
                "descriptions": [
                    {
                        "description": " ".join([*cited.notes, cited.description]).strip()
                        or cited.title,
                        "descriptionType": "Abstract",
                    }
                ],
                "dates": dates,
                "subjects": [{"subject": word} for word in cited.keywords],
                "identifiers": [
                    {"identifier": cited.identifier, "identifierType": PUBLISHER},
                ],
                "fundingReferences": [{"funderName": cited.funder}] if cited.funder else [],
                "relatedIdentifiers": _previous(cited),
                "schemaVersion": "http://datacite.org/schema/kernel-4",
            },
        }
    }


def _title(cited: Cited) -> str:
    return f"{LEFT[cited.state]}: {cited.title}" if cited.state in LEFT else cited.title


def _previous(cited: Cited) -> list[dict[str, str]]:
    if not cited.previous:
        return []
    kind = "URL" if "://" in cited.previous else "DOI"
    return [
        {
            "relatedIdentifier": cited.previous,
            "relatedIdentifierType": kind,
            "relationType": "IsNewVersionOf",
        }
    ]
