"""Where the real pictures lie that a few parts learn from and are judged on; never needed."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "AMGS_REAL_MATERIAL"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_material() -> Path | None:
    """The folder of real pictures, None where there is none.

    The variable AMGS_REAL_MATERIAL names it; unset, it is `../shared/data` beside the project, and
    empty says that there is none.
    """
    named = os.environ.get(VARIABLE)
    if named == "":
        return None
    folder = Path(named) if named else BESIDE
    return folder if folder.is_dir() else None
