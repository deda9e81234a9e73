"""Finding versions: by the beginnings of words, by facets, and never what is not one's to see."""

from __future__ import annotations

import pytest
from django.test import Client

from amgs.core import jobs
from amgs.repository import queries, search
from amgs.repository.models import SearchEntry, Version
from amgs.repository.services import undo_import, update_version


@pytest.fixture
def browser():
    """A browser in which somebody is signed in."""

    def make(user=None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return make


@pytest.fixture
def two(draft):
    """Two drafts of Harbour: graded films of a laparotomy, and films of nerves without grades."""
    one = draft(animals=1)
    other = draft(
        animals=2,
        grades=False,
        seed=1,
        title="Nerves, spared",
        licence="CC-BY-4.0",
        metadata={"assay": "neuropathic", "procedure": "spared_nerve_injury"},
    )
    return one, other


def _found(user, **chosen: str) -> list[str]:
    rows = search.found(queries.datasets_visible_to(user), search.check(chosen))
    return [row.identifier for row in rows.order_by("pk")]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("laparotomy", {1}),
        ("LAPAR", {1}),
        ("grimace after", {1}),
        ("after nerves", set()),
        ("spared", {2}),
        ("spared_nerve", {2}),
        ("harbour", {1, 2}),
        ("AMGS-000002", {2}),
        ("cd-1", {1, 2}),
        ("vehicle", {1, 2}),
        ("neuropathic", {2}),
        ("aparotomy", set()),
        ("m1", set()),  # the lab's own names of animals are no words
        ("", {1, 2}),
        ("%", {1, 2}),
        ("' OR 1=1 --", set()),
        ("& | ! <-> :*", {1, 2}),
    ],
)
def test_words_are_found_by_their_beginnings(two, alice, words, found):
    assert _found(alice, q=words) == [f"AMGS-{number:06d}/1" for number in sorted(found)]


def test_facets_narrow_and_count(two, alice):
    assert _found(alice, assay="neuropathic") == ["AMGS-000002/1"]
    assert _found(alice, rated="yes") == ["AMGS-000001/1"]
    assert _found(alice, rated="no", licence="CC-BY-4.0") == ["AMGS-000002/1"]
    assert _found(alice, strain="CD-1", q="nerves") == ["AMGS-000002/1"]
    assert _found(alice, state="published") == []
    assert _found(alice, lab=alice.labs.first().public_id) == ["AMGS-000001/1", "AMGS-000002/1"]
    rows = queries.datasets_visible_to(alice)
    facets = {row["key"]: row for row in search.facets(rows, {"assay": "neuropathic"})}
    assert list(facets) == list(search.FACETS)
    counts = {row["value"]: (row["count"], row["chosen"]) for row in facets["assay"]["values"]}
    # One can change one's mind: the facet's own choice does not narrow it.
    assert counts == {"post_surgical": (1, False), "neuropathic": (1, True)}
    assert [(row["value"], row["count"]) for row in facets["rated"]["values"]] == [("no", 1)]
    assert {row["title"] for row in facets["assay"]["values"]} == {"Post-surgical", "Neuropathic"}
    assert facets["lab"]["values"][0]["title"] == "Harbour"


def test_neither_lists_nor_counts_tell_of_what_is_not_ones_own(two, browser, alice, bob):
    assert _found(bob, q="harbour") == []
    assert not any(row["values"] for row in search.facets(queries.datasets_visible_to(bob), {}))
    page = browser(bob).get("/datasets/?q=harbour").content.decode()
    assert "Nothing fits" in page
    assert "CD-1" not in page


def test_what_changes_is_found_as_it_is_now(two, alice, run_jobs):
    one, _ = two
    update_version(by=alice, version=one, title="Whiskers at rest")
    assert _found(alice, q="whiskers") == ["AMGS-000001/1"]
    assert _found(alice, q="laparotomy") == []
    sheet = one.dataset.label_imports.get()
    undo_import(by=alice, version=one, label_import=sheet)
    assert _found(alice, rated="yes") == []


def test_versions_without_words_get_them_by_the_hour(two, alice, run_jobs):
    SearchEntry.objects.all().delete()
    assert _found(alice, q="harbour") == []
    jobs.enqueue("repository.index_versions")
    run_jobs()
    assert len(_found(alice, q="harbour")) == 2


def test_the_page_finds_and_says_what_it_is_narrowed_by(two, browser, alice):
    page = browser(alice).get("/datasets/?q=nerv&assay=neuropathic").content.decode()
    assert "Nerves, spared" in page
    assert "Grimace after laparotomy" not in page
    assert '<option value="neuropathic" selected>Neuropathic (1)</option>' in page
    assert "Assay: Neuropathic" in page
    assert 'href="?q=nerv"' in page  # without the choice
    empty = browser(alice).get("/datasets/?q=zebra").content.decode()
    assert "try fewer, or their beginnings" in empty
    wrong = browser(alice).get("/datasets/?state=asleep")
    assert wrong.status_code == 422
    assert "There is no state called" in wrong.content.decode()


def test_the_api_finds_the_same(two, token_of, alice):
    client = Client(headers={"Authorization": f"Bearer {token_of(alice)}"})
    rows = client.get("/api/datasets?q=nerv&rated=no&fields=identifier").json()["results"]
    assert rows == [{"identifier": "AMGS-000002/1"}]
    facets = client.get("/api/datasets/facets?q=nerv").json()["facets"]
    assert {row["key"] for row in facets} == set(search.FACETS)
    assert client.get("/api/datasets?rated=perhaps").json()["field"] == "rated"


def test_pages_of_a_search_follow_each_other(two, browser, alice, monkeypatch):
    monkeypatch.setattr("amgs.web.paging.ROWS", 1)
    monkeypatch.setattr("amgs.web.paging.newest_first.__defaults__", (1,))
    first = browser(alice).get("/datasets/?q=harbour")
    assert first.context["page"].next
    second = browser(alice).get(f"/datasets/?{first.context['page'].next_query}")
    assert [row["identifier"] for row in second.context["rows"]] == ["AMGS-000001/1"]


def test_a_search_costs_the_same_however_much_there_is(
    draft, browser, alice, django_assert_max_num_queries
):
    counts = []
    client = browser(alice)
    for seed in range(2):
        draft(animals=1, grades=False, seed=seed)
        with django_assert_max_num_queries(12) as made:
            client.get("/datasets/?q=harbour&strain=CD-1")
        counts.append(len(made))
    assert counts[0] == counts[1]


def test_words_are_plain(two):
    for entry in SearchEntry.objects.all():
        assert entry.words == search.words_of(entry.words)
    assert Version.objects.filter(search__words__begins=["harb", "cd"]).count() == 2
