"""Who made a dataset: people by name, ORCID iD and what they did."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from curation.problems import Problem

ORCID_ORG = "https://orcid.org/"
MOST = 100
MOST_NAME = 200
AUTHOR = "author"


@dataclass(frozen=True)
class Role:
    """What somebody did for a dataset, and DataCite's word for it."""

    key: str
    title: str
    datacite: str
    """A ``contributorType``; empty for those whom a citation names."""


ROLES: tuple[Role, ...] = (
    Role(AUTHOR, "Author, named in citations", ""),
    Role("data_collector", "Did the experiment and filmed", "DataCollector"),
    Role("rater", "Graded frames", "Researcher"),
    Role("data_curator", "Prepared the data", "DataCurator"),
    Role("supervisor", "Supervised the work", "Supervisor"),
    Role("contact_person", "Answers questions", "ContactPerson"),
)
BY_KEY: dict[str, Role] = {row.key: row for row in ROLES}


@dataclass(frozen=True)
class Contributor:
    """One person with one role."""

    name: str
    """Family name, comma, given names; as it is where it has no comma."""
    orcid: str = ""
    """Sixteen digits in groups of four, checked; empty where the person has none."""
    role: str = AUTHOR

    @property
    def orcid_url(self) -> str:
        """The address that an ORCID iD is written as; empty without one."""
        return f"{ORCID_ORG}{self.orcid}" if self.orcid else ""

    @property
    def role_title(self) -> str:
        """What the person did, in words."""
        return BY_KEY[self.role].title

    @property
    def parts(self) -> tuple[str, str]:
        """Family name and given names; the latter are empty where the name has no comma."""
        family, _, given = self.name.partition(",")
        return family.strip(), given.strip()

    def to_json(self) -> dict[str, str]:
        """Return the person as a dictionary of texts."""
        return asdict(self)


_ORCID = re.compile(
    r"(?:https?://)?(?:www\.)?(?:orcid\.org/)?((?:[0-9]{4}[-\s]?){3}[0-9]{3}[0-9X])/?",
    re.IGNORECASE,
)


def check_digit(digits: str) -> str:
    """Return the last character of an ORCID iD from the 15 digits before it.

    ISO 7064 mod 11-2, as https://support.orcid.org describes it: from left to right
    ``t = (t + d) * 2``; the character is ``(12 - t mod 11) mod 11``, with X for ten.
    """
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    found = (12 - total % 11) % 11
    return "X" if found == 10 else str(found)


def orcid_of(text: str) -> str:
    """Return an ORCID iD as it is kept, from an address or its digits.

    Raises ValueError with a sentence where it cannot be one.
    """
    found = _ORCID.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"“{text.strip()[:60]}” is no ORCID iD; it has 16 digits, such as 0000-0002-1825-0097."
        )
    plain = re.sub(r"[-\s]", "", found[1]).upper()
    if check_digit(plain[:15]) != plain[15]:
        raise ValueError(
            f"The last digit of the ORCID iD {text.strip()[:60]} does not fit the others; copy it "
            "anew from orcid.org."
        )
    return "-".join(plain[place : place + 4] for place in range(0, 16, 4))


def read(rows: Iterable[Mapping[str, Any]]) -> tuple[list[Contributor], list[Problem]]:
    """Return the people in the order given, and what is wrong with rows, counted from 1.

    Rows without a name and an ORCID iD are left out.
    """
    people: list[Contributor] = []
    problems: list[Problem] = []
    for number, row in enumerate(rows, start=1):
        if number > MOST:
            problems.append(Problem(f"At most {MOST} people can be named.", row=number))
            break
        values = {key: row.get(key) or "" for key in ("name", "orcid", "role")}
        unknown = sorted(set(row) - set(values))
        if unknown or not all(isinstance(value, str) for value in values.values()):
            sentence = "A person has a name, an orcid and a role, each a text."
            problems.append(Problem(sentence, row=number, field=(unknown or ["name"])[0]))
            continue
        if not values["name"].strip() and not values["orcid"].strip():
            continue
        person, found = _judge(number, values)
        if person in people:
            sentence = f"{person.name} is there already with the same role."
            found.append(Problem(sentence, row=number, field="name"))
        problems += found
        people.append(person)
    return people, problems


def _judge(number: int, values: Mapping[str, str]) -> tuple[Contributor, list[Problem]]:
    name = " ".join(values["name"].split())
    orcid, role = "", values["role"] or AUTHOR
    problems = []
    family, comma, given = name.partition(",")
    if not name:
        problems.append(Problem("Please give the name of the person.", row=number, field="name"))
    elif len(name) > MOST_NAME:
        sentence = f"The name has more than {MOST_NAME} characters."
        problems.append(Problem(sentence, row=number, field="name"))
    elif comma and (not family.strip() or not given.strip() or "," in given):
        sentence = f"“{name}” has no name on both sides of one comma; write “Arber, Alice”."
        problems.append(Problem(sentence, row=number, field="name"))
    if values["orcid"].strip():
        try:
            orcid = orcid_of(values["orcid"])
        except ValueError as wrong:
            problems.append(Problem(str(wrong), row=number, field="orcid"))
    if role not in BY_KEY:
        sentence = f"There is no role “{role[:60]}”; choose one of {', '.join(BY_KEY)}."
        problems.append(Problem(sentence, row=number, field="role"))
    return Contributor(name, orcid, role), problems


def kept(rows: Iterable[Mapping[str, str]]) -> tuple[Contributor, ...]:
    """Return people as ``Contributor.to_json`` wrote them."""
    return tuple(Contributor(**row) for row in rows)
