"""Every page in both viewports: axe finds nothing, nothing is wider than the screen."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

# Light on the desktop, dark on the phone: both viewports and both schemes in half the time.
SHAPES = (
    ("desktop", {"width": 1280, "height": 800}, "light"),
    ("phone", {"width": 390, "height": 844}, "dark"),
)
REFUSED = {"not-found": 404, "score-deleted": 410, "rate-forbidden": 403}
AXE = "() => axe.run(document, {resultTypes: ['violations']})"


def _beside(name: str) -> Any:
    """Return a file beside this one as a module."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


filled = _beside("filled")


@pytest.fixture
def site(story):
    """Fill the site so that every page has something to show; return people and addresses."""
    from amgs.accounts.notices import stop_token
    from amgs.repository import services
    from amgs.review.calls import open_call
    from amgs.scoring import studies
    from amgs.scoring.study_keeping import delete_study
    from amgs.scoring.webhooks import rotate_secret

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
    story.sheet(alice, draft, filled.bad_sheet(), name="second-rater.csv")
    asks, boxes = (
        story.sheet(alice, draft, text, name=name, confirmed=False)
        for name, text in (("nine.csv", filled.other_scale()), ("faces.json", filled.boxes()))
    )

    review = story.dataset(bob, "Grimace after spared nerve injury", animals=1)
    story.take(review, ("submit", bob), ("start_review", cora))
    story.rate_all(roger, most=5)
    story.rate_all(rita, most=4)

    changes = story.dataset(bob, "Formalin, first trial", animals=1, licence="", ethics="")
    story.take(changes, ("submit", bob))

    gone = filled.withdrawn(story.dataset(alice, "Grimace after incision", animals=1), alice)
    deleted = story.dataset(alice, "Tried and given up", animals=1)
    services.delete_draft(by=alice, version=deleted)

    retired = filled.register(mia, "approve", "promote")
    serving = filled.register(mia, "approve", "promote")
    challenger = filled.register(mia, measured_against=serving, shown=published)
    refused = filled.register(mia, refused=True, negative_control=True, measured_against=serving)
    run = filled.run(mia, challenger)
    filled.golden(cora, published)
    filled.credit(serving, published)
    scored_in = _beside("scored")
    scored = filled.score(serving, filled.result(True))
    empty = filled.score(serving, filled.result(False))
    several = filled.score(serving, filled.several_animals())
    own, labless = (filled.score(serving, filled.result(True), who) for who in (alice, rita))
    watched = _beside("watched")
    watched.weeks(serving)
    watched.readings(serving)
    watched.validation(serving)
    again = watched.second_score(scored, retired, filled.result(True))
    study = studies.create_study(by=alice, title="Carprofen after laparotomy")
    studies.add_scores(by=alice, study=study, scores=[scored])
    given_up = studies.create_study(by=alice, title="Carprofen, first trial")
    delete_study(by=alice, study=given_up)
    for _ in range(2):
        rotate_secret(user=alice)
    open_call(by=cora, reason="Recordings of older mice in infrared light are wanted.")

    def ref(version: Any) -> str:
        return version.identifier.replace("/", ".")

    return [
        ("home", None, "/"),
        ("sign-in", None, "/accounts/login/"),
        ("sign-up", None, "/accounts/signup/"),
        ("forgotten", None, "/accounts/password/reset/"),
        ("not-found", None, "/nothing/"),
        ("score", None, "/score/"),
        ("tools", mia, "/tools/"),
        ("tool", None, "/tools/motion-index/"),
        ("score-on-device", None, "/score/on-device/"),
        ("scale", None, "/scale/"),
        ("score-running", None, f"/score/{scored_in.running_score(serving)}/"),
        ("score-list", None, f"/score/batch/{scored_in.score_list([scored, empty])}/"),
        ("score-deleted", None, f"/score/{scored_in.deleted_score()}/"),
        ("result", None, f"/score/{scored}/"),
        ("result-empty", None, f"/score/{empty}/"),
        ("result-several", None, f"/score/{several}/"),
        ("result-second", None, f"/score/{again}/"),
        ("result-difference", None, f"/score/{again}/difference"),
        ("result-own", alice, f"/score/{own}/"),
        ("contribute", alice, f"/score/{own}/contribute"),
        ("contribute-nowhere", rita, f"/score/{labless}/contribute"),
        ("studies-public", None, "/studies/"),
        ("studies", alice, "/studies/"),
        ("study", alice, f"/studies/{study.public_id}/"),
        ("study-add", alice, f"/studies/{study.public_id}/add"),
        ("study-plan", alice, f"/studies/{study.public_id}/plan"),
        ("study-results", alice, f"/studies/{study.public_id}/results"),
        ("study-delete", alice, f"/studies/{study.public_id}/delete"),
        ("studies-deleted", alice, "/deleted-studies/"),
        ("datasets-public", None, "/datasets/"),
        ("models-public", None, "/models/"),
        ("account", alice, "/account/"),
        ("webhooks", alice, "/account/webhooks/"),
        ("work", alice, "/my-work/"),
        ("datasets", alice, "/datasets/"),
        ("dataset-new", alice, "/datasets/new"),
        ("describe", alice, f"/datasets/{ref(draft)}/describe"),
        ("design", alice, f"/datasets/{ref(draft)}/design"),
        ("files", alice, f"/datasets/{ref(draft)}/files"),
        ("labels", alice, f"/datasets/{ref(draft)}/labels"),
        ("label-file-asks", alice, f"/datasets/{ref(draft)}/sheets/{asks}/"),
        ("label-file-boxes", alice, f"/datasets/{ref(draft)}/sheets/{boxes}/"),
        ("permissions", alice, f"/datasets/{ref(draft)}/permissions"),
        ("submit", alice, f"/datasets/{ref(draft)}/submit"),
        ("version-draft", alice, f"/datasets/{ref(draft)}/"),
        ("version-published", alice, f"/datasets/{ref(published)}/"),
        ("version-changes", bob, f"/datasets/{ref(changes)}/"),
        ("version-withdrawn", None, f"/datasets/{ref(gone)}/"),
        ("allowed", alice, f"/datasets/{ref(published)}/allowed"),
        ("leave", alice, f"/datasets/{ref(published)}/leave/withdraw"),
        ("leave-refused", bob, f"/datasets/{ref(published)}/leave/withdraw"),
        ("delete", alice, f"/datasets/{ref(draft)}/leave/delete"),
        ("embargo", alice, f"/datasets/{ref(draft)}/embargo"),
        ("deleted-drafts", alice, "/deleted-drafts/"),
        ("e-mail", alice, "/accounts/email/"),
        ("account-close", alice, "/account/close"),
        ("second-factor", alice, "/accounts/2fa/"),
        ("rate", rita, "/rate/"),
        ("rate-forbidden", bob, "/rate/"),
        ("gold", cora, "/gold/"),
        ("gold-hidden", cora, "/gold/?show=hidden"),
        ("gold-new", cora, "/gold/?show=new"),
        ("credit", alice, "/credit/"),
        ("credit-none", bob, "/credit/"),
        ("queue", cora, "/review/"),
        ("review", cora, f"/review/{ref(review)}/"),
        ("review-recording", cora, filled.first_recording(review)),
        ("review-disagreements", cora, f"/review/{ref(review)}/disagreements"),
        ("people", mia, "/people/"),
        ("people-none", mia, "/people/?q=nobody-of-this-name"),
        ("inbox", bob, "/inbox/"),
        ("inbox-curator", cora, "/inbox/"),
        ("mail-stop", None, f"/mail/stop/{stop_token(alice)}/"),
        ("rate-nothing", cora, "/rate/"),
        ("models", mia, "/models/"),
        ("model", mia, f"/models/{challenger.public_id}/"),
        ("model-refused", mia, f"/models/{refused.public_id}/"),
        ("validation", None, f"/models/{serving.public_id}/validation/"),
        ("validation-none", mia, f"/models/{challenger.public_id}/validation/"),
        ("watch", mia, "/watch/"),
        ("model-beside", mia, f"/models/{challenger.public_id}/beside"),
        ("model-beside-first", None, f"/models/{serving.public_id}/beside"),
        ("training", mia, "/training/"),
        ("run", mia, f"/training/runs/{run.public_id}/"),
        ("snapshot", mia, f"/snapshots/{run.snapshot.public_id}/"),
        ("benchmark", mia, f"/benchmarks/{run.benchmark.public_id}/"),
    ]


@pytest.mark.parametrize(("shape", "viewport", "scheme"), SHAPES, ids=[row[0] for row in SHAPES])
def test_axe_finds_nothing_on_any_page(site, open_page, picture, shape, viewport, scheme):
    axe = (settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text()
    wrong: list[str] = []
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
