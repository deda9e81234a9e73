"""The tool *score*: grades of grimace over a recording, by the bundle that serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from models.tools.protocol import Curve, Figure, Kind, ToolContext, ToolResult
from models.tools.schema import option


class Score:
    """Grades every frame that shows a scorable face, or says why not."""

    name: ClassVar[str] = "score"
    version: ClassVar[str] = "1.0"
    title: ClassVar[str] = "Grimace score"
    summary: ClassVar[str] = (
        "Grades five action units in every frame that shows a scorable face of one mouse, and "
        "gives their mean with its interval. Sleeping, grooming and moving mice are not graded."
    )
    accepts: ClassVar[tuple[Kind, ...]] = ("video", "still")
    gives_grades: ClassVar[bool] = True

    @dataclass(frozen=True)
    class Params:
        """What the scorer may be told of a recording."""

        lab: str = option(
            "",
            title="Lab",
            help="Name of the lab that filmed it, for its prediction sets; empty where the model "
            "was not calibrated for it.",
        )
        coat: str = option(
            "",
            title="Coat",
            help="Coat of the animal as the scale names it, with a lab.",
        )

    def run(self, media: Path, params: Params, context: ToolContext) -> ToolResult:
        """Score one recording; raises Unreadable."""
        from models.animals import Census
        from models.events import Refused
        from models.exports import write_csv, write_json, written_through
        from models.result import SEVERAL, nothing_scored, summarise
        from models.scorer import identity
        from models.sets import group_of

        if params.coat and not params.lab:
            raise Refused("A coat alone is no group; name the lab, too.")
        bundle, census, blob = context.bundle, Census(), identity(media)
        group = group_of(params.lab, params.coat) if params.lab else None
        context.progress(0.02, "reading the file")
        length = _length(media)

        def tell(time_s: float) -> None:
            context.progress(0.05 + 0.85 * (min(time_s / length, 1.0) if length else 0.5))

        origin = {"bundle": bundle.digest, "snapshot": bundle.info["snapshot_digest"]}
        stream = context.scorer.score(
            media,
            on_progress=tell,
            should_stop=lambda: census.certain,
            census=census,
            group=group,
            blob=blob,
        )
        path = context.folder / "predictions.parquet"
        predictions = list(
            written_through(path, stream, scale=bundle.scale, phantom=bundle.phantom, **origin)
        )
        if census.several:
            path.unlink()
            result = nothing_scored("several_animals", SEVERAL, bundle.scale)
            return ToolResult(result.sentence, outcome="several_animals")
        result = summarise(predictions, bundle.scale, phantom=bundle.phantom)
        write_csv(
            context.folder / "frames.csv",
            predictions,
            scale=bundle.scale,
            phantom=bundle.phantom,
            **origin,
        )
        write_json(
            context.folder / "score.json",
            result,
            {"recording": context.name or media.name, "sha256": blob, "group": group, **origin},
        )
        middles = [round((one.t0 + one.t1) / 2, 3) for one in result.bins]
        return ToolResult(
            sentence=result.sentence,
            outcome="done" if result.score is not None else "nothing_found",
            figures=(
                Figure("Mean image score (0–2)", result.score, interval=result.score_interval),
                Figure("Frames that could be graded", result.coverage, share=True, digits=0),
                Figure("Mean with excluded states left in", result.score_ungated),
            ),
            curves=(
                Curve("Image score", middles, [one.score for one in result.bins], "grade"),
                *(
                    Curve(
                        unit.title, middles, [one.units[unit.key] for one in result.bins], "grade"
                    )
                    for unit in bundle.scale.units
                ),
            ),
            summary=result.to_json(),
            files=("predictions.parquet", "frames.csv", "score.json"),
            phantom=result.phantom,
        )


def _length(media: Path) -> float:
    """Seconds that a film says it lasts, 0 where it does not say."""
    from models.media import open_media

    with open_media(media) as opened:
        return float(getattr(opened, "stated_s", None) or 0.0)
