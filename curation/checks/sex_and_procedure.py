"""Animals whose sex does not go with the procedure."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing

ONLY = {"vasectomy": "male", "castration": "male", "orchiectomy": "male", "ovariectomy": "female"}
"""Procedures that only one sex can have."""


def sexes_fit_the_procedure(facts: VersionFacts) -> Finding:
    """Warns when an animal is of the sex that cannot have the procedure."""
    procedure = str(facts.metadata.get("procedure") or "").strip().casefold()
    needed = ONLY.get(procedure)
    odd = tuple(
        one.name
        for one in facts.animals
        if needed and one.sex in {"female", "male"} and one.sex != needed
    )
    if not odd:
        return Finding(True, "No sex contradicts the procedure.")
    return Finding(
        False,
        f"The procedure is {procedure}, but animal {listing(odd)} is said to be "
        f"{'female' if needed == 'male' else 'male'}. Correct the sex or the procedure, or say "
        "why.",
        odd,
    )


CHECK = Check("sex_and_procedure", "Sex and procedure agree", "warns", sexes_fit_the_procedure)
