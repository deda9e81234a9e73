"""The whole story over HTTP: contribute, be refused, mend, be rated, accepted, published."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from django.test import Client
from django.utils import timezone

from amgs.files.models import Upload


@pytest.fixture
def speak(token_of):
    """Speak JSON to the API as a person (or as nobody) and expect a status."""

    def make(user=None, *scopes: str):
        headers = {"Authorization": f"Bearer {token_of(user, *scopes)}"} if user else {}
        client = Client(headers=headers)

        def ask(method: str, path: str, body=None, expect: int = 200):
            response = client.generic(
                method,
                f"/api/{path}",
                json.dumps(body) if body is not None else "",
                content_type="application/json",
            )
            assert response.status_code == expect, response.content.decode()
            return response.json() if response.content else None

        return ask

    return make


@pytest.fixture
def contribute(speak, alice, harbour, send, clip, sheet, run_jobs):
    """Alice contributes over HTTP; the licence is forgotten unless given."""
    from models.scale import load_scale

    def make(licence: str = ""):
        ask = speak(alice)
        coat = load_scale().coat_keys[0]
        version = ask(
            "POST",
            "datasets",
            {
                "lab": harbour.public_id,
                "title": "Grimace",
                "licence": licence,
                "ethics": "Approved",
                "phantom": True,
                "metadata": {
                    "assay": "neuropathic",
                    "assigned_unit": "animal",
                    "people_and_cards": "none_seen",
                    "raters_blind": "yes",
                },
                "design": {
                    "animals": [
                        {
                            "name": "m1",
                            "sex": "male",
                            "strain": "CD-1",
                            "coat": coat,
                            "cage": "c1",
                        }
                    ],
                    "observations": [
                        {"animal": "m1", "name": "baseline", "hours_after_procedure": -24},
                        {"animal": "m1", "name": "after", "hours_after_procedure": 4},
                    ],
                },
            },
            expect=201,
        )
        name = version["identifier"].replace("/", ".")
        kinds = ["outside_raters", "train", "download"]
        signed = {"kinds": kinds, "signer_name": "Prof. Arber", "right_to_share": True}
        ask("PUT", f"versions/{name}/permissions", signed)
        for number, time in enumerate(("baseline", "after")):
            upload = send(alice, f"r{number}.mp4", clip(number), "recording")
            body = {
                "upload": upload.public_id,
                "name": upload.name,
                "animal": "m1",
                "observation": time,
            }
            ask("POST", f"versions/{name}/recordings", body, expect=201)
        rows = {(f"r{number}.mp4", frame, "1"): 1 for number in (0, 1) for frame in (0, 5)}
        upload = send(alice, "scores.csv", sheet(rows), "labels")
        body = {"upload": upload.public_id, "name": "scores.csv"}
        ask("POST", f"versions/{name}/labels", body, expect=201)
        run_jobs()
        return name

    return make


def test_the_story_from_contribution_to_publication(
    contribute, speak, run_jobs, alice, cora, rita, person
):
    name = contribute()
    lab, office = speak(alice), speak(cora)
    recordings = lab("GET", f"versions/{name}/recordings")["results"]
    assert [row["status"] for row in recordings] == ["ready", "ready"]
    assert recordings[0]["media"]["frame_count"] == 20
    (scores,) = lab("GET", f"versions/{name}/labels")["results"]
    assert (scores["status"], scores["frames_matched"]) == ("done", 4)

    lab("POST", f"versions/{name}/actions/submit", {})
    run_jobs()
    version = lab("GET", f"versions/{name}")
    assert version["state"] == "changes_requested"
    screening = lab("GET", f"versions/{name}/screening")
    assert any("licence" in sentence.lower() for sentence in screening["blocking"])
    reopen = next(row for row in version["actions"] if row["action"] == "reopen")
    assert reopen["allowed"]

    lab("POST", f"versions/{name}/actions/reopen", {})
    lab("PATCH", f"versions/{name}", {"licence": "CC-BY-4.0"})
    lab("POST", f"versions/{name}/actions/submit", {})
    run_jobs()
    assert lab("GET", f"versions/{name}")["state"] == "screened"

    answer = lab("POST", f"versions/{name}/actions/start_review", {}, expect=403)
    assert answer["detail"].endswith(".")
    office("POST", f"versions/{name}/actions/start_review", {})
    for rater in (rita, person("Roger Ruiz", "rater")):
        ask = speak(rater)
        while (found := ask("GET", "rating/next"))["assignment"]:
            assignment = found["assignment"]
            grades = {unit["key"]: 1 for unit in assignment["units"]}
            body = {"grades": grades, "seconds": 2.5}
            ask("POST", f"rating/{assignment['id']}", body)
    run_jobs()
    audit = office("GET", f"versions/{name}/audit")
    assert audit["ratings"] == audit["ratings_wanted"] == 8
    assert audit["agreement"]["units"]

    office("POST", f"versions/{name}/remarks", {"text": "Well done."}, expect=201)
    office("POST", f"versions/{name}/actions/accept", {"why": "raters agree"})
    run_jobs()
    published = office("POST", f"versions/{name}/actions/publish", {})
    assert published["state"] == "published"
    assert published["published_at"]
    history = lab("GET", f"versions/{name}/history")["results"]
    assert [row["to"] for row in history if row["to"]][-1] == "published"
    assert "Well done." in [row["why"] for row in history]
    public = speak()
    assert public("GET", "datasets")["results"][0]["identifier"] == "AMGS-000001/1"
    assert public("GET", f"versions/{name}")["phantom"] is True
    assert public("GET", "datasets/AMGS-000001")["versions"][0]["state"] == "published"


def test_a_stranger_is_not_told_that_a_draft_exists(contribute, speak, bob, petra):
    name = contribute("CC0-1.0")
    for ask in (speak(bob), speak(petra)):
        answer = ask("GET", f"versions/{name}", expect=404)
        assert "or it is not open to you" in answer["detail"]
        assert ask("GET", "datasets")["results"] == []
    anonymous = speak()
    anonymous("GET", f"versions/{name}", expect=404)
    anonymous("POST", "datasets", {"title": "x"}, expect=401)


def test_refusals_name_the_field(contribute, speak, alice, harbour):
    name = contribute()
    ask = speak(alice)
    answer = ask("PATCH", f"versions/{name}", {"metadata": {"assay": "tickling"}}, expect=400)
    assert answer["field"] == "metadata.assay"
    answer = ask("POST", "datasets", {"lab": "nowhere", "title": "x"}, expect=400)
    assert answer["field"] == "lab"
    animals = {"animals": [{"name": "m1"}, {"name": "m1"}]}
    answer = ask("PUT", f"versions/{name}/design", animals, expect=400)
    assert answer["field"] == "animals[1].name"
    answer = ask("POST", f"versions/{name}/actions/dance", {}, expect=404)
    assert "dance" in answer["detail"]


def test_a_token_does_only_what_its_scopes_say(contribute, speak, alice):
    name = contribute("CC0-1.0")
    reader = speak(alice, "read")
    assert reader("GET", f"versions/{name}")["own"] is True
    assert (
        "contribute" in reader("POST", f"versions/{name}/actions/submit", {}, expect=403)["detail"]
    )
    assert "rate" in reader("GET", "rating/next", expect=403)["detail"]


def test_removing_over_http(contribute, speak, run_jobs, alice, bob):
    name = contribute("CC0-1.0")
    ask, stranger = speak(alice), speak(bob)
    recording = ask("GET", f"versions/{name}/recordings")["results"][0]["id"]
    sheet = ask("GET", f"versions/{name}/labels")["results"][0]["id"]
    stranger("DELETE", f"recordings/{recording}", expect=404)
    stranger("DELETE", f"labels/{sheet}", expect=404)
    ask("DELETE", f"recordings/{recording}", expect=204)
    ask("DELETE", f"labels/{sheet}", expect=204)
    run_jobs()
    assert len(ask("GET", f"versions/{name}/recordings")["results"]) == 1
    assert ask("GET", f"versions/{name}/labels")["results"][0]["status"] == "undone"


def test_an_upload_of_somebody_else_cannot_be_added(contribute, speak, send, clip, alice, bob):
    name = contribute("CC0-1.0")
    upload = send(bob, "b.mp4", clip(9), "recording")
    body = {"upload": upload.public_id, "name": "b.mp4"}
    speak(alice)("POST", f"versions/{name}/recordings", body, expect=404)
    assert Upload.objects.get(pk=upload.pk).recordings.count() == 0


def test_the_list_of_datasets_costs_the_same_however_long(
    draft, speak, alice, django_assert_max_num_queries
):
    ask = speak(alice)
    ask("GET", "me")  # writes down, once in minutes, that the token was used
    counts = []
    for seed in range(2):
        draft(animals=1, grades=False, seed=seed)
        ask("GET", "datasets")  # notes when the token was used last, once in a while
        with django_assert_max_num_queries(8) as made:
            ask("GET", "datasets")
        counts.append(len(made))
    assert counts[0] == counts[1]


def test_pages_follow_each_other_without_a_gap(draft, speak, alice):
    for seed in range(3):
        draft(animals=1, grades=False, seed=seed)
    ask = speak(alice)
    first = ask("GET", "datasets?limit=2")
    second = ask("GET", f"datasets?limit=2&after={first['next']}")
    numbers = [row["identifier"] for row in first["results"] + second["results"]]
    assert numbers == ["AMGS-000003/1", "AMGS-000002/1", "AMGS-000001/1"]
    assert second["next"] is None
    name = "AMGS-000001.1"
    one = ask("GET", f"versions/{name}/recordings?limit=1")
    two = ask("GET", f"versions/{name}/recordings?limit=1&after={one['next']}")
    assert one["results"][0]["id"] != two["results"][0]["id"]


def test_recordings_are_downloaded_by_the_lab_and_by_others_where_it_allows_it(
    draft, speak, clip, client, alice, bob, mia
):
    from amgs.repository.models import Permission, Recording, Version

    version = draft(animals=1)
    name = version.public_id
    row = speak(alice)("GET", f"versions/{name}/recordings")["results"][0]
    path = f"versions/{name}/recordings/{row['id']}/file"
    file = speak(alice)("GET", path)
    assert (file["name"], file["sha256"]) == (row["name"], row["sha256"])
    assert b"".join(client.get(file["url"]).streaming_content) == clip(1)
    speak(bob)("GET", path, expect=404)
    told = speak(mia)("GET", path, expect=403)
    assert "once the dataset is published" in told["detail"]
    Version.objects.update(state="published", published_at=timezone.now())
    public = speak()("GET", path)
    assert (public["derived_from"], file["derived_from"]) == (file["sha256"], None)
    listed = speak()("GET", f"versions/{name}/recordings")["results"][0]
    assert (listed["sha256"], listed["derived_from"]) == (public["sha256"], file["sha256"])
    copy = b"".join(client.get(public["url"]).streaming_content)
    assert (len(copy), sha256(copy).hexdigest()) == (public["size"], public["sha256"])
    Recording.objects.update(public={})
    assert "still being made" in speak()("GET", path, expect=400)["detail"]
    Recording.objects.update(public={"refusal": "No copy can be made."})
    assert speak()("GET", path, expect=400)["detail"] == "No copy can be made."
    Permission.objects.filter(kind="download").delete()
    assert "please ask the lab" in speak()("GET", path, expect=403)["detail"]
    assert speak(alice)("GET", path)["size"] == file["size"]


def test_what_is_sent_twice_is_told_to_be_there_already(contribute, speak, alice, bob, harbour):
    name = contribute()
    lab = speak(alice)
    for path, file in (("recordings", "r0.mp4"), ("labels", "scores.csv")):
        before = lab("GET", f"versions/{name}/{path}")["results"]
        body = {"upload": Upload.objects.get(name=file).public_id, "name": file}
        if path == "recordings":
            body |= {"animal": "m1", "observation": "baseline"}
        row = lab("POST", f"versions/{name}/{path}", body, expect=200)
        assert row["id"] in {held["id"] for held in before}
        assert len(lab("GET", f"versions/{name}/{path}")["results"]) == len(before)
    harbour.memberships.filter(user=alice).update(is_head=True)
    path, body = f"labs/{harbour.public_id}/members", {"email": "new@example.org"}
    person = type(alice).objects.create_user(body["email"], full_name="Nora New")
    assert lab("POST", path, body, expect=201) == lab("POST", path, body, expect=200)
    assert harbour.pk in person.lab_ids


def test_people_are_named_with_their_orcid(contribute, speak, alice):
    name = contribute()
    lab = speak(alice)
    assert lab("GET", f"versions/{name}")["contributors"] == []
    people = [
        {"name": "Arber, Alice", "orcid": "https://orcid.org/0000-0002-1825-0097"},
        {"name": "Baum, Bob", "role": "rater"},
    ]
    found = lab("PATCH", f"versions/{name}", {"contributors": people})["contributors"]
    assert found == [
        {"name": "Arber, Alice", "orcid": "0000-0002-1825-0097", "role": "author"},
        {"name": "Baum, Bob", "orcid": "", "role": "rater"},
    ]
    wrong = [people[1], {"name": "Arber, Alice", "orcid": "0000-0002-1825-0098"}]
    refusal = lab("PATCH", f"versions/{name}", {"contributors": wrong}, expect=400)
    assert refusal["detail"].startswith("Person 2: The last digit of the ORCID iD")
    assert lab("GET", f"versions/{name}")["contributors"] == found
