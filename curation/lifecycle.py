"""The only state engine: rows of transitions and three questions one may ask of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


class NotAllowed(Exception):
    """An action that the present state, the actor's roles or the four-eyes rule forbid."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class Transition:
    """One step from a state to a state, and who may take it."""

    action: str
    source: str
    target: str
    roles: frozenset[str]
    needs_reason: bool
    """Whether a decision without a sentence why is refused."""
    title: str
    """The label of the button."""
    tells: tuple[str, ...] = ()
    """The roles that are notified once it happened."""
    own_lab_forbidden: bool = False
    """Four eyes: nobody takes this step for data of a lab they belong to."""


@dataclass(frozen=True)
class Lifecycle:
    """A named set of states with the transitions between them; pure, and checked when built."""

    name: str
    """What moves through the states, as it is called in a sentence: "dataset version"."""
    states: tuple[str, ...]
    initial: str
    transitions: tuple[Transition, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    """How a state is called in a sentence; its key in words where none is given."""

    def __post_init__(self) -> None:
        known = set(self.states)
        pairs = [(row.source, row.action) for row in self.transitions]
        if self.initial not in known or len(pairs) != len(set(pairs)):
            raise ValueError(f"{self.name}: unknown initial state, or an action leads two ways")
        for row in self.transitions:
            if not {row.source, row.target} <= known or not row.roles:
                raise ValueError(f"{self.name}: {row.action} names an unknown state or no role")

    @property
    def actions(self) -> tuple[str, ...]:
        """Every action once, in the order in which the rows are written."""
        return tuple(dict.fromkeys(row.action for row in self.transitions))

    @property
    def final(self) -> tuple[str, ...]:
        """The states that nothing leads out of."""
        left = {row.source for row in self.transitions}
        return tuple(state for state in self.states if state not in left)

    def title(self, state: str) -> str:
        """How a state is called in a sentence."""
        return self.titles.get(state, state.replace("_", " "))

    def allowed(
        self, state: str, roles: Collection[str], own_lab: bool = False
    ) -> tuple[Transition, ...]:
        """Return the steps that somebody with these roles may take from this state.

        `own_lab` says whether the actor belongs to the lab that the data come from.
        """
        return tuple(
            row
            for row in self.transitions
            if row.source == state
            and not row.roles.isdisjoint(roles)
            and not (row.own_lab_forbidden and own_lab)
        )

    def next(self, state: str, action: str) -> Transition:
        """Return the one step that an action means in a state; `NotAllowed` if there is none."""
        for row in self.transitions:
            if row.source == state and row.action == action:
                return row
        raise NotAllowed(self._wrong_state(state, action))

    def refusal(
        self,
        state: str,
        action: str,
        roles: Collection[str],
        own_lab: bool = False,
        why: str = "",
    ) -> str | None:
        """Return the sentence that refuses this act, or None when nothing speaks against it."""
        try:
            row = self.next(state, action)
        except NotAllowed as refused:
            return refused.sentence
        if row.roles.isdisjoint(roles):
            if row.roles == {"system"}:
                return f"“{row.title}” happens by itself; wait until it has finished."
            who = " or a ".join(sorted(row.roles - {"system"}))
            return f"Only a {who} may do “{row.title}”; ask one of them."
        if row.own_lab_forbidden and own_lab:
            return (
                f"“{row.title}” needs somebody from another lab: nobody decides on data of "
                f"their own lab. Hand it over to another {' or '.join(sorted(row.roles))}."
            )
        if row.needs_reason and not why.strip():
            return f"“{row.title}” needs a reason: write one sentence that everybody may read."
        return None

    def mermaid(self) -> str:
        """Return the diagram of the lifecycle in the mermaid language, one line per transition."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.initial}"]
        for row in self.transitions:
            who = ", ".join(sorted(row.roles))
            lines.append(f"    {row.source} --> {row.target}: {row.action} ({who})")
        return "\n".join([*lines, *(f"    {state} --> [*]" for state in self.final)]) + "\n"

    def _wrong_state(self, state: str, action: str) -> str:
        if state not in self.states:
            return f"A {self.name} is never in a state called “{state}”; reload the page."
        rows = [row for row in self.transitions if row.action == action]
        if not rows:
            return f"There is no act called “{action}” for a {self.name}; reload the page."
        sources = " or ".join(f"“{self.title(row.source)}”" for row in rows)
        here = [row.title for row in self.transitions if row.source == state]
        now = f"what can follow is: {', '.join(dict.fromkeys(here))}" if here else "this is final"
        return (
            f"“{rows[0].title}” is possible only while the {self.name} is {sources}; "
            f"it is “{self.title(state)}” now, and {now}."
        )
