"""Versions taken home: the zip with its manifest, ratings as CSV and Parquet, for whom and what."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from hashlib import sha256

import pyarrow.parquet as pq
import pytest
from django.test import Client
from django.utils import timezone

from amgs.repository.models import Exclusion, Permission, Rating, Recording, Version


@pytest.fixture
def read(token_of):
    """GET an address of the API as a person (or as nobody) and return the answer."""

    def get(path: str, user=None, expect: int = 200):
        headers = {"Authorization": f"Bearer {token_of(user)}"} if user else {}
        answer = Client(headers=headers).get(f"/api/versions/{path}")
        assert answer.status_code == expect, answer.content
        return answer

    return get


@pytest.fixture
def public(draft):
    """A version that is published, with one animal, two recordings and two raters."""
    version = draft(animals=1, licence="CC-BY-4.0")
    _publish()
    version.refresh_from_db()
    return version


def _publish() -> None:
    """Publish what there is; nothing of it can be changed from then on."""
    Version.objects.update(state="published", published_at=timezone.now())


def _bytes(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_the_zip_is_whole_and_its_manifest_names_every_file(public, read):
    answer = read("AMGS-000001.1/export.zip")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="AMGS-000001.1.zip"'
    with zipfile.ZipFile(io.BytesIO(_bytes(answer))) as held:
        assert held.testzip() is None
        told = json.loads(held.read("manifest.json"))
        files = {row["path"]: row for row in told["files"]}
        assert set(files) | {"manifest.json"} == set(held.namelist())
        for path, row in files.items():
            data = held.read(path)
            assert (len(data), sha256(data).hexdigest()) == (row["size"], row["sha256"])
        readme = held.read("README.txt").decode()
        design = json.loads(held.read("dataset.json"))
    assert told["version"] == "AMGS-000001/1"
    assert told["licence"]["identifier"] == "CC-BY-4.0"
    assert told["phantom"] is True
    for text in (told["citation"], readme):
        assert "AMGS-000001/1" in text
        assert "Rendered phantom data" in text
    assert "creativecommons.org/licenses/by/4.0" in readme
    # Others than the lab get copies and pseudonyms.
    films = [row for row in told["files"] if row["path"].startswith("recordings/")]
    originals = set(Recording.objects.values_list("blob__sha256", flat=True))
    assert {row["derived_from"] for row in films} == originals
    assert [row["name"] for row in design["design"]["animals"]] == ["M001"]


def test_the_lab_takes_home_its_originals_and_names(public, read, clip, alice):
    with zipfile.ZipFile(io.BytesIO(_bytes(read("AMGS-000001.1/export.zip", alice)))) as held:
        assert held.read("recordings/r0001.mp4") == clip(1)
        design = json.loads(held.read("dataset.json"))
    assert [row["name"] for row in design["design"]["animals"]] == ["m1"]


def test_a_recording_without_a_copy_is_named_as_left_out(public, read):
    row = Recording.objects.first()
    Recording.objects.filter(pk=row.pk).update(public={"refusal": "No copy can be made."})
    told = read("AMGS-000001.1/manifest").json()
    assert told["left_out"] == [{"name": row.name, "why": "No copy can be made."}]
    assert row.name not in {file["path"].rpartition("/")[2] for file in told["files"]}


def test_a_damaged_file_breaks_the_zip_instead_of_going_out(public, read):
    from amgs.files.storage import get_storage
    from amgs.repository.archive import Changed

    get_storage().put(Recording.objects.first().public["key"], b"something else")
    answer = read("AMGS-000001.1/export.zip")
    with pytest.raises(Changed, match="changed in the storage"):
        _bytes(answer)


def test_a_name_cannot_lead_out_of_the_folder(public):
    from amgs.repository.archive import place

    row = Recording.objects.first()
    for name in ("../../etc/passwd", "/etc/passwd", "C:\\x\\y.mp4", "a/../../b.mp4", ".."):
        row.name = name
        parts = place(row).split("/")
        assert parts[0] == "recordings"
        assert not {"..", "", "C:"} & set(parts)
    row.name = "day 2/m1.mp4"
    assert place(row) == "recordings/day 2/m1.mp4"


def test_ratings_as_csv_carry_licence_version_and_what_is_rendered(public, read, alice):
    text = _bytes(read("AMGS-000001.1/ratings.csv")).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == Rating.objects.count() == 2 * 2 * 2 * 5
    assert {row["version"] for row in rows} == {"AMGS-000001/1"}
    assert {row["licence"] for row in rows} == {"CC-BY-4.0"}
    assert {row["phantom"] for row in rows} == {"true"}
    assert {row["blind"] for row in rows} == {"yes"}
    assert {row["animal"] for row in rows} == {"M001"}
    raters = {row["rater"] for row in rows}
    assert len(raters) == 2
    assert all(name.startswith("r-") for name in raters)
    again = _bytes(read("AMGS-000001.1/ratings.csv")).decode()
    assert text == again
    own = list(
        csv.DictReader(io.StringIO(_bytes(read("AMGS-000001.1/ratings.csv", alice)).decode()))
    )
    assert {row["rater"] for row in own} == {"1", "2"}
    assert {row["animal"] for row in own} == {"m1"}


def test_parquet_says_the_same_with_types_and_a_citation(public, read):
    rows = list(csv.DictReader(io.StringIO(_bytes(read("AMGS-000001.1/ratings.csv")).decode())))
    file = pq.ParquetFile(io.BytesIO(_bytes(read("AMGS-000001.1/ratings.parquet"))))
    table = file.read().to_pylist()
    assert len(table) == len(rows)
    for one, other in zip(table, rows, strict=True):
        assert str(one["grade"]) == other["grade"]
        assert (one["unit"], one["recording"]) == (other["unit"], other["recording"])
        assert one["phantom"] is True
    told = json.loads(file.schema_arrow.metadata[b"amgs"])
    assert told["version"] == "AMGS-000001/1"
    assert told["licence"] == "CC-BY-4.0"
    assert told["phantom"] is True
    assert "AMGS-000001/1" in told["citation"]


def test_an_empty_table_is_still_one(draft, read, alice):
    draft(animals=1, grades=False)
    file = pq.ParquetFile(io.BytesIO(_bytes(read("AMGS-000001.1/ratings.parquet", alice))))
    assert file.metadata.num_rows == 0
    assert _bytes(read("AMGS-000001.1/ratings.csv", alice)).startswith(b"version,licence,phantom,")


def test_frames_that_are_not_in_the_version_have_no_ratings_in_it(draft, read):
    version = draft(animals=1, licence="CC-BY-4.0")
    frame = Rating.objects.first().frame
    Exclusion.objects.create(version=version, frame=frame, reason="blurred")
    _publish()
    rows = list(csv.DictReader(io.StringIO(_bytes(read("AMGS-000001.1/ratings.csv")).decode())))
    assert len(rows) == Rating.objects.exclude(frame=frame).count()


def test_an_audit_stays_unseen_until_the_version_is_public(draft, read, alice, rita):
    version = draft(animals=1)
    sheet = Rating.objects.first()
    Rating.objects.create(
        frame=sheet.frame,
        unit=sheet.unit,
        grade=1,
        rater=rita,
        rater_name=rita.name,
        source=Rating.Source.AUDIT,
    )

    def sources() -> set[str]:
        text = _bytes(read("AMGS-000001.1/ratings.csv", alice)).decode()
        return {row["source"] for row in csv.DictReader(io.StringIO(text))}

    assert sources() == {"sheet"}
    Version.objects.filter(pk=version.pk).update(state="published", published_at=timezone.now())
    assert sources() == {"sheet", "audit"}


@pytest.mark.parametrize("what", ["export.zip", "ratings.csv", "ratings.parquet", "manifest"])
def test_only_those_may_take_it_home_whom_the_lab_allows(draft, read, alice, bob, mia, what):
    draft(animals=1)
    name = f"AMGS-000001.1/{what}"
    read(name, alice)
    read(name, bob, expect=404)
    assert "once the dataset is published" in read(name, mia, expect=403).json()["detail"]
    Version.objects.update(state="published", published_at=timezone.now())
    read(name)
    Permission.objects.filter(kind="download").delete()
    refusal = read(name, expect=403)
    assert "please ask the lab" in refusal.json()["detail"]
    assert refusal["Content-Type"] == "application/problem+json"
    read(name, alice)
    Version.objects.update(state="withdrawn")
    read(name, bob, expect=403)


def test_who_takes_ratings_home_rates_the_dataset_no_more(public, read, rita):
    from amgs.review.models import Seen

    read("AMGS-000001.1/ratings.csv", rita)
    assert Seen.objects.filter(user=rita, dataset=public.dataset).exists()


def test_citations_are_files_and_the_page_offers_them(public, read):
    bib = read("AMGS-000001.1/citation.bib")
    assert bib["Content-Disposition"] == 'attachment; filename="AMGS-000001.1.bib"'
    assert bib.content.startswith(b"@dataset{AMGS0000011,")
    assert read("AMGS-000001.1/citation.ris").content.startswith(b"TY  - DATA\r\n")
    page = Client().get("/datasets/AMGS-000001.1/").content.decode()
    for file in ("citation.bib", "citation.ris", "croissant.json", "export.zip", "ratings.csv"):
        assert f"/api/versions/AMGS-000001.1/{file}" in page
    assert "Phantom data: these recordings are rendered" in page


def test_the_page_tells_search_engines_and_cannot_be_broken_out_of(draft):
    draft(animals=1, licence="CC-BY-4.0")
    Version.objects.update(title="</script><script>alert(1)</script>")
    _publish()
    page = Client().get("/datasets/AMGS-000001.1/").content.decode()
    start = page.index('<script type="application/ld+json">') + 35
    found = json.loads(page[start : page.index("</script>", start)])
    assert found["@type"] == "Dataset"
    assert found["name"] == "</script><script>alert(1)</script>"
    assert found["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert "<script>alert" not in page


def test_a_draft_is_not_told_to_search_engines(draft, alice):
    draft(animals=1, grades=False)
    browser = Client()
    browser.force_login(alice)
    page = browser.get("/datasets/AMGS-000001.1/").content.decode()
    assert "ld+json" not in page
    assert "this is how it will be cited" in page


def test_a_dataset_without_a_number_is_its_newest_public_version(public, alice, read):
    Version.objects.create(dataset=public.dataset, number=2, title="The next draft")
    answer = Client().get("/datasets/AMGS-000001/")
    assert (answer.status_code, answer["Location"]) == (302, "/datasets/AMGS-000001.1/")
    assert read("AMGS-000001/citation", alice).json()["identifier"] == "AMGS-000001/1"


def test_croissant_leads_to_the_files(public, read):
    told = read("AMGS-000001.1/croissant.json").json()
    films = [row for row in told["distribution"] if row["@id"].startswith("recordings/")]
    assert len(films) == 2
    path = films[0]["contentUrl"].partition("/api/versions/")[2]
    file = Client().get(read(path, expect=302)["Location"])
    assert sha256(_bytes(file)).hexdigest() == films[0]["sha256"]
    Version.objects.update(state="withdrawn")
    told = read("AMGS-000001.1/croissant.json").json()
    assert told["distribution"] == told["recordSet"] == []
    assert "Withdrawn" in told["citeAs"]


def test_croissant_promises_no_file_that_nobody_may_have(public, read):
    Permission.objects.filter(version=public, kind=Permission.Kind.DOWNLOAD).delete()
    told = read("AMGS-000001.1/croissant.json").json()
    assert told["distribution"] == told["recordSet"] == []
    read("AMGS-000001.1/ratings.csv", expect=403)
