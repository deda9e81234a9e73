"""Animals that would sit on both sides of a split."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.checks.near_duplicates import alike
from curation.facts import VersionFacts
from curation.sentences import listing


def no_animal_is_on_both_sides(facts: VersionFacts) -> Finding:
    """Warns when one film is filed under two animals, or under animals of different splits.

    Splits are by animal: a film under two animals could be learned from and measured on.
    """
    names = {one.id: one for one in facts.animals}
    animal_of = {one.id: one.animal for one in facts.observations}
    held = {one.id: one for one in facts.recordings}
    faults: list[tuple[str, str]] = []
    by_bytes: dict[str, tuple[str, str]] = {}
    for one in facts.recordings:
        animal = names.get(animal_of.get(one.observation, ""))
        if animal is None or not one.sha256:
            continue
        first, file = by_bytes.setdefault(one.sha256, (animal.name, one.file))
        if first != animal.name:
            faults.append((animal.name, f"{file} and {one.file} of animals {first} and"))
    for one, twin in alike(facts):
        animal = names.get(animal_of.get(one.observation, ""))
        other = held.get(twin.recording)
        if animal is None:
            continue
        if other is not None:
            second = names.get(animal_of.get(other.observation, ""))
            if second is not None and second.name > animal.name:
                faults.append(
                    (second.name, f"{one.file} and {other.file} of animals {animal.name} and")
                )
        elif twin.known and animal.split and twin.split and animal.split != twin.split:
            faults.append(
                (animal.name, f"{one.file} and a film of {twin.version}, placed apart, of")
            )
    if not faults:
        return Finding(True, "No film is filed under two animals.")
    touched = tuple(dict.fromkeys(animal for animal, _ in faults))
    animal_name, what = faults[0]
    return Finding(
        False,
        f"{what} {animal_name} are the same film; an animal may not be on both sides of a split. "
        f"Correct which animal it shows, or say that they are one animal ({listing(touched)}).",
        touched,
    )


CHECK = Check(
    "both_sides", "No animal on both sides of a split", "warns", no_animal_is_on_both_sides
)
