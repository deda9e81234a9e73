"""Pages of datasets: who sees what, answers to warnings, acts and their refusals."""

from __future__ import annotations

import pytest
from django.test import Client

from amgs.review.models import CheckResult, Seen


@pytest.fixture
def browser():
    """Return a browser in which somebody is signed in."""

    def make(user=None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return make


@pytest.fixture
def address():
    """Return the address of a version's page."""
    return lambda version: f"/datasets/{version.identifier.replace('/', '.')}/"


def test_a_draft_is_the_labs_own(draft, browser, address, alice, bob):
    version = draft(animals=1)
    assert browser(alice).get(address(version)).status_code == 200
    assert browser(bob).get(address(version)).status_code == 404
    assert browser().get(address(version)).status_code == 404


def test_others_read_pseudonyms_and_no_group_names(draft, take, browser, address, alice, cora):
    version = take(draft(animals=1, grades=False), ("submit", alice))
    own = browser(alice).get(address(version)).content.decode()
    others = browser(cora).get(address(version)).content.decode()
    assert "m1, baseline" in own
    assert "m1, baseline" not in others
    assert "M001, baseline" in others


def test_opening_the_page_ends_blindness_for_it(draft, take, browser, address, alice, rita, cora):
    version = take(draft(animals=1), ("submit", alice), ("start_review", cora))
    page = browser(cora).get(address(version))
    assert page.status_code == 200
    assert Seen.objects.filter(user=cora, dataset=version.dataset).exists()
    assert not Seen.objects.filter(user=rita).exists()


def test_a_warning_is_answered_by_its_lab_alone(draft, take, browser, address, alice, cora):
    version = take(draft(animals=1, grades=False), ("submit", alice))
    warning = CheckResult.objects.filter(severity="warns", passed=False).first()
    where = f"{address(version)}checks/{warning.check_name}"
    assert browser(cora).post(where, {"answer": "no"}).status_code == 403
    assert browser(alice).post(where, {"answer": " "}).status_code == 422
    browser(alice).post(where, {"answer": "The camera can do no more."})
    warning.refresh_from_db()
    assert warning.answer == "The camera can do no more."
    assert "The camera can do no more." in browser(cora).get(address(version)).content.decode()


def test_a_step_without_a_reason_comes_back_with_the_sentence(draft, take, browser, alice, cora):
    version = take(draft(animals=1, grades=False), ("submit", alice), ("start_review", cora))
    where = f"/review/{version.identifier.replace('/', '.')}/acts/reject"
    answer = browser(cora).post(where, {"why": ""})
    assert answer.status_code == 422
    assert "Please give a reason" in answer.content.decode()
    assert browser(cora).post(where, {"why": "The films are of rats."}).status_code == 302
    version.refresh_from_db()
    assert version.state == "rejected"


def test_nobody_reviews_data_of_their_own_lab(draft, take, browser, alice, carl):
    version = take(draft(animals=1, grades=False), ("submit", alice))
    page = browser(carl).get(f"/review/{version.identifier.replace('/', '.')}/")
    assert page.status_code == 200
    assert "needs somebody from another lab" in page.content.decode()
    where = f"/review/{version.identifier.replace('/', '.')}/acts/start_review"
    assert browser(carl).post(where).status_code == 422


def test_a_version_that_was_handed_in_cannot_be_edited(draft, take, browser, address, alice):
    version = take(draft(animals=1, grades=False), ("submit", alice))
    for step in ("describe", "design", "files", "labels", "permissions", "submit"):
        answer = browser(alice).get(f"{address(version)}{step}")
        assert answer.status_code == 422, step
        assert "only a draft can" in answer.content.decode()


def test_people_and_cards_are_asked_about_where_a_draft_is_handed_in(
    draft, browser, address, alice
):
    from amgs.repository import services

    version = draft(animals=1, grades=False)
    kept = {key: value for key, value in version.metadata.items() if key != "people_and_cards"}
    services.update_version(by=alice, version=version, metadata=kept)
    client, where = browser(alice), address(version)
    assert "meta-people_and_cards" not in client.get(f"{where}describe").content.decode()
    assert client.post(f"{where}acts/submit").headers["Location"] == f"{where}submit"
    page = client.get(f"{where}submit").content.decode()
    assert page.count('alt="Contact sheet of ') == version.recordings.count()
    answer = client.post(f"{where}submit", {"meta-people_and_cards": ""})
    assert answer.status_code == 422
    assert "People, badges and cage cards is missing" in answer.content.decode()
    said = {"meta-people_and_cards": "none_seen"}
    assert client.post(f"{where}submit", said | {"keep": "1"}).status_code == 204
    version.refresh_from_db()
    assert version.metadata == kept | {"people_and_cards": "none_seen"}
    describe = {"title": "Another title", "meta-assay": "neuropathic", "stay": "1"}
    client.post(f"{where}describe", describe)
    version.refresh_from_db()
    assert version.metadata == {"assay": "neuropathic", "people_and_cards": "none_seen"}
    assert client.post(f"{where}submit", said).headers["Location"] == where
    version.refresh_from_db()
    assert version.state == "submitted"


def test_an_answer_that_arrives_after_its_submission_is_no_complaint(
    draft, browser, address, alice, monkeypatch
):
    from amgs.repository import services

    version = draft(animals=1, grades=False)
    client, where = browser(alice), address(version)
    said = {"meta-people_and_cards": version.metadata["people_and_cards"], "keep": "1"}
    other = said | {"meta-people_and_cards": "seen"}
    stored = dict(version.metadata)
    unanswered = {key: value for key, value in stored.items() if key != "people_and_cards"}
    services.update_version(by=alice, version=version, metadata=unanswered)
    update = services.update_version

    def overtaken(*, by, version, **fields):
        monkeypatch.setattr(services, "update_version", update)
        assert client.post(f"{where}submit", said | {"keep": "1"}).status_code == 204
        services.submit_version(by=alice, version=type(version).objects.get(pk=version.pk))
        return update(by=by, version=version, **fields)

    monkeypatch.setattr(services, "update_version", overtaken)
    assert client.post(f"{where}submit", said).status_code == 204
    assert client.post(f"{where}submit", said).status_code == 204
    assert client.post(f"{where}submit", other).status_code == 422
    version.refresh_from_db()
    assert (version.state, version.metadata) == ("submitted", stored)


def test_people_are_edited_row_by_row(draft, browser, address, alice):
    version = draft(animals=1, grades=False)
    client, where = browser(alice), address(version)
    form = {
        "title": version.title,
        "person-name": ["Arber, Alice", "", "Baum, Bob"],
        "person-orcid": ["0000-0002-1825-0097", "", "1234"],
        "person-role": ["author", "author", "rater"],
        "stay": "1",
    }
    answer = client.post(f"{where}describe", form)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Person 2: “1234” is no ORCID iD" in page
    assert 'value="1234"' in page
    assert page.count('name="person-name"') == 3
    client.post(f"{where}describe", form | {"person-orcid": ["0000-0002-1825-0097", "", ""]})
    version.refresh_from_db()
    assert [row["role"] for row in version.contributors] == ["author", "rater"]
    page = client.get(where).content.decode()
    assert "https://orcid.org/0000-0002-1825-0097" in page
    assert "Arber, Alice (unpublished)" in page


def test_lists_take_a_constant_number_of_queries(
    draft, browser, alice, django_assert_max_num_queries
):
    client = browser(alice)
    counts = []
    for number in range(4):
        draft(animals=1, grades=False, seed=number, title=f"Trial {number}")
        if number in (0, 3):
            # Session, person, labs, page, rows, deleted drafts, calls for data, the inbox's count;
            # and two for all facets together.
            with django_assert_max_num_queries(10) as made:
                assert client.get("/datasets/").status_code == 200
            counts.append(len(made))
    assert counts[0] == counts[1]
