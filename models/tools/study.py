"""The tool *study*: a table of scored recordings of groups and times, analysed by a plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from models.tools.protocol import Figure, Kind, ToolContext, ToolResult
from models.tools.schema import option


class Study:
    """Reads the table of a study and writes its report; grades nothing itself."""

    name: ClassVar[str] = "study"
    version: ClassVar[str] = "1.0"
    title: ClassVar[str] = "Study"
    summary: ClassVar[str] = (
        "Compares groups and times of scored recordings: intervals, exact tests per experimental "
        "unit, effect sizes, time courses and a methods paragraph. The table names the results of "
        "the scorer, which lie beside it."
    )
    accepts: ClassVar[tuple[Kind, ...]] = ("table",)
    gives_grades: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Params:
        """The plan, as far as most studies need it."""

        unit: Literal["animal", "cage"] = option(
            "animal", title="Experimental unit", help="What was assigned to the treatment."
        )
        primary: Literal["mean_score", "change", "auc", "high_share", "percent_reversal"] = option(
            "mean_score", title="Primary outcome", help="The one outcome the study asks about."
        )
        primary_time_h: float | None = option(
            None,
            title="Time of the primary outcome",
            help="Hours after the procedure; empty for all times after the baseline.",
            unit="hours",
        )
        baseline_h: float | None = option(
            None,
            title="Time of the baseline",
            help="Hours after the procedure; empty for all times up to 0.",
            unit="hours",
        )
        control: str = option("", title="Control group", help="The others are compared with it.")
        vehicle: str = option(
            "", title="Vehicle group", help="It had the procedure and no drug; may be empty."
        )
        drug: str = option("", title="Drug group", help="It got the drug; may be empty.")
        cut_off: float | None = option(
            None,
            title="Cut-off",
            help="Score from which on time counts as high-grimace; empty for none.",
            least=0,
            most=2,
        )
        seed: int = option(0, title="Seed", help="Seed of all that is drawn.", least=0, most=2**31)

    def run(self, media: Path, params: Params, context: ToolContext) -> ToolResult:
        """Analyse the study of one table; raises Refused with row and column."""
        from models.study import StudyPlan, read_table, run_study
        from models.tools.schema import as_given

        out = context.folder / "study"
        plan = StudyPlan(**as_given(params))
        report: dict[str, Any] = run_study(read_table(media), plan, out, context.progress)
        files = []
        for name in ("report.html", "report.json", "methods.txt", "study.zip"):
            if (out / name).is_file():
                (out / name).replace(context.folder / name)
                files.append(name)
        counts = report["counts"]
        groups = len(counts["groups"])
        return ToolResult(
            sentence=f"{counts['animals']} animals in {groups} group{'' if groups == 1 else 's'}, "
            f"{counts['scored']} of {counts['observations']} observations with a score; the "
            "comparisons stand in report.html.",
            figures=(
                Figure("Animals", counts["animals"], digits=0),
                Figure("Observations with a score", counts["scored"], digits=0),
            ),
            advice=tuple(_sentence(one) for one in report["warnings"]),
            summary={"counts": counts, "plan": report["plan"], "primary": report["primary"]},
            files=tuple(files),
            phantom=bool(report["phantom"]),
        )


def _sentence(warning: Any) -> str:
    """The sentence of a warning of the report, however it is kept."""
    return str(warning.get("sentence", warning)) if isinstance(warning, dict) else str(warning)
