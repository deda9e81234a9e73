"""Leaving: what may be deleted, what a withdrawal does, and its consequences told beforehand.

The platform counts (`Counts`); the sentences, and which of them apply, are said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from curation.dataset_version import PUBLISHED, REJECTED, RETRACTED, WITHDRAWN
from curation.embargo import UNPUBLISHED
from curation.permissions import DOWNLOAD, KINDS, OUTSIDE_RATERS, SHOW_FRAMES, TRAIN

UNDO_FOR = timedelta(days=30)
"""How long a deleted draft can be brought back."""
FILES_GONE_WITHIN = timedelta(days=30)
"""Within this time after a withdrawal every file is deleted, caches included."""
REJECTED_KEPT_FOR = timedelta(days=90)
"""How long the files of a rejected version are kept; until then it can be opened again."""
WARNED_BEFORE = timedelta(days=14)
"""How long before that its lab is warned."""
WITHDRAW, RETRACT, DELETE = "withdraw", "retract", "delete"
TAKE_BACK = tuple(f"take_back_{kind}" for kind in KINDS)
ACTS = (WITHDRAW, RETRACT, DELETE, *TAKE_BACK)
"""Acts whose consequences are told beforehand."""


@dataclass(frozen=True)
class Counts:
    """What hangs on a version, counted now; bytes in `file_bytes` and `shared_bytes`."""

    recordings: int = 0
    shared_recordings: int = 0
    """Recordings that another living version holds too: they stay."""
    files: int = 0
    """Files that will be deleted: originals, public copies, proxies, stills, hashes, sheets."""
    file_bytes: int = 0
    """Bytes of the originals that will be deleted."""
    frames: int = 0
    graded_frames: int = 0
    ratings: int = 0
    waiting_frames: int = 0
    """Frames that still wait for raters outside the lab."""
    raters_now: int = 0
    """Raters who hold a frame at this moment."""
    snapshots: int = 0
    runs_under_way: int = 0
    models: int = 0
    serving_models: tuple[str, ...] = ()
    scores: int = 0
    """Scores that models gave which learned from the version."""


@dataclass(frozen=True)
class Consequence:
    """One thing that follows, with the number it rests on; `stays` is what does not change."""

    key: str
    number: int
    sentence: str
    stays: bool = False


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _is(number: int, one: str = "is", many: str = "are") -> str:
    return one if number == 1 else many


def may_be_deleted(state: str) -> str | None:
    """Return the sentence that refuses a deletion in this state, or None."""
    if state in UNPUBLISHED:
        return None
    if state == PUBLISHED:
        return (
            "A published version is cited and cannot be deleted. Withdraw it if it may not be "
            "shared, or retract it if the data are wrong."
        )
    return "This version has left already; its page stays, so that citations lead somewhere."


def undo_refusal(deleted_at: datetime, now: datetime, other_draft: str = "") -> str | None:
    """Return the sentence that refuses to bring a deleted draft back, or None."""
    if now - deleted_at > UNDO_FOR:
        return f"It was deleted more than {UNDO_FOR.days} days ago and is being cleared away."
    if other_draft:
        return (
            f"{other_draft} is being worked on; a dataset has one unpublished version at a time. "
            "Delete or publish that one first."
        )
    return None


def reopen_refusal(kept_until: datetime | None, now: datetime) -> str | None:
    """Return the sentence that refuses to open a rejected version again, or None."""
    if kept_until is None or now <= kept_until:
        return None
    return (
        f"It was rejected more than {REJECTED_KEPT_FOR.days} days ago, and its files are deleted. "
        "Delete this version and send the recordings again in a new one."
    )


def keeps_files(
    state: str, deleted_at: datetime | None, now: datetime, kept_until: datetime | None = None
) -> bool:
    """Whether a version is living: what it holds may not be deleted for another's sake.

    A deleted draft is, for as long as it can be brought back; a rejected one until `kept_until`.
    """
    if state == REJECTED and kept_until is not None and now > kept_until:
        return False
    return state != WITHDRAWN and (deleted_at is None or now - deleted_at <= UNDO_FOR)


def consequences(act: str, counts: Counts) -> tuple[Consequence, ...]:
    """Return what an act does and what it leaves as it is, for these counts, in order."""
    if act == DELETE:
        return _of_deletion(counts)
    if act == WITHDRAW:
        past = _of_the_past(counts)
        return (*_of_withdrawal(counts), *_of_absence(counts), *past, _licensed())
    if act == RETRACT:
        return (*_of_retraction(counts), *_of_absence(counts), *_flags(counts))
    if act in TAKE_BACK:
        return _of_taking_back(act.removeprefix("take_back_"), counts)
    raise KeyError(act)


def _of_deletion(counts: Counts) -> tuple[Consequence, ...]:
    told = [
        Consequence(
            "hidden",
            counts.recordings,
            f"The draft with {_count(counts.recordings, 'recording')} and "
            f"{_count(counts.ratings, 'grade')} disappears at once from every list.",
        ),
        Consequence(
            "undo",
            UNDO_FOR.days,
            f"For {UNDO_FOR.days} days every member of the lab can bring it back as it is, under "
            "“Deleted drafts”. After that its files are deleted for good.",
            stays=True,
        ),
    ]
    if counts.waiting_frames:
        told.append(_no_more_raters(counts))
    if counts.shared_recordings:
        told.append(_shared(counts))
    return tuple(told)


def _of_withdrawal(counts: Counts) -> tuple[Consequence, ...]:
    told = [
        Consequence(
            "tombstone",
            1,
            "The page of the dataset stays as a tombstone with its title, who withdrew it, when "
            "and why, so that citations lead somewhere. This cannot be undone.",
        ),
        Consequence(
            "downloads",
            counts.recordings,
            f"Downloads of {_count(counts.recordings, 'recording')} stop at once.",
        ),
        Consequence(
            "files",
            counts.files,
            f"{_count(counts.files, 'file')} ({_size(counts.file_bytes)} of originals) "
            f"{_is(counts.files)} deleted within {FILES_GONE_WITHIN.days} days: originals, "
            "public copies, proxies, stills, thumbnails, hashes, score sheets, and the crops and "
            "copies in caches.",
        ),
    ]
    if counts.shared_recordings:
        told.append(_shared(counts))
    return tuple(told)


def _of_retraction(counts: Counts) -> tuple[Consequence, ...]:
    return (
        Consequence(
            "tombstone",
            1,
            "The page of the dataset says that the data are wrong, who retracted them, when and "
            "why. It stays, so that citations lead somewhere. This cannot be undone.",
        ),
        Consequence(
            "downloads",
            counts.recordings,
            f"Downloads of {_count(counts.recordings, 'recording')} by others stop at once.",
        ),
        Consequence(
            "files",
            counts.recordings,
            "The files stay with the lab and the curators, so that the error can be followed; "
            "withdraw the version as well to have them deleted.",
            stays=True,
        ),
        *([_shared(counts)] if counts.shared_recordings else []),
    )


def _of_absence(counts: Counts) -> tuple[Consequence, ...]:
    told = [
        Consequence(
            "no_snapshot",
            counts.graded_frames,
            f"{_count(counts.graded_frames, 'graded frame')} {_is(counts.graded_frames)} absent "
            "from every future snapshot, so no later model learns from them."
            if counts.graded_frames
            else "It comes into no future snapshot, so no later model learns from it.",
        )
    ]
    if counts.runs_under_way:
        told.append(
            Consequence(
                "runs",
                counts.runs_under_way,
                f"{_count(counts.runs_under_way, 'training run')} under way "
                f"{_is(counts.runs_under_way)} stopped.",
            )
        )
    return tuple(told)


def _of_the_past(counts: Counts) -> tuple[Consequence, ...]:
    told = (
        Consequence(
            "manifests",
            counts.snapshots,
            f"{_count(counts.snapshots, 'earlier snapshot')} "
            f"{_is(counts.snapshots, 'keeps', 'keep')} the digests and grades in its manifest "
            "(no pictures), so that what was trained can be accounted for.",
            stays=True,
        ),
        Consequence(
            "models",
            counts.models,
            f"{_count(counts.models, 'model version')} that learned from it "
            f"{_is(counts.models, 'stays', 'stay')}, and {_is(counts.models, 'says', 'say')} so.",
            stays=True,
        ),
        Consequence(
            "scores",
            counts.scores,
            f"{_count(counts.scores, 'score')} given with those models "
            f"{_is(counts.scores, 'stays', 'stay')} valid, with a note.",
            stays=True,
        ),
    )
    return tuple(row for row in told if row.number) or (_untouched(),)


def _untouched() -> Consequence:
    return Consequence(
        "untouched", 0, "No snapshot, model or score rests on it so far.", stays=True
    )


def _flags(counts: Counts) -> tuple[Consequence, ...]:
    depending = counts.snapshots + counts.models + counts.scores
    if not depending:
        return (_untouched(), _licensed())
    told = [
        Consequence(
            "flags",
            depending,
            f"{_count(counts.snapshots, 'snapshot')}, {_count(counts.models, 'model version')} "
            f"and {_count(counts.scores, 'score')} that depend on it are flagged, each on its "
            "own page.",
        )
    ]
    if counts.serving_models:
        names = " and ".join(counts.serving_models)
        told.append(
            Consequence(
                "retrain",
                len(counts.serving_models),
                f"{names} grades in public and depends on it: the maintainers are asked to "
                "retrain without these data.",
            )
        )
    return (*told, _licensed())


def _of_taking_back(kind: str, counts: Counts) -> tuple[Consequence, ...]:
    if kind == OUTSIDE_RATERS:
        return (
            _no_more_raters(counts),
            Consequence(
                "ratings",
                counts.ratings,
                f"{_count(counts.ratings, 'grade')} that {_is(counts.ratings, 'exists', 'exist')} "
                f"already {_is(counts.ratings, 'stays', 'stay')}.",
                stays=True,
            ),
        )
    if kind == TRAIN:
        return (*_of_absence(counts), *_of_the_past(counts))
    if kind == SHOW_FRAMES:
        return (
            Consequence(
                "pictures",
                counts.frames,
                f"{_count(counts.frames, 'frame')} of {_count(counts.recordings, 'recording')} "
                f"{_is(counts.frames)} shown on no public page and in no new report.",
            ),
            Consequence(
                "copies",
                0,
                "Pictures that others have copied or printed cannot be called back.",
                stays=True,
            ),
        )
    if kind == DOWNLOAD:
        return (
            Consequence(
                "downloads",
                counts.recordings,
                f"Downloads of {_count(counts.recordings, 'recording')} by others stop at once.",
            ),
            _licensed(),
        )
    raise KeyError(kind)


def _no_more_raters(counts: Counts) -> Consequence:
    held = (
        f" {_count(counts.raters_now, 'rater')} {_is(counts.raters_now, 'has', 'have')} one on "
        "the screen now and cannot send it any more."
        if counts.raters_now
        else ""
    )
    waiting = counts.waiting_frames
    return Consequence(
        "raters",
        waiting,
        f"{_count(waiting, 'frame')} that {_is(waiting, 'waits', 'wait')} for raters outside the "
        f"lab {_is(waiting)} given to nobody any more.{held}",
    )


def _shared(counts: Counts) -> Consequence:
    shared = counts.shared_recordings
    return Consequence(
        "shared",
        shared,
        f"{_count(shared, 'recording')} {_is(shared, 'belongs', 'belong')} to another version as "
        f"well and {_is(shared, 'stays', 'stay')} there with {_is(shared, 'its', 'their')} files; "
        "if the reason holds for that version too, it has to leave by itself.",
        stays=True,
    )


def _licensed() -> Consequence:
    return Consequence(
        "licensed",
        0,
        "Copies that others have downloaded under the licence stay licensed.",
        stays=True,
    )


def _size(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1000
    return ""


@dataclass(frozen=True)
class Note:
    """What stands on the page of a snapshot, a model or a score that rests on data that left."""

    dataset: str
    state: str
    sentence: str
    grave: bool
    """Whether the data were wrong, which asks for retraining; else only rights changed."""


def note(subject: str, dataset: str, state: str, why: str = "") -> Note | None:
    """Return the note on a thing (“This snapshot”, …) for a version it rests on, or None."""
    told = f" The reason given: “{why.strip()}”" if why.strip() else ""
    if state == WITHDRAWN:
        return Note(
            dataset,
            state,
            f"{subject} rests in part on {dataset}, which has been withdrawn since because it may "
            f"not be shared any more. The figures stay valid.{told}",
            grave=False,
        )
    if state == RETRACTED:
        return Note(
            dataset,
            state,
            f"{subject} rests in part on {dataset}, which was retracted because the data are "
            f"wrong. Do not rely on it before a model was retrained without these data.{told}",
            grave=True,
        )
    return None


def dependent_models(
    snapshots: Iterable[str],
    learned_from: Mapping[str, str],
    began_with: Mapping[str, str],
) -> frozenset[str]:
    """Return the models that depend on any of these snapshots, directly or through their start.

    `learned_from` is model → snapshot, `began_with` model → the model whose weights it began
    with; a model that began with a dependent one depends as well.
    """
    wanted = set(snapshots)
    found = {model for model, snapshot in learned_from.items() if snapshot in wanted}
    while more := {
        model for model, start in began_with.items() if start in found and model not in found
    }:
        found |= more
    return frozenset(found)
