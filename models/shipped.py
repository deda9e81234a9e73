"""Parts that come with the program: a finder and an eye reader that no run has to fit.

`models/bundles/parts/NAME/` holds the ONNX graph, the weights and `facts.json`, which says how the
part was fitted, on what, and what it reached on real recordings. Needs no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import config as configs
from models.config import ConfigError

PARTS = Path(__file__).parent / "bundles" / "parts"


def shipped_part(name: str, config: Any, fixed: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    """Folder and facts of a shipped part.

    Raises ConfigError where it is not there, or where one of the `fixed` fields of the
    configuration, which say what the network looks like, is not that of the part.
    """
    facts = shipped_part_facts(name)
    wanted, own = configs.to_dict(config), facts["config"]
    for field in fixed:
        if not _same(wanted, own, field):
            raise ConfigError(
                f"{name}: the shipped one has {field} = {own.get(field)}, not {wanted[field]}."
            )
    return PARTS / name, facts


def shipped_part_facts(name: str) -> dict[str, Any]:
    """What is known of a shipped part; raises ConfigError where it is not there."""
    try:
        facts: dict[str, Any] = json.loads(
            (PARTS / name / "facts.json").read_text(encoding="utf-8")
        )
    except OSError as error:
        raise ConfigError(f"No {name} comes with this program; set {name}.shipped to false.") from (
            error
        )
    return facts


def _same(one: Mapping[str, Any], other: Mapping[str, Any], field: str) -> bool:
    return bool(one[field] == other.get(field))
