"""Which process of a run this is, where several devices share its steps. Needs no torch.

The first process (rank 0) prepares, tells, writes and goes on to the bundle; the others take part
in the fit alone. Lightning starts them on one machine, torchrun or SLURM on several; each says in
the environment which one it is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from models.config import FitConfig

GATHERED = "gathered"
"""File of a run's folder that says that finder, eye reader and crops are in the cache."""


def rank_of(fit: FitConfig) -> int:
    """The number of this process among those that share the steps; 0 where there is only one."""
    told = os.environ
    if fit.processes == 1:
        return 0
    if "RANK" in told:
        return int(told["RANK"])
    if "LOCAL_RANK" in told or "NODE_RANK" in told:
        return int(told.get("NODE_RANK", 0)) * fit.devices + int(told.get("LOCAL_RANK", 0))
    return int(told.get("SLURM_PROCID", 0))


def tell_gathered(out: Path) -> None:
    """Say that what all processes read lies in the cache."""
    (out / GATHERED).touch()


def forget_gathered(out: Path) -> None:
    """Take that back: it is about to be made sure of anew."""
    (out / GATHERED).unlink(missing_ok=True)


def wait_until_gathered(out: Path, pause_s: float = 0.5) -> None:
    """Wait for the first process; whatever started this one ends it when the first has failed."""
    while not (out / GATHERED).is_file():
        time.sleep(pause_s)
