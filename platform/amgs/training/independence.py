"""Labs that only validate: which are, which could be, and setting one aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction

from amgs.accounts.models import Lab
from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, NotFound, Refused
from amgs.repository.models import Animal, Version
from amgs.training.models import IndependentLab, Placement
from curation.dataset_version import ACCEPTED, IN_REVIEW, PUBLISHED, SCREENED, SUBMITTED
from curation.independence import LabFacts, proposals, refusal, sentences

INDEPENDENT = "independent"
HANDED_IN = (SUBMITTED, SCREENED, IN_REVIEW, ACCEPTED, PUBLISHED)


def independent_labs() -> dict[int, str]:
    """Return the labs set aside: primary key → name."""
    return dict(IndependentLab.objects.values_list("lab_id", "lab__name"))


def coats_by_lab(versions: Iterable[Version]) -> dict[str, Counter[str]]:
    """Return how many animals of each coat the labs of these versions have; three queries."""
    rows = list(versions)
    told = {row.dataset_id: row.metadata.get("coat") for row in rows}
    animals = Animal.objects.filter(dataset__in=list(told), dropped=False).values_list(
        "dataset_id", "dataset__lab__name", "metadata__coat", "group__metadata__coat"
    )
    found: dict[str, Counter[str]] = {}
    for dataset, lab, own, of_group in animals:
        if coat := own or of_group or told[dataset]:
            found.setdefault(lab, Counter())[str(coat)] += 1
    return found


def lab_facts() -> list[LabFacts]:
    """Return what the rule may know of every lab that has handed something in, by name."""
    versions = Version.objects.filter(state__in=HANDED_IN, deleted_at=None).order_by("number")
    coats = coats_by_lab(versions.only("dataset_id", "metadata", "number"))
    used = set(
        Placement.objects.exclude(split=INDEPENDENT)
        .values_list("animal__dataset__lab__name", flat=True)
        .distinct()
    )
    apart = set(independent_labs().values())
    return [
        LabFacts(lab, coats.get(lab, {}), used=lab in used, independent=lab in apart)
        for lab in sorted(coats.keys() | apart)
    ]


def overview_sentences() -> list[str]:
    """Return one sentence per coat: which lab is independent, or why none is."""
    return sentences(lab_facts())


def overview() -> dict[str, Any]:
    """Return what stands on page and API: the labs, a sentence per coat, what could be done."""
    facts = lab_facts()
    rows = IndependentLab.objects.select_related("lab", "by").order_by("pk")
    return {
        "independent": [
            {
                "lab": row.lab.name,
                "why": row.why,
                "by": row.by.name if row.by else "aMGS",
                "at": row.created_at,
            }
            for row in rows
        ],
        "sentences": sentences(facts),
        "labs": [
            {
                "lab": one.lab,
                "coats": dict(one.coats),
                "independent": one.independent,
                "refusal": refusal(one, facts) or "",
            }
            for one in facts
        ],
        "proposals": [
            {"lab": one.lab, "coats": list(one.coats), "animals": one.animals}
            for one in proposals(facts)
        ],
    }


@transaction.atomic
def set_lab_aside(*, by: Actor, lab: str, why: str) -> IndependentLab:
    """Set a lab aside as independent, for ever; the choice and its reason are kept in the log.

    Raises ``Refused`` with the sentence of ``curation.independence``, and ``NotFound``.
    """
    policy.require(by, "training.set_lab_aside")
    if not why.strip():
        raise Refused("Say why this lab; the reason is kept for ever with the choice.", field="why")
    row = Lab.objects.select_for_update().filter(name=lab).first()
    if row is None:
        raise NotFound(f"There is no lab called '{lab}'.")
    facts = lab_facts()
    ours = next((one for one in facts if one.lab == lab), LabFacts(lab, {}))
    if sentence := refusal(ours, facts):
        raise Refused(sentence, field="lab")
    try:
        with transaction.atomic():
            made = IndependentLab.objects.create(
                lab=row, why=why.strip()[:500], by=by if getattr(by, "pk", None) else None
            )
    except IntegrityError as error:
        raise Conflict(f"Somebody set {lab} aside at the same moment.") from error
    decisions.record(
        made, "set_lab_aside", by=by, why=why, facts={"lab": lab, "coats": dict(ours.coats)}
    )
    return made
