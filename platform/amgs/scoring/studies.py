"""Make a study: put scores into its table, say what they are of, pin it to one version, share it.

What is locked and when is in ``study_plans``; the analysis is a job of ``study_jobs``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.decisions import record
from amgs.core.errors import NotFound, Refused
from amgs.core.idempotency import once
from amgs.core.models import Job
from amgs.registry.models import ModelVersion
from amgs.scoring.models import Study, StudyAnalysis, StudyEntry, ToolRun
from amgs.scoring.rescoring import may_grade, rescore
from curation.study_table import BY_KEY, MOST_ROWS, Reading, cell

FIELDS = tuple(BY_KEY)
MOST_TOLD = 50
MOST_LOGGED = 200
DELETED = "This study was deleted; for some days it can be brought back under “Deleted studies”."
MIXED = "mixed"
"""The field of a refusal because of several versions; its page offers to score all with one."""


def find_study(public_id: str, by: Actor) -> Study:
    """Return a study of this person; raises ``NotFound`` for those of others, too."""
    rows = Study.objects.select_related("model_version", "owner").defer(*ModelVersion.heavy())
    found = rows.filter(public_id=public_id).first()
    if found is None or not policy.may(by, "scoring.see_study", found):
        raise NotFound("There is no such study among yours.")
    if found.deleted_at is not None:
        raise NotFound(DELETED)
    return found


def shared_study(token: str) -> Study:
    """Return the study behind a link that its owner gave away; raises ``NotFound``."""
    rows = Study.objects.select_related("model_version", "owner").defer(*ModelVersion.heavy())
    found = rows.filter(share_token=token, deleted_at=None).first() if token else None
    if found is None:
        raise NotFound("There is no study at this link; its owner may have taken it back.")
    return found


def _title(title: str) -> str:
    plain = " ".join(title.replace("\x00", " ").split())
    if not plain:
        raise Refused("Please give the study a title.", field="title")
    return plain[:200]


def create_study(*, by: Any, title: str) -> Study:
    """Make an empty study of a person."""
    return Study.objects.create(owner=by, title=_title(title))


def create_study_once(*, by: Any, title: str, key: str) -> tuple[Study, bool]:
    """Make an empty study once per idempotency key; return it and whether this call made it."""
    return once(
        who=by.public_id,
        act="study",
        key=key,
        body={"title": title},
        make=lambda: create_study(by=by, title=title),
        find=lambda made: Study.objects.filter(public_id=made, deleted_at=None).first(),
    )


def rename_study(*, by: Actor, study: Study, title: str) -> None:
    """Give a study another title."""
    policy.require(by, "scoring.edit_study", study)
    study.title = _title(title)
    study.save(update_fields=["title"])


def share_study(*, by: Actor, study: Study) -> str:
    """Return the token by which others may read the results; made anew where there is none."""
    policy.require(by, "scoring.edit_study", study)
    if not study.share_token:
        study.share_token = secrets.token_urlsafe(16)
        study.save(update_fields=["share_token"])
    return study.share_token


def stop_sharing(*, by: Actor, study: Study) -> None:
    """Take the link back: whoever has it finds nothing there any more."""
    policy.require(by, "scoring.edit_study", study)
    study.share_token = None
    study.save(update_fields=["share_token"])


def results_were_seen(study: Study) -> bool:
    """Whether any analysis of the study ever ended with results."""
    return StudyAnalysis.objects.filter(study=study, job__state=Job.State.DONE).exists()


def seen_elsewhere(study: Study) -> int:
    """Return how many of the recordings had results in another study of the same owner.

    Whoever locks a plan for them may know which outcome would look best.
    """
    others = StudyEntry.objects.exclude(study=study).filter(
        study__owner=study.owner_id, study__analyses__job__state=Job.State.DONE
    )
    same = Q(run__in=others.values("run")) | Q(run__blob__in=others.values("run__blob"))
    return StudyEntry.objects.filter(same, study=study).count()


def entries_of(study: Study) -> list[StudyEntry]:
    """Return the rows of the table in the order in which they were added."""
    rows = StudyEntry.objects.filter(study=study).order_by("pk")
    scores = ("run__job", "run__upload", "run__model_version")
    again = ("replacement__job", "replacement__upload", "replacement__model_version")
    return list(rows.select_related(*scores, *again, "run__rescored_from"))


def open_study(by: Actor, study: Study) -> Study:
    """Return the study, locked until the transaction ends, for somebody who may change it.

    Raises ``NotFound`` where it was deleted meanwhile.
    """
    policy.require(by, "scoring.edit_study", study)
    found = Study.objects.select_for_update().filter(pk=study.pk, deleted_at=None).first()
    if found is None:
        raise NotFound(DELETED)
    return found


def token_in(text: str) -> str:
    """Return the token of a score that a link, or the token itself, names."""
    parts = [part for part in text.strip().split("?")[0].split("/") if part]
    return parts[-1][:40] if parts else ""


@transaction.atomic
def add_scores(
    *, by: Any, study: Study, scores: Sequence[str], model: str = ""
) -> list[StudyEntry]:
    """Put scores, given by their links or tokens, into the table; return the new rows.

    The first score pins the study to its version. Scores of another version are refused (field
    ``MIXED``) unless ``model`` names the one with which all of the study is scored then. A
    recording that is in the table already is passed over, whichever version scored it.
    """
    study = open_study(by, study)
    runs = _runs(scores)
    known = _known(study)
    new = list({_first(run): run for run in runs if _first(run) not in known}.values())
    if len(known) + len(new) > MOST_ROWS:
        raise Refused(f"A study has at most {MOST_ROWS} rows.", field="scores")
    pinned = may_grade(_version(model)) if model else study.model_version
    for run in new:
        pinned = pinned or run.model_version
    if not model:
        _refuse_mixed(new, pinned)
    made = [StudyEntry.objects.create(study=study, **_from_run(run)) for run in new]
    if pinned is not None and (model or study.model_version_id is None):
        _pin(by, study, pinned)
    return made


def _runs(scores: Sequence[str]) -> list[ToolRun]:
    tokens = list(dict.fromkeys(filter(None, map(token_in, scores))))
    if not tokens:
        raise Refused("Choose at least one score.", field="scores")
    if len(tokens) > MOST_ROWS:
        raise Refused(f"At most {MOST_ROWS} scores are added at once.", field="scores")
    rows = ToolRun.objects.select_related("model_version", "rescored_from__model_version").defer(
        *ModelVersion.heavy(), *ModelVersion.heavy("rescored_from__model_version")
    )
    found = {run.token: run for run in rows.filter(token__in=tokens, tool="score")}
    wrong = [f"“{token}” is no score of this site." for token in tokens if token not in found]
    wrong += [
        f"{run.name} is not ready yet; add it when its score is there."
        for run in found.values()
        if not run.result
    ]
    if wrong:
        raise Refused("Nothing was added.", field="scores", details=_told(wrong))
    return [found[token] for token in tokens]


def _first(run: ToolRun) -> int:
    """Return the key of the first score of a recording, by which second ones are told."""
    return run.rescored_from_id or run.pk


def _known(study: Study) -> set[int]:
    """Return the keys of the first scores of all recordings in a table."""
    rows = StudyEntry.objects.filter(study=study, run__isnull=False)
    return {first or run for run, first in rows.values_list("run", "run__rescored_from")}


def _told(sentences: Iterable[str]) -> list[dict[str, str]]:
    rows = list(sentences)
    told = [{"sentence": sentence} for sentence in rows[:MOST_TOLD]]
    if len(rows) > MOST_TOLD:
        told.append({"sentence": f"… and {len(rows) - MOST_TOLD} more."})
    return told


def _refuse_mixed(runs: Sequence[ToolRun], pinned: ModelVersion | None) -> None:
    other = [run for run in runs if run.model_version_id != getattr(pinned, "pk", None)]
    if other and pinned is not None:
        raise Refused(
            f"A study rests on one version, and this one on {pinned.identifier}. Scores of several "
            "versions cannot be compared: choose one version with which all of them are scored.",
            field=MIXED,
            details=_told(
                f"{run.name} was scored by {run.provenance.get('model', 'another version')}."
                for run in other
            ),
        )


def _from_run(run: ToolRun) -> dict[str, Any]:
    """Return a row with what the score itself says: the animal of its region."""
    region = run.parameters.get("region") or {}
    return {"run": run, "name": run.name, "animal": str(region.get("name") or "")[:100]}


def _version(name: str) -> ModelVersion:
    from amgs.registry.queries import version

    return version(name)


@transaction.atomic
def score_all(*, by: Any, study: Study, model: str) -> int:
    """Pin a study to another version and score with it what was not; return how many wait now.

    Each row keeps its score until the new one is there.
    """
    study = open_study(by, study)
    return _pin(by, study, may_grade(_version(model)))


def _pin(by: Any, study: Study, version: ModelVersion) -> int:
    changed, wrong, before = 0, [], study.model_version
    for entry in entries_of(study):
        run = entry.current
        if run is None:
            continue
        failed = entry.replacement is not None and not entry.replacement.result
        if run.model_version_id == version.pk:
            if failed:
                StudyEntry.objects.filter(pk=entry.pk).update(replacement=None)
            continue
        try:
            again = _again(by, run, version)
        except Refused as refused:
            wrong.append(f"{entry.name}: {refused.sentence}")
            continue
        StudyEntry.objects.filter(pk=entry.pk).update(run=run, replacement=again)
        changed += 1
    if wrong:
        raise Refused("Not all of them can be scored again.", field=MIXED, details=_told(wrong))
    if before != version:
        study.model_version = version
        study.save(update_fields=["model_version"])
        if before is not None:
            facts = {"from": before.public_id, "to": version.public_id, "scores": changed}
            record(study, "pin_version", by=by, facts=facts)
    return changed


def _again(by: Any, run: ToolRun, version: ModelVersion) -> ToolRun:
    first = run.rescored_from or run
    if first.result and first.model_version_id == version.pk:
        return first
    return rescore(user=by, run=first, model=version.public_id)


def _values(entry: StudyEntry) -> dict[str, Any]:
    return {key: getattr(entry, key) for key in FIELDS}


@transaction.atomic
def change_entries(
    *, by: Actor, study: Study, changes: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Change cells of the table; return the changes that would take these back.

    Each change has the ``id`` of a row and the columns to change. One cell that cannot be right
    refuses all of them; the details name ``entry`` and ``column``.
    """
    study = open_study(by, study)
    rows = {entry.public_id: entry for entry in StudyEntry.objects.filter(study=study)}
    wrong: list[dict[str, Any]] = []
    back: list[dict[str, Any]] = []
    touched: dict[int, StudyEntry] = {}
    for change in changes:
        entry = rows.get(str(change.get("id")))
        if entry is None:
            raise NotFound("A row of this table is not there any more; load the page again.")
        old = {}
        for key, given in change.items():
            if key == "id":
                continue
            try:
                value = cell(key, given)
            except KeyError:
                raise Refused(f"The table has no column '{key[:80]}'.", field=key[:80]) from None
            except ValueError as error:
                wrong.append({"entry": entry.public_id, "column": key, "sentence": str(error)})
                continue
            if value != getattr(entry, key):
                old[key] = getattr(entry, key)
                setattr(entry, key, value)
        if old:
            back.append({"id": entry.public_id, **old})
            touched[entry.pk] = entry
    if wrong:
        count = f"{len(wrong)} cells" if len(wrong) > 1 else "One cell"
        raise Refused(f"{count} cannot be right.", field="table", details=wrong[:MOST_TOLD])
    StudyEntry.objects.bulk_update(touched.values(), FIELDS, batch_size=200)
    if touched:
        said = [{"id": row["id"], **_values(rows[row["id"]])} for row in back]
        _log(by, study, "edit_table", before=back, after=said)
    return back[::-1]


def _log(by: Actor, study: Study, action: str, **facts: Any) -> None:
    """Keep what was changed once results had been seen: the report says that it was."""
    if results_were_seen(study):
        few = {
            key: value[:MOST_LOGGED] if isinstance(value, list) else value
            for key, value in facts.items()
        }
        record(study, action, by=by, facts={**few, "after_results": True})


def fill_table(
    *, by: Actor, study: Study, reading: Reading, name: str = "The table"
) -> list[dict[str, Any]]:
    """Take over a table that was read; return the changes that would take it back.

    Each line names a row of the study; raises ``Refused`` with every fault by row and column.
    """
    wrong = [str(problem) for problem in reading.problems]
    changes: list[dict[str, Any]] = []
    if not wrong:
        rows = entries_of(study)
        by_token = {run.token: row for row in rows for run in (row.run, row.replacement) if run}
        by_name: dict[str, list[StudyEntry]] = {}
        for row in rows:
            by_name.setdefault(row.name, []).append(row)
        taken: set[str] = set()
        for line in reading.lines:
            place = f"{name}, row {line.row}"
            found = by_name.get(line.name, [])
            entry = by_token.get(line.score) or (found[0] if len(found) == 1 else None)
            if entry is None:
                wrong.append(f"{place}: {_lost(line.score, line.name, len(found))}")
            elif entry.public_id in taken:
                wrong.append(f"{place}: {entry.name} stands twice.")
            else:
                taken.add(entry.public_id)
                changes.append({"id": entry.public_id, **line.cells})
    if wrong:
        count = f"{len(wrong)} faults" if len(wrong) > 1 else "one fault"
        raise Refused(
            f"The table has {count}, so nothing was changed.", field="table", details=_told(wrong)
        )
    return change_entries(by=by, study=study, changes=changes)


def _lost(score: str, video: str, count: int) -> str:
    if count > 1:
        return f"{count} rows are called “{video}”; name it by its link in a column “score”."
    said = video or score
    return f"“{said}” is not in this study; add its score first."


@transaction.atomic
def remove_entries(*, by: Actor, study: Study, entries: Sequence[str]) -> list[dict[str, Any]]:
    """Take rows out of the table; return them as ``restore_entries`` wants them."""
    study = open_study(by, study)
    rows = [row for row in entries_of(study) if row.public_id in set(entries)]
    kept = [
        {
            "id": row.public_id,
            "name": row.name,
            "run": row.run.token if row.run else "",
            "replacement": row.replacement.token if row.replacement else "",
            **_values(row),
        }
        for row in rows
    ]
    StudyEntry.objects.filter(pk__in=[row.pk for row in rows]).delete()
    if rows:
        _log(by, study, "remove_rows", removed=kept)
    if not study.entries.exists():
        # The next first score pins it anew.
        Study.objects.filter(pk=study.pk).update(model_version=None)
    return kept


@transaction.atomic
def restore_entries(*, by: Any, study: Study, entries: Sequence[Mapping[str, Any]]) -> int:
    """Put rows back that were taken out; return how many."""
    study = open_study(by, study)
    runs = {
        run.token: run
        for run in ToolRun.objects.filter(
            token__in=[str(row[key]) for row in entries for key in ("run", "replacement")]
        )
        .select_related("model_version")
        .defer(*ModelVersion.heavy())
    }
    present, known = set(study.entries.values_list("public_id", flat=True)), _known(study)
    count = 0
    for row in entries:
        run = runs.get(row["run"])
        if row["id"] in present or (run and _first(run) in known):
            continue
        StudyEntry.objects.create(
            study=study,
            public_id=row["id"],
            name=row["name"],
            run=run,
            replacement=runs.get(row["replacement"]),
            **{key: row[key] for key in FIELDS},
        )
        count += 1
    first = next((run for run in runs.values() if run.model_version), None)
    if study.model_version_id is None and first is not None:
        study.model_version = first.model_version
        study.save(update_fields=["model_version"])
    _log(by, study, "restore_rows", restored=[row["id"] for row in entries])
    return count


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def table_of(entries: Iterable[StudyEntry]) -> list[dict[str, Any]]:
    """Return the table as an analysis keeps it: no figure, only what each row is of."""
    return [
        {
            "name": row.name,
            "score": row.current.token if row.current else "",
            **_values(row),
        }
        for row in entries
    ]
