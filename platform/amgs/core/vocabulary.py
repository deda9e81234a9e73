"""How vocabularies of the scale and of curation reach the schema: as callables.

A migration that imported ``models`` (the pictures-and-numbers layer) or listed its keys could
not be loaded after a unit was added; ``choices`` given as callables stay out of migrations.
"""

from __future__ import annotations

from functools import cache


def _scale():
    from models.scale import load_scale

    return load_scale()


@cache
def unit_keys() -> tuple[str, ...]:
    """Return the keys of the action units."""
    return tuple(_scale().unit_keys)


def units() -> list[tuple[str, str]]:
    """Return (key, title) of every action unit."""
    return [(unit.key, unit.title) for unit in _scale().units]


def reasons() -> list[tuple[str, str]]:
    """Return (key, title) of every not-scorable reason."""
    return [(reason.key, reason.title) for reason in _scale().reasons]


def coats() -> list[tuple[str, str]]:
    """Return (key, title) of every coat."""
    return [(coat.key, coat.title) for coat in _scale().coats]


def states() -> list[tuple[str, str]]:
    """Return (key, title) of every state of a mouse."""
    return [(state.key, state.title) for state in _scale().states]


def tasks() -> list[tuple[str, str]]:
    """Return (key, title) of every kind of task raters are given."""
    from curation.asking import KINDS

    return [(kind.key, kind.title) for kind in KINDS.values()]


def dataset_states() -> list[tuple[str, str]]:
    """Return (key, title) of every state of a dataset version."""
    from curation.dataset_version import LIFECYCLE

    return [(state, state.replace("_", " ")) for state in LIFECYCLE.states]


def model_states() -> list[tuple[str, str]]:
    """Return (key, title) of every state of a model version."""
    from curation.model_version import LIFECYCLE

    return [(state, state.replace("_", " ")) for state in LIFECYCLE.states]


def roles() -> list[tuple[str, str]]:
    """Return (key, title) of every role a person may hold."""
    from curation.roles import ROLES

    return [(role, role) for role in ROLES if role != "system"]
