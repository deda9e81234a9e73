"""A result with where it comes from, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.result import Result


def write_json(path: str | Path, result: Result, provenance: Mapping[str, Any]) -> None:
    """Write `{"result": …, "provenance": …}`; `provenance` names recording, bundle and snapshot."""
    whole = {"result": result.to_json(), "provenance": dict(provenance)}
    text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")
