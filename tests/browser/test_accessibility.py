"""Every page in both viewports: axe finds nothing, nothing is wider than the screen."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

# Light on the desktop, dark on the phone: both viewports and both schemes in half the time.
SHAPES = (
    ("desktop", {"width": 1280, "height": 800}, "light"),
    ("phone", {"width": 390, "height": 844}, "dark"),
)
REFUSED = {"not-found": 404, "rate-forbidden": 403}
AXE = "() => axe.run(document, {resultTypes: ['violations']})"


@pytest.fixture
def site(story, made_up):
    """Fill the site so that every page has something to show; return people and addresses."""
    alice = story.person("Alice Arber", lab="Harbour")
    bob = story.person("Bob Brandt", lab="Meadow")
    rita, roger = story.person("Rita Roth", "rater"), story.person("Roger Ruiz", "rater")
    cora, mia = story.person("Cora Costa", "curator"), story.person("Mia Moreau", "maintainer")

    published = story.dataset(alice, "Grimace after laparotomy in white mice")
    story.take(published, ("submit", alice), ("start_review", cora))
    story.rate_all(rita)
    story.rate_all(roger)
    story.take(published, ("accept", cora), ("publish", cora))

    draft = story.dataset(alice, "Grimace after carrageenan", animals=1)
    story.sheet(alice, draft, _bad_sheet(), name="second-rater.csv")

    review = story.dataset(bob, "Grimace after spared nerve injury", animals=1)
    story.take(review, ("submit", bob), ("start_review", cora))
    story.rate_all(roger, most=4)

    changes = story.dataset(bob, "Formalin, first trial", animals=1, licence="", ethics="")
    story.take(changes, ("submit", bob))

    serving = story.model(mia, "approve", "promote")
    challenger = story.model(mia, measured_against=serving)
    refused = story.model(mia, refused=True, negative_control=True, measured_against=serving)
    run = _run(mia, challenger)
    scored, empty = (
        _score(serving, made_up["result"](True)),
        _score(serving, made_up["result"](False)),
    )

    def ref(version: Any) -> str:
        return version.identifier.replace("/", ".")

    return [
        ("home", None, "/"),
        ("sign-in", None, "/accounts/login/"),
        ("sign-up", None, "/accounts/signup/"),
        ("forgotten", None, "/accounts/password/reset/"),
        ("not-found", None, "/nothing/"),
        ("score", None, "/score/"),
        ("result", None, f"/score/{scored}/"),
        ("result-empty", None, f"/score/{empty}/"),
        ("datasets-public", None, "/datasets/"),
        ("models-public", None, "/models/"),
        ("account", alice, "/account/"),
        ("work", alice, "/work/"),
        ("datasets", alice, "/datasets/"),
        ("dataset-new", alice, "/datasets/new"),
        ("describe", alice, f"/datasets/{ref(draft)}/describe"),
        ("design", alice, f"/datasets/{ref(draft)}/design"),
        ("files", alice, f"/datasets/{ref(draft)}/files"),
        ("labels", alice, f"/datasets/{ref(draft)}/labels"),
        ("permissions", alice, f"/datasets/{ref(draft)}/permissions"),
        ("submit", alice, f"/datasets/{ref(draft)}/submit"),
        ("version-draft", alice, f"/datasets/{ref(draft)}/"),
        ("version-published", alice, f"/datasets/{ref(published)}/"),
        ("version-changes", bob, f"/datasets/{ref(changes)}/"),
        ("e-mail", alice, "/accounts/email/"),
        ("second-factor", alice, "/accounts/2fa/"),
        ("rate", rita, "/rate/"),
        ("rate-forbidden", bob, "/rate/"),
        ("rate-nothing", cora, "/rate/"),
        ("queue", cora, "/review/"),
        ("review", cora, f"/review/{ref(review)}/"),
        ("models", mia, "/models/"),
        ("model", mia, f"/models/{challenger.public_id}/"),
        ("model-refused", mia, f"/models/{refused.public_id}/"),
        ("training", mia, "/training/"),
        ("run", mia, f"/training/runs/{run}/"),
    ]


BAD_ROWS = ("r0005.mp4,2,3,0,1,3,0,9", "r0099.mp4,2,3,0,1,1,0,9")


def _bad_sheet() -> str:
    from models.scale import load_scale

    return "\n".join([",".join(["file", "frame", "rater", *load_scale().unit_keys]), *BAD_ROWS])


def _run(maintainer: Any, version: Any) -> str:
    from amgs.core.models import Job
    from amgs.training import services
    from amgs.training.models import Run, Trigger

    run = services.start_run(
        by=maintainer, recipe="demo", profile="demo", seed=7, why="Two labs were added."
    )
    Job.objects.filter(pk=run.job_id).update(state="done", progress=1.0, result={})
    curves = [
        {"step": step, "metrics": {"train_loss": 1 / step, "validation_rmse": 0.3 + 1 / (5 * step)}}
        for step in range(1, 20)
    ]
    Run.objects.filter(pk=run.pk).update(
        curves=curves,
        tail=[{"at": "2026-01-31T10:00:00+00:00", "sentence": "Epoch 19 is done."}],
        model_version=version,
    )
    Trigger.objects.create(
        fired=False, name="new_frames", reason="48 of 200 new graded frames are published."
    )
    return run.public_id


def _score(version: Any, told: dict[str, Any]) -> str:
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import ToolRun

    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
    )
    run = ToolRun.objects.create(
        name="cage 4, day 2.mp4",
        job=job,
        model_version=version,
        result=told,
        provenance={
            "model": version.identifier,
            "model_id": version.public_id,
            "bundle_digest": version.digest,
            "snapshot": "",
            "phantom": True,
            "scored_at": "2026-01-31T10:00:00+00:00",
            "file_sha256": "a" * 64,
        },
    )
    return run.token


def test_axe_finds_nothing_on_any_page(site, open_page, picture):
    axe = (settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text()
    wrong: list[str] = []
    for shape, viewport, scheme in SHAPES:
        pages: dict[str, Any] = {}
        for name, person, address in site:
            who = person.email if person else ""
            if who not in pages:
                pages[who] = open_page(person, viewport, bypass_csp=True, color_scheme=scheme)
            page = pages[who]
            answer = page.goto(address)
            assert answer.status == REFUSED.get(name, 200), f"{name}: {address}"
            picture(page, f"{name}-{shape}")
            wrong += [f"{name} ({shape}): {sentence}" for sentence in _complaints(page, axe)]
    assert not wrong, "\n".join(wrong)


def _complaints(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    found = [
        f"{row['id']}: {row['help']}: {row['nodes'][0]['html'][:160]} "
        f"{row['nodes'][0].get('failureSummary', '')[:200]}"
        for row in page.evaluate(AXE)["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if wide > 0:
        found.append(f"the page is {wide} px wider than the screen")
    return found
