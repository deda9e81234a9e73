"""Contributors see what became of their data in every model that was promoted."""

from __future__ import annotations

import pytest

from amgs.accounts.models import Notice
from amgs.core.base import SYSTEM
from amgs.core.decisions import record
from amgs.core.jobs import enqueue
from amgs.registry.models import ModelVersion
from amgs.training import credit
from amgs.training.models import Credit
from amgs.training.services import freeze_snapshot

GROUP = {
    "n_animals": 9, "n_frames": 30, "rmse_champion": 0.3, "rmse_challenger": 0.25,
    "difference": -0.05, "interval": [-0.1, 0.0], "assessed": True,
}  # fmt: skip
SMALL = GROUP | {"assessed": False}


@pytest.fixture
def promoted(publish, mia, db):
    """Promote a model that learned from data of two labs."""
    versions = [publish("Harbour", animals=12), publish("Meadow", animals=12, coat="black")]
    snapshot = freeze_snapshot(by=mia)
    model = ModelVersion.objects.create(
        number=1, bundle_key="k", bundle_sha256="0" * 64, digest="d" * 64, phantom=True,
        snapshot=snapshot.public_id, state="serving",
        comparison={"groups": {"Harbour|white": GROUP, "Meadow|black": SMALL}},
    )  # fmt: skip
    record(model, "promote", by=SYSTEM, why="better")
    return model, versions


def test_each_lab_is_told_once_what_a_promoted_model_learned_from(
    promoted, alice, bob, run_jobs, client
):
    model, versions = promoted
    for _ in range(2):
        enqueue("training.give_credit")
        run_jobs()
    assert Credit.objects.count() == 2
    for person, version in zip((alice, bob), versions, strict=True):
        (notice,) = Notice.objects.filter(user=person)
        assert version.identifier in notice.title
        assert model.identifier in notice.title
    (row,) = credit.shown(list(credit.credits_for(alice)))
    assert row["version"] == versions[0].identifier
    assert sum(part["animals"] for part in row["used"].values()) == 12
    assert row["errors"] == [
        {
            "coat": "white", "animals": 9, "frames": 30, "before": 0.3, "after": 0.25,
            "difference": -0.05, "interval": [-0.1, 0.0], "assessed": True,
        }
    ]  # fmt: skip
    client.force_login(alice)
    page = client.get("/credit/").content.decode()
    assert model.identifier in page
    assert "0.250" in page
    assert versions[1].identifier not in page
    client.force_login(bob)
    assert "too few animals to say" in client.get("/credit/").content.decode()
    assert client.get("/api/credit").json()["results"][0]["version"] == versions[1].identifier


def test_who_has_no_data_here_reads_that_none_was_used(promoted, petra, client):
    client.force_login(petra)
    assert "No model learned from your data yet" in client.get("/credit/").content.decode()
    assert client.get("/api/credit").json() == {"results": [], "next": None}


def test_a_model_that_was_never_promoted_gives_no_credit(promoted):
    model, _ = promoted
    ModelVersion.objects.filter(pk=model.pk).update(public_id="0" * 26)
    assert not credit.without_credit()
