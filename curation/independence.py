"""Which lab is permanently independent: its animals validate finished models and nothing else.

A model is worth most where it never learned. So at least one lab per coat is set aside before any
of its animals is placed, for ever: what was once learned from, or judged a choice between models,
can never again show how a model does elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curation.sentences import count, listing
from models.scale import load_scale

FEWEST_LABS = 3
"""So many labs must have mice of a coat before one is set aside: two are left to learn from."""
ENOUGH_ANIMALS = 8
"""With so many animals of a coat a lab can be assessed; of such labs the smallest is proposed."""


@dataclass(frozen=True)
class LabFacts:
    """What the rule may know of a lab.

    `coats` counts the animals it has handed in by coat; `used` says that a snapshot placed one of
    them to be learned from or to judge.
    """

    lab: str
    coats: Mapping[str, int]
    used: bool = False
    independent: bool = False


@dataclass(frozen=True)
class Proposal:
    """A lab that could be set aside, and the coats that would then have an independent lab."""

    lab: str
    coats: tuple[str, ...]
    animals: int


def refusal(lab: LabFacts, labs: Sequence[LabFacts]) -> str | None:
    """Return the sentence that refuses to set a lab aside among all labs, or None."""
    if lab.independent:
        return f"{lab.lab} is independent already; that is for ever."
    if lab.used:
        return (
            f"Animals of {lab.lab} were already learned from, or judged models, in a snapshot, so "
            "it can never be independent; choose a lab whose data are in no snapshot yet."
        )
    if not lab.coats:
        return (
            f"{lab.lab} has handed in no animal with a coat yet; choose it once it has, before its "
            "data are published."
        )
    if not any(_learnable(coat, labs, without=lab) >= FEWEST_LABS - 1 for coat in lab.coats):
        most = max(lab.coats, key=lambda coat: _learnable(coat, labs, without=lab))
        left = _learnable(most, labs, without=lab)
        return (
            f"Without {lab.lab} only {count(left, 'lab')} with {_title(most)} mice would be left "
            f"to learn from; a lab is set aside once {FEWEST_LABS - 1} others have them."
        )
    return None


def proposals(labs: Sequence[LabFacts]) -> list[Proposal]:
    """Return the labs that could be set aside where a coat has none, the best proposal first.

    Best is what covers most coats, then the smallest lab that can be assessed: the rest is better
    learned from.
    """
    lacking = {coat for coat in _coats(labs) if not _independent(coat, labs)}
    found = []
    for lab in labs:
        covered = tuple(
            coat
            for coat in sorted(lacking & set(lab.coats))
            if _learnable(coat, labs, without=lab) >= FEWEST_LABS - 1
        )
        if covered and refusal(lab, labs) is None:
            found.append(Proposal(lab.lab, covered, sum(lab.coats[coat] for coat in covered)))
    return sorted(
        found,
        key=lambda one: (
            -len(one.coats),
            one.animals < ENOUGH_ANIMALS,
            one.animals if one.animals >= ENOUGH_ANIMALS else -one.animals,
            one.lab,
        ),
    )


def sentences(labs: Sequence[LabFacts]) -> list[str]:
    """Return one sentence per coat: which lab is independent, or why none is."""
    told = []
    for coat in _coats(labs):
        name = f"{_title(coat)[:1].upper()}{_title(coat)[1:]} mice"
        apart = _independent(coat, labs)
        number = sum(coat in lab.coats for lab in labs)
        could = [one.lab for one in proposals(labs) if coat in one.coats]
        if apart:
            verb = "validates" if len(apart) == 1 else "validate"
            told.append(f"{name}: {listing(apart)} only {verb}.")
        elif number < FEWEST_LABS:
            told.append(
                f"{name}: {count(number, 'lab')} so far; one is set aside as independent once "
                f"there are {FEWEST_LABS}."
            )
        elif could:
            told.append(
                f"{name}: no lab is independent yet; a maintainer can set {could[0]} aside, as "
                "long as its data are in no snapshot."
            )
        else:
            told.append(
                f"{name}: no lab is independent, and all {number} were learned from; a lab that is "
                "new can be set aside."
            )
    return told


def _coats(labs: Sequence[LabFacts]) -> list[str]:
    return sorted({coat for lab in labs for coat in lab.coats})


def _independent(coat: str, labs: Sequence[LabFacts]) -> list[str]:
    return sorted(lab.lab for lab in labs if lab.independent and coat in lab.coats)


def _learnable(coat: str, labs: Sequence[LabFacts], without: LabFacts) -> int:
    """How many labs with this coat are left to learn from."""
    return sum(coat in lab.coats and not lab.independent and lab.lab != without.lab for lab in labs)


def _title(coat: str) -> str:
    # Without what stands in brackets: "white (albino)".
    titles = {one.key: one.title.partition(" (")[0].lower() for one in load_scale().coats}
    return titles.get(coat, coat)
