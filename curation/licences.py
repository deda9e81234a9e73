"""The licences under which a public download may stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """A licence as it is chosen and as it is cited."""

    title: str
    url: str
    means: str
    """What it asks of whoever uses the data, in a line."""


LICENCES: dict[str, Licence] = {
    "CC0-1.0": Licence(
        "Creative Commons Zero 1.0 Universal",
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "CC0: no conditions, not even to be named",
    ),
    "CC-BY-4.0": Licence(
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/",
        "CC-BY: whoever uses them names the lab",
    ),
    "CC-BY-NC-4.0": Licence(
        "Creative Commons Attribution Non Commercial 4.0 International",
        "https://creativecommons.org/licenses/by-nc/4.0/",
        "CC-BY-NC: named, and not for commercial ends",
    ),
}
"""By SPDX identifier."""


def described(key: str) -> Licence:
    """Return a licence; one that is not offered (or none) has its identifier for a title."""
    return LICENCES.get(key) or Licence(key, "", "")
