"""Random people take random steps: no forbidden state, four eyes, one decision per change."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from amgs.accounts.models import Grant, Lab, Membership, User
from amgs.core.base import SYSTEM, Actor
from amgs.core.decisions import broken_links, history
from amgs.core.errors import Problem
from amgs.registry import services as registry
from amgs.registry.models import ModelVersion
from amgs.repository import services as repository
from amgs.repository.models import Exclusion, Recording, Version
from amgs.review.models import Reviewer, Screening
from amgs.review.services import hand_over
from curation import dataset_version, model_version
from curation.roles import CURATOR, MAINTAINER, RATER

LABS = ("Harbour", "Meadow")
ROLES = ((), (RATER,), (CURATOR,), (MAINTAINER,), (CURATOR, MAINTAINER))
AROUND_REVIEW = {
    dataset_version.SCREENED,
    dataset_version.IN_REVIEW,
    dataset_version.CHANGES_REQUESTED,
}
people = st.integers(min_value=0, max_value=len(ROLES) * (len(LABS) + 1))


class Site(RuleBasedStateMachine):
    """People of every role in every lab; each run is rolled back at its end."""

    subject: Any
    lifecycle: Any
    reached: ClassVar[set[str]]

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        labs: list[Lab | None] = [None, *(Lab.objects.create(name=name) for name in LABS)]
        self.people: list[Actor] = [SYSTEM]
        for place, lab in enumerate(labs):
            for number, roles in enumerate(ROLES):
                user = User.objects.create_user(f"p{place}{number}@example.org")
                Grant.objects.bulk_create(Grant(user=user, role=role) for role in roles)
                if lab is not None:
                    Membership.objects.create(user=user, lab=lab)
                self.people.append(user)
        self.lab = labs[1]
        self.begin()
        self.was = self.state()
        self.decided = self.decisions()

    def begin(self) -> None:
        """Make what the steps are about."""

    def teardown(self) -> None:
        """Forget the run."""
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    def state(self) -> str:
        """The state as the database has it."""
        return str(
            type(self.subject).objects.values_list("state", flat=True).get(pk=self.subject.pk)
        )

    def decisions(self) -> int:
        """How many decisions changed its state."""
        return history(self.subject).exclude(to_state="").count()

    def some_act(self, data: Any) -> str:
        """Any act, more often one that leads on from here."""
        here = [row.action for row in self.lifecycle.transitions if row.source == self.was]
        return str(data.draw(st.sampled_from([*self.lifecycle.actions, *(here * 6)])))

    def somebody(self, data: Any, action: str) -> int:
        """Anybody, half of the time one of those whom the lifecycle lets do it."""
        may = [
            number
            for number, actor in enumerate(self.people)
            for row in self.lifecycle.allowed(self.was, actor.roles, self.own(actor))
            if row.action == action
        ]
        anybody = st.integers(0, len(self.people) - 1)
        return int(data.draw(st.one_of(anybody, st.sampled_from(may)) if may else anybody))

    def own(self, actor: Actor) -> bool:
        """Whether an actor belongs to the lab of the data."""
        return self.lab is not None and self.lab.pk in actor.lab_ids

    def took(self, actor: Actor, action: str) -> None:
        """A step was taken: it is one that the lifecycle gives to exactly such people."""
        row = self.lifecycle.next(self.was, action)
        assert self.state() == row.target
        assert row.roles & actor.roles
        if row.own_lab_forbidden:
            assert not self.own(actor), f"{action} on data of one's own lab"
        last = history(self.subject).exclude(to_state="").order_by("number").last()
        assert last is not None
        assert (last.from_state, last.to_state, last.action) == (self.was, row.target, action)
        assert last.actor_id == actor.public_id
        assert last.why or not row.needs_reason
        self.was, self.decided = row.target, self.decided + 1

    @invariant()
    def a_state_changes_by_a_decision_alone(self) -> None:
        """Nothing but a step that was taken changes the state, and each has one decision."""
        assert self.state() == self.was
        assert self.was in self.lifecycle.states
        assert self.decisions() == self.decided
        self.reached.add(self.was)

    @invariant()
    def the_log_is_whole(self) -> None:
        """No entry is missing or changed."""
        assert list(broken_links()) == []


class DatasetLife(Site):
    """A version of Harbour with two recordings and no grades."""

    lifecycle = dataset_version.LIFECYCLE
    reached = set()

    def begin(self) -> None:
        """Make the version, with its checks passed."""
        owner = next(user for user in self.people if self.own(user))
        self.subject = repository.create_dataset(by=owner, lab=self.lab, title="At random")
        for name in ("one", "two"):
            row = Recording.objects.create(
                dataset=self.subject.dataset, name=f"{name}.mp4", status="ready"
            )
            row.versions.add(self.subject)
        Screening.objects.create(version=self.subject, facts={}, passed=True)

    def version(self) -> Version:
        """The version as somebody reads it who opens a page now."""
        return Version.objects.select_related("dataset__lab").get(pk=self.subject.pk)

    @rule(data=st.data(), why=st.sampled_from(("", "because", "so it is")))
    def step(self, data: Any, why: str) -> None:
        """Somebody tries any step."""
        action = self.some_act(data)
        actor = self.people[self.somebody(data, action)]
        held = Reviewer.objects.filter(version=self.subject).first()
        try:
            with transaction.atomic():
                repository.decide_version(
                    by=actor, version=self.version(), action=action, why=why, without_audit=True
                )
        except Problem:
            return
        if self.was == dataset_version.IN_REVIEW and held is not None:
            assert held.user == actor, "somebody else than the reviewer decided"
        self.took(actor, action)
        if action == "start_review":
            assert Reviewer.objects.get(version=self.subject).user == actor

    @precondition(lambda self: self.was in AROUND_REVIEW)
    @rule(who=people, whole=st.booleans(), why=st.sampled_from(("", "but one")))
    def accept_but(self, who: int, whole: bool, why: str) -> None:
        """Somebody accepts but for one recording, or for all."""
        actor = self.people[who]
        rows = Recording.objects.filter(versions=self.subject)
        rejected = [{"recording": row.public_id, "reason": "people"} for row in rows]
        try:
            with transaction.atomic():
                repository.accept_version(
                    by=actor,
                    version=self.version(),
                    why=why,
                    without_audit=True,
                    rejected=rejected if whole else rejected[:1],
                )
        except Problem:
            return
        assert not whole
        self.took(actor, "accept")

    @precondition(lambda self: self.was in AROUND_REVIEW)
    @rule(who=people, to=people)
    def hand(self, who: int, to: int) -> None:
        """Somebody hands the review to somebody."""
        actor, other = self.people[who], self.people[to]
        if not isinstance(actor, User) or not isinstance(other, User):
            return
        try:
            with transaction.atomic():
                hand_over(by=actor, version=self.version(), to=other, note="yours")
        except Problem:
            return
        assert self.was == dataset_version.IN_REVIEW
        assert CURATOR in actor.roles
        assert not self.own(actor)
        assert Reviewer.objects.get(version=self.subject).user == other

    @precondition(lambda self: Exclusion.objects.filter(version=self.subject).exists())
    @rule(who=people)
    def take_in(self, who: int) -> None:
        """Somebody takes in again what was left out."""
        row = Exclusion.objects.filter(version=self.subject).select_related("recording").get()
        assert row.recording is not None
        actor = self.people[who]
        try:
            with transaction.atomic():
                repository.take_in_again(
                    by=actor, version=self.version(), name=row.recording.public_id
                )
        except Problem:
            return
        assert self.was in {dataset_version.IN_REVIEW, dataset_version.ACCEPTED}
        assert CURATOR in actor.roles
        assert not self.own(actor)

    @invariant()
    def who_has_the_review_may_decide(self) -> None:
        """A review is never had by somebody of the lab, nor by anybody but a curator."""
        held = Reviewer.objects.filter(version=self.subject).select_related("user").first()
        if held is not None:
            assert CURATOR in held.user.roles
            assert not self.own(held.user)

    @invariant()
    def what_is_published_keeps_its_date_and_something_to_show(self) -> None:
        """Published means dated, and a recording is left."""
        row = self.version()
        if row.state == dataset_version.PUBLISHED:
            assert row.published_at is not None
        left = Exclusion.objects.filter(version=row, recording__isnull=False).count()
        assert left < Recording.objects.filter(versions=row).count()


class ModelLife(Site):
    """A model version after training, beside one that serves."""

    lifecycle = model_version.LIFECYCLE
    reached = set()

    def begin(self) -> None:
        """Register two; the other one may come to serve as well."""
        self.other = self._register("a")
        self.subject = self._register("b")

    def _register(self, sign: str) -> ModelVersion:
        version = registry.register_version(
            bundle_key=f"bundles/{sign}.tar",
            bundle_sha256=sign * 64,
            digest=sign * 64,
            info={"phantom": True},
            report={},
            report_key="",
            card="# Card",
            profile="demo",
        )
        registry.record_verdicts(version=version, verdicts=[], refused_by=[], comparison={})
        version.refresh_from_db()
        return version

    def _decide(self, who: int, row: ModelVersion, action: str, why: str) -> bool:
        try:
            with transaction.atomic():
                fresh = ModelVersion.objects.get(pk=row.pk)
                registry.decide_model(by=self.people[who], version=fresh, action=action, why=why)
        except Problem:
            return False
        return True

    @rule(data=st.data(), why=st.sampled_from(("", "because", "so it is")))
    def step(self, data: Any, why: str) -> None:
        """Somebody tries any step."""
        action = self.some_act(data)
        who = self.somebody(data, action)
        if self._decide(who, self.subject, action, why):
            self.took(self.people[who], action)

    @precondition(lambda self: self.was in {model_version.SERVING, model_version.RETIRED})
    @rule(who=people, action=st.sampled_from(("approve", "promote", "rollback", "retire")))
    def step_of_the_other(self, who: int, action: str) -> None:
        """The other one is decided on; when it comes to serve, ours retires with a decision."""
        before = self.state()
        if not self._decide(who, self.other, action, "its turn"):
            return
        assert self.people[who].roles & {MAINTAINER, "system"}
        if self.state() != before:
            assert (before, self.state()) == (model_version.SERVING, model_version.RETIRED)
            self.was, self.decided = model_version.RETIRED, self.decided + 1

    @invariant()
    def one_serves(self) -> None:
        """Never two at once."""
        assert ModelVersion.objects.filter(state=model_version.SERVING).count() <= 1


@pytest.mark.django_db
@pytest.mark.parametrize(("machine", "examples"), [(DatasetLife, 12), (ModelLife, 16)])
def test_no_walk_of_random_people_reaches_a_forbidden_state(machine, examples):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=60,
            deadline=None,
            database=None,
            derandomize=True,
            # A walk that fails is told as it is: making it shorter takes minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    # The walks lead somewhere, else they prove nothing.
    assert len(machine.reached) >= len(machine.lifecycle.states) - 2, machine.reached
