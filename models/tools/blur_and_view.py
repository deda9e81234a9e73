"""The tool *blur and view report*: what a recording is good for, and what to film otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from models.tools.protocol import Figure, Kind, ToolContext, ToolResult
from models.tools.schema import option

DARK, BRIGHT = 0.15, 0.85
"""Mean luma of the face, as a share of white, under and over which it is too dark or too bright."""
SMEARED = 0.05
"""Smear of motion in face widths from which a face is blurred by motion."""
TOLERATED = 0.2
"""Share of the frames with a face from which something is worth an advice."""
VIEWS = {
    "frontal": "from the front",
    "three_quarter": "half from the side",
    "profile": "from the side",
}
ADVICE = {
    "absent": "In {share} of the frames no face was found: let the animal face the camera, or "
    "come nearer.",
    "unsure": "In {share} of the frames with a face it may be something else, and is not graded: "
    "show the whole face, and nothing else that looks like one.",
    "small": "In {share} of the frames with a face it has fewer than {least} pixels: come nearer "
    "or zoom, so that the face fills a third of the picture.",
    "side": "In {share} of the frames with a face it is seen from the side, where nose and "
    "whiskers cannot be graded: film from the front.",
    "soft": "In {share} of the frames with a face it is out of focus: wipe the lens and tap the "
    "face on the screen to focus on it.",
    "smeared": "In {share} of the frames with a face motion smears it: more light makes exposures "
    "shorter.",
    "dark": "In {share} of the frames with a face it is too dark: add even light, no torch.",
    "bright": "In {share} of the frames with a face it is burnt out: take light away or move the "
    "lamp.",
}


class BlurAndView:
    """Looks for faces and at how well they can be seen; grades nothing."""

    name: ClassVar[str] = "blur-and-view"
    version: ClassVar[str] = "1.1"
    title: ClassVar[str] = "Blur and view report"
    summary: ClassVar[str] = (
        "How many frames show a face that is found, large enough, sharp, lit and seen from the "
        "front, and what to change when filming. It says nothing about the animal."
    )
    accepts: ClassVar[tuple[Kind, ...]] = ("video", "still")
    gives_grades: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Params:
        """What counts as large and sharp enough."""

        least_face: int = option(
            64,
            title="Least face",
            help="A face whose shorter side has fewer pixels is too small to grade.",
            least=16,
            most=2000,
            unit="pixels",
        )
        least_sharpness: float = option(
            12.0,
            title="Least sharpness",
            help="A face is out of focus where the variance of the Laplacian inside its box, "
            "resized to 64 pixels, is smaller than this.",
            least=0,
            most=10000,
        )

    def run(self, media: Path, params: Params, context: ToolContext) -> ToolResult:
        """Report on one recording; raises Unreadable."""
        import numpy as np

        from models.tools.course import curve, percent, write_table

        rows = list(_seen(media, params, context))
        names = (
            *("frame", "time_s", "face", "view", "short_side", "sharpness", "motion_blur"),
            *("exposure", "good", "faults"),
        )
        cells = ([row[name] for name in names] for row in rows)
        write_table(context.folder / "blur_and_view.csv", names, cells, context)
        number = len(rows)
        faces = [row for row in rows if row["face"] == "yes"]
        faults = Counter(fault for row in faces for fault in row["faults"].split("|") if fault)
        views = Counter(row["view"] for row in faces)
        shares = {name: faults[name] / max(len(faces), 1) for name in ADVICE if name != "absent"}
        absent = 1 - len(faces) / number if number else 1.0
        good = sum(row["good"] == "yes" for row in rows)
        summary: dict[str, Any] = {
            "frames": number,
            "frames_with_a_face": len(faces),
            "good_frames": good,
            "views": dict(views),
            "faults": {name: faults[name] for name in shares},
            "median_short_side": _median(faces, "short_side"),
            "median_sharpness": _median(faces, "sharpness"),
            "median_exposure": _median(faces, "exposure"),
        }
        if not faces:
            return ToolResult(
                sentence=f"No face was found in {_frames(number)}.",
                outcome="nothing_found",
                figures=(Figure("Frames with a face", 0.0 if number else None, share=True),),
                advice=(
                    "Film one mouse from the front, its face filling a third of the picture, in "
                    "even light.",
                ),
                summary=summary,
                files=("blur_and_view.csv",),
            )
        times = np.array([row["time_s"] for row in rows], np.float64)
        there = np.array([100.0 * (row["face"] == "yes") for row in rows])
        fine = np.array([100.0 * (row["good"] == "yes") for row in rows])
        single = number == 1
        return ToolResult(
            sentence=f"A face was found in {len(faces)} of {_frames(number)}; in {good} it is "
            "large enough, sharp, lit and seen from the front or half from the side.",
            figures=(
                Figure("Good frames", good / number, share=True, digits=0),
                Figure("Frames with a face", len(faces) / number, share=True, digits=0),
                Figure(
                    "Faces seen from the front", views["frontal"] / len(faces), share=True, digits=0
                ),
                Figure("Shorter side of the face", summary["median_short_side"], "pixels", 0),
            ),
            # One second per point: a share of single frames is no curve but a bar code.
            curves=()
            if single
            else (
                curve("Good frames", times, fine, "% of frames", 1.0),
                curve("Frames with a face", times, there, "% of frames", 1.0),
            ),
            columns=("what", "frames", "share of frames with a face"),
            rows=(
                *(
                    (f"seen {words}", views[view], percent(views[view] / len(faces)))
                    for view, words in VIEWS.items()
                ),
                *(
                    (words, faults[fault], percent(shares[fault]))
                    for fault, words in (
                        ("unsure", "perhaps something else"),
                        ("small", "too small"),
                        ("soft", "out of focus"),
                        ("smeared", "smeared by motion"),
                        ("dark", "too dark"),
                        ("bright", "burnt out"),
                    )
                ),
            ),
            advice=_advice({"absent": absent, **shares}, params),
            summary=summary,
            files=("blur_and_view.csv",),
        )


def _seen(
    media: Path, params: BlurAndView.Params, context: ToolContext
) -> Iterator[dict[str, Any]]:
    """One row per frame: whether there is a face, how it is seen, and what is wrong with it."""
    from models.media import open_media

    with open_media(media) as opened:
        length = float(getattr(opened, "stated_s", None) or 0.0)
    sure = context.bundle.crop.minimum_confidence
    for some in context.looker.looks(media, eyes=False, problems=context.problems):
        for frame, face in some:
            row: dict[str, Any] = {"frame": frame.index, "time_s": round(frame.time_s, 6)}
            there = face.confidence >= sure and face.view != "none"
            row |= dict.fromkeys(("view", "short_side", "sharpness", "motion_blur", "exposure"))
            row |= {"face": "yes" if there else "no", "good": "no", "faults": ""}
            if there:
                side = min(face.box[2] - face.box[0], face.box[3] - face.box[1])
                faults = [
                    fault
                    for fault, hit in (
                        ("unsure", face.confidence < context.bundle.crop.sure_confidence),
                        ("small", side < params.least_face),
                        ("side", face.view == "profile"),
                        ("soft", face.sharpness < params.least_sharpness),
                        ("smeared", face.blur >= SMEARED),
                        ("dark", face.exposure < DARK),
                        ("bright", face.exposure > BRIGHT),
                    )
                    if hit
                ]
                row |= {
                    "view": face.view,
                    "short_side": round(side, 1),
                    "sharpness": round(face.sharpness, 1),
                    "motion_blur": round(face.blur, 4),
                    "exposure": round(face.exposure, 4),
                    "good": "no" if faults else "yes",
                    "faults": "|".join(faults),
                }
            yield row
        at = some[-1][0].time_s
        context.progress(min(at / length, 0.97) if length else 0.5, "looking at faces")


def _advice(shares: dict[str, float], params: BlurAndView.Params) -> tuple[str, ...]:
    """What to do about every fault that is frequent, the most frequent first."""
    from models.tools.course import percent

    frequent = sorted(
        (name for name in shares if shares[name] >= TOLERATED), key=shares.__getitem__
    )
    return tuple(
        ADVICE[name].format(share=percent(shares[name]), least=params.least_face)
        for name in reversed(frequent)
    )


def _median(rows: list[dict[str, Any]], name: str) -> float | None:
    import numpy as np

    return float(np.median([row[name] for row in rows])) if rows else None


def _frames(number: int) -> str:
    return f"{number} frame" + ("" if number == 1 else "s")
