"""Animals whose coat their strain does not have."""

from __future__ import annotations

import re

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing
from models.scale import Scale, load_scale


def coats_fit_strains(facts: VersionFacts) -> Finding:
    """Warns when an animal of a strain whose coat is known is said to have another coat."""
    scale = load_scale()
    odd = [
        one
        for one in facts.animals
        if one.coat in scale.coat_keys and coat_of(one.strain, scale) not in (None, one.coat)
    ]
    if not odd:
        return Finding(True, "No animal has a coat that its strain does not have.")
    first = odd[0]
    usual = scale.coat(coat_of(first.strain, scale) or first.coat).title
    names = [one.name for one in odd]
    return Finding(
        False,
        f"{first.strain} is usually {usual.lower()}, but animal {listing(names)} is said to be "
        f"{scale.coat(first.coat).title.lower()}. Correct the strain or the coat, or say why.",
        tuple(names),
    )


def coat_of(strain: str, scale: Scale) -> str | None:
    """Return the coat of a strain that the scale names, substrains and spellings aside."""
    name = _stem(strain)
    return next((coat.key for coat in scale.coats if name and _stem(coat.strain) == name), None)


def _stem(strain: str) -> str:
    """`C57BL/6J`, `c57bl/6N` and `C57Bl6` are one strain here, `BALB/cJ` and `Balb c` another."""
    plain = re.sub(r"[^a-z0-9]", "", strain.casefold())
    return re.sub(r"(?<=[0-9c])(?:j|n|ncrl|jrj|byj|ancrl|annrj|olahsd|jcrl|nhsd)$", "", plain)


CHECK = Check("strain_and_coat", "Coat and strain agree", "warns", coats_fit_strains)
