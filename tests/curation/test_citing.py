"""Every form of a citation says the same, and none hides what left or what is rendered."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.citing import (
    PHANTOM_NOTE,
    Cited,
    bibtex,
    datacite,
    doi_of,
    ris,
    schema_org,
    sentence,
)
from curation.contributors import Contributor
from curation.croissant import CONTEXT, FileObject, croissant

ONE = Cited(
    identifier="AMGS-000123/2",
    number=2,
    title="Grimace & whiskers, 50 % of it",
    lab="Harbour",
    institution="Test University",
    url="https://amgs.example/datasets/AMGS-000123.2/",
    description="Mice after laparotomy.",
    published=date(2026, 3, 5),
    licence="CC-BY-4.0",
    doi="10.1234/amgs-000123.2",
    keywords=("mouse", "CD-1"),
)

PEOPLE = replace(
    ONE,
    contributors=(
        Contributor("Arber, Alice", "0000-0002-1825-0097"),
        Contributor("The Ridge group"),
        Contributor("Baum & Sons, Bob", "0000-0002-1694-233X", "data_collector"),
    ),
)


def test_authors_are_named_everywhere_and_all_others_where_there_is_a_place_for_them() -> None:
    assert sentence(PEOPLE).startswith("Arber, Alice; The Ridge group (2026). ")
    assert "author = {{Arber}, {Alice} and {The Ridge group}}" in bibtex(PEOPLE)
    lines = ris(PEOPLE).split("\r\n")
    assert [line for line in lines if line.startswith("AU")] == [
        "AU  - Arber, Alice",
        "AU  - The Ridge group",
    ]
    found = schema_org(PEOPLE)
    assert [row["name"] for row in found["creator"]] == ["Alice Arber", "The Ridge group"]
    assert found["creator"][0]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert found["creator"][0]["affiliation"]["name"] == "Harbour"
    assert "@id" not in found["creator"][1]
    [role] = found["contributor"]
    assert (role["roleName"], role["contributor"]["familyName"]) == (
        "Did the experiment and filmed",
        "Baum & Sons",
    )
    assert croissant(PEOPLE, [], None, {})["creator"] == found["creator"]


def test_datacite_learns_names_identifiers_and_roles() -> None:
    said = datacite(PEOPLE, PEOPLE.doi)["data"]["attributes"]
    assert said["creators"][0] == {
        "name": "Arber, Alice",
        "nameType": "Personal",
        "givenName": "Alice",
        "familyName": "Arber",
        "affiliation": [{"name": "Test University"}],
        "nameIdentifiers": [
            {
                "nameIdentifier": "https://orcid.org/0000-0002-1825-0097",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ],
    }
    assert [(row["name"], row["contributorType"]) for row in said["contributors"]] == [
        ("Baum & Sons, Bob", "DataCollector"),
        ("Harbour", "ResearchGroup"),
    ]
    alone = datacite(ONE, ONE.doi)["data"]["attributes"]
    assert [row["name"] for row in alone["creators"]] == ["Harbour"]
    assert alone["contributors"] == []


def test_the_sentence_names_who_when_what_and_where() -> None:
    assert sentence(ONE) == (
        "Harbour (2026). Grimace & whiskers, 50 % of it (version 2, AMGS-000123/2) [Data set]. "
        "aMGS. https://doi.org/10.1234/amgs-000123.2"
    )
    assert sentence(replace(ONE, doi="")).endswith(ONE.url)
    assert "(unpublished)" in sentence(replace(ONE, published=None, doi=""))


def test_bibtex_escapes_what_latex_reads() -> None:
    text = bibtex(ONE)
    assert text.startswith("@dataset{AMGS0001232,\n")
    assert r"title = {{Grimace \& whiskers, 50 \% of it}}" in text
    assert "doi = {10.1234/amgs-000123.2}" in text
    assert text.count("{") == text.count("}")


def test_ris_is_lines_of_tags_that_end() -> None:
    lines = ris(ONE).split("\r\n")
    assert lines[0] == "TY  - DATA"
    assert lines[-2:] == ["ER  - ", ""]
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines[:-1])
    assert "PY  - 2026" in lines
    assert [line for line in lines if line.startswith("KW")] == ["KW  - mouse", "KW  - CD-1"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_title_breaks_a_form(title: str, lab: str) -> None:
    cited = replace(ONE, title=title, lab=lab, description=title)
    assert bibtex(cited).count("\n}") == 1
    assert ris(cited).count("\r\n") == len(ris(cited).splitlines())
    json.dumps(datacite(cited, cited.doi)).encode()


@pytest.mark.parametrize(
    "write", [sentence, bibtex, ris, lambda cited: json.dumps(schema_org(cited))]
)
def test_every_form_says_that_it_is_phantom_and_that_it_left(write) -> None:
    left = replace(
        ONE, phantom=True, state="withdrawn", left=date(2026, 5, 3), why_left="The owner asked."
    )
    text = write(left)
    assert PHANTOM_NOTE in text
    assert "Withdrawn on 3 May 2026: The owner asked." in text


def test_datacite_hides_what_was_withdrawn_and_marks_what_was_retracted() -> None:
    def told(state: str):
        row = replace(ONE, state=state, left=date(2026, 5, 3) if state != "published" else None)
        return datacite(row, ONE.doi)["data"]["attributes"]

    assert told("published")["event"] == "publish"
    assert told("published")["titles"] == [{"title": ONE.title}]
    assert told("withdrawn")["event"] == "hide"
    assert told("retracted")["event"] == "publish"
    assert told("retracted")["titles"] == [{"title": f"Retracted: {ONE.title}"}]
    assert told("retracted")["dates"][1]["dateType"] == "Withdrawn"
    assert told("published")["publicationYear"] == 2026
    assert told("published")["rightsList"][0]["rightsIdentifier"] == "CC-BY-4.0"


def test_a_doi_is_made_of_prefix_and_identifier() -> None:
    assert doi_of("10.1234", "AMGS-000123/2") == "10.1234/amgs-000123.2"


def test_schema_org_has_what_search_engines_ask_for() -> None:
    found = schema_org(ONE)
    assert {"name", "description", "license", "creator", "url", "identifier"} <= set(found)
    assert len(found["description"]) >= 20
    assert found["license"] == "https://creativecommons.org/licenses/by/4.0/"


def test_croissant_names_files_with_digests_and_columns_of_the_ratings() -> None:
    files = [FileObject("a.mp4", "https://amgs.example/a", "video/mp4", "0" * 64, 17)]
    ratings = FileObject("ratings.csv", "https://amgs.example/r", "text/csv")
    found = croissant(ONE, files, ratings, {"grade": ("integer", "the grade")})
    assert found["@context"] == CONTEXT
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    objects = {row["@id"]: row for row in found["distribution"]}
    assert objects["recordings/000001"]["sha256"] == "0" * 64
    assert objects["recordings/000001"]["contentSize"] == "17 B"
    # What has no digest is only allowed in a live dataset.
    assert found["isLiveDataset"]
    assert "sha256" not in objects["ratings"]
    (records,) = found["recordSet"]
    ids = [records["@id"], *objects, *(field["@id"] for field in records["field"])]
    assert len(ids) == len(set(ids))
    for field in records["field"]:
        assert field["source"]["fileObject"]["@id"] in objects
        assert field["dataType"].startswith("sc:")
