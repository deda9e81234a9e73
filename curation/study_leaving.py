"""Deleting a study: what goes and what stays, told beforehand.

The platform counts (`StudyCounts`); the sentences, and which of them apply, are said here. How
long a deletion can be undone is the same as for drafts (`curation.leaving`).
"""

from __future__ import annotations

from dataclasses import dataclass

from curation.leaving import UNDO_FOR, Consequence


@dataclass(frozen=True)
class StudyCounts:
    """What hangs on a study, counted now."""

    rows: int = 0
    locked_plans: int = 0
    analyses: int = 0
    """Analyses that ended with results."""
    files: int = 0
    """Files of these analyses."""
    under_way: int = 0
    """Analyses that are computed at this moment."""
    shared: bool = False
    """Whether others have a link to the results."""
    log_entries: int = 0
    scores: int = 0
    scores_due: int = 0
    """Scores whose own time will be over when the study cannot be brought back any more."""
    score_days: int = 0
    """How many days a score is kept that no study holds."""


def consequences_of_study(counts: StudyCounts) -> tuple[Consequence, ...]:
    """Return what a deletion takes away and what it leaves as it is, in order."""
    told = [
        Consequence(
            "hidden",
            counts.rows,
            f"The table with {_count(counts.rows, 'row')}, {_plan(counts.locked_plans)} and the "
            "list of what was changed disappear at once from pages and API.",
        )
    ]
    if counts.shared:
        told.append(
            Consequence(
                "link", 1, "The link to its results leads nowhere; whoever has it reads nothing."
            )
        )
    if counts.under_way:
        told.append(Consequence("stopped", counts.under_way, "The analysis under way is stopped."))
    if counts.analyses:
        told.append(
            Consequence(
                "files",
                counts.files,
                f"{_count(counts.analyses, 'analysis', 'analyses')} with "
                f"{_count(counts.files, 'file')} (report, tables, figures, study.zip) "
                f"{'is' if counts.analyses == 1 else 'are'} deleted for good after "
                f"{UNDO_FOR.days} days. Download study.zip first if you may need it.",
            )
        )
    if counts.scores_due:
        told.append(_due(counts))
    told.append(
        Consequence(
            "undo",
            UNDO_FOR.days,
            f"For {UNDO_FOR.days} days you can bring it back as it is, under “Deleted studies”. "
            "After that table and plan are deleted for good, too.",
            stays=True,
        )
    )
    if counts.scores:
        one = counts.scores == 1
        stay = "stays at its link" if one else "stay at their links"
        told.append(
            Consequence(
                "scores",
                counts.scores,
                f"{_count(counts.scores, 'score')} {stay}, and can be put into another study.",
                stays=True,
            )
        )
    told.append(
        Consequence(
            "log",
            counts.log_entries,
            "The log of this site keeps its entries about the study (who locked which plan and "
            "when, what was changed after results were seen), and gets one for the deletion and "
            "one if you bring it back. No entry of the log is ever deleted.",
            stays=True,
        )
    )
    return tuple(told)


def _due(counts: StudyCounts) -> Consequence:
    one = counts.scores_due == 1
    them = "it" if one else "them"
    return Consequence(
        "scores_due",
        counts.scores_due,
        f"After those {UNDO_FOR.days} days {_count(counts.scores_due, 'score')} "
        f"{'is' if one else 'are'} older than {counts.score_days} days, and nothing keeps {them} "
        f"any longer: put {them} into another study or download {them} before, or "
        f"{'it goes with its film' if one else 'they go with their films'}.",
    )


def _plan(locked: int) -> str:
    if not locked:
        return "its plan"
    return f"its plan ({_count(locked, 'locked version')})"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
