"""What phantom studies consist of: labs, animals, groups, cameras. All of it is fictional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from models.phantom.look import Look
from models.phantom.looks import INDEPENDENT, Camera, camera_of
from models.scale import Coat, Scale, load_scale


@dataclass(frozen=True)
class GroupPlan:
    """A group of animals: its treatment, and how much its animals grimace after the procedure.

    `pain` is the mean level, 0 to 1 (see `ClipPlan.pain`).
    """

    name: str
    treatment: Mapping[str, str | float]
    pain: float


@dataclass(frozen=True)
class LabPlan:
    """One lab's dataset.

    animals_per_coat  animals of each coat, shared out over groups and sexes
    after_hours       time of the second observation after the procedure
    clip_s, fps, size  length in seconds, frame rate, (width, height) of every clip
    graded_per_clip   frames of each clip in the score sheet, drawn uniformly at random
    raters, rater_bias  number of raters, and what the lab taught all of them, in grades
    restless          share of clips with a stretch in which the animal is not simply awake; in
                      clips of LONG_S and more the mean number of such stretches per STRETCH_S
    states            number of the most frequent states beside being awake that are shown, 0 = all
    pained            share of an animal's clips in which it sits still with its eyes squeezed shut,
                      where its pain is above PAINED
    """

    key: str
    title: str
    description: str
    metadata: Mapping[str, str | float]
    groups: tuple[GroupPlan, ...]
    look: Look
    coats: tuple[Coat, ...]
    animals_per_coat: int = 6
    after_hours: float = 2.0
    clip_s: float = 2.5
    fps: int = 12
    size: tuple[int, int] = (320, 240)
    graded_per_clip: int = 10
    raters: int = 3
    rater_bias: float = 0.0
    restless: float = 0.35
    states: int = 0
    pained: float = 0.0


@dataclass(frozen=True)
class StudyPlan:
    """A study: its labs, and those that only judge (never part of training or calibration)."""

    labs: tuple[LabPlan, ...]
    name: str = "study"
    independent: tuple[LabPlan, ...] = ()


BASELINE_PAIN = 0.05
BRIEF_STATES = 3
"""States beside being awake that the clips of a demonstration show."""
# Above this level of pain an animal may sit still with its eyes squeezed shut.
PAINED = 0.5
# Clips this long hold several stretches, about one per STRETCH_S where every clip is restless.
LONG_S, STRETCH_S = 5.0, 2.5

COMMON = {
    "assigned_unit": "animal",
    "people_and_cards": "none_seen",
    "scored_from": "video",
    "raters_blind": "yes",
    "frames_chosen": "random",
    "raters_experience": "Simulated raters that agree as often as people do.",
    "handling": "tunnel",
    "box": "Rendered box, no real walls.",
    "analgesic": "none",
}


@dataclass(frozen=True)
class _Assay:
    key: str
    procedure: str
    title: str
    anaesthetic: str
    after_hours: float
    groups: tuple[GroupPlan, ...] = field(default=())


_ASSAYS = (
    _Assay(
        "post_surgical",
        "laparotomy",
        "laparotomy",
        "isoflurane",
        4.0,
        (
            GroupPlan("A", {"drug": "vehicle", "route": "subcutaneous"}, 0.74),
            GroupPlan(
                "B",
                {
                    "drug": "carprofen",
                    "dose": 5.0,
                    "dose_unit": "mg_per_kg",
                    "route": "subcutaneous",
                },
                0.42,
            ),
        ),
    ),
    _Assay(
        "inflammatory",
        "cfa_paw",
        "paw inflammation",
        "none",
        24.0,
        (
            GroupPlan("A", {"drug": "vehicle", "route": "oral"}, 0.66),
            GroupPlan(
                "B",
                {"drug": "ibuprofen", "dose": 30.0, "dose_unit": "mg_per_kg", "route": "oral"},
                0.36,
            ),
        ),
    ),
    _Assay(
        "neuropathic",
        "spared_nerve_injury",
        "nerve injury without an effect",
        "isoflurane",
        336.0,
        # No effect: grimacing after the procedure is that of the baseline.
        (
            GroupPlan("A", {"drug": "vehicle"}, BASELINE_PAIN),
            GroupPlan("B", {"drug": "none"}, BASELINE_PAIN),
        ),
    ),
)

# What each lab taught its raters, in grades.
_TAUGHT = (-0.06, 0.06, 0.0, 0.10, -0.10)
_NAMES = ("north", "lake", "hill", "shore", "meadow", "forest", "island", "valley")


def demo_plan(scale: Scale | None = None) -> StudyPlan:
    """Three labs with the first two coats: laparotomy, inflammation, and a nerve without effect."""
    return StudyPlan(tuple(map(_brief, _labs(3, 6, scale or load_scale()))), "demo")


def another_plan(scale: Scale | None = None) -> StudyPlan:
    """One more, smaller dataset of the second demo lab: a later experiment in the same box."""
    lab = _brief(_labs(2, 4, scale or load_scale())[1])
    first = _ASSAYS[0]
    return StudyPlan(
        (
            replace(
                lab,
                key=f"{lab.key}-later",
                title=f"{lab.title.split(':')[0]}: {first.title}, a later experiment",
                metadata={
                    **lab.metadata,
                    "assay": first.key,
                    "procedure": first.procedure,
                    "anaesthetic": first.anaesthetic,
                },
                groups=first.groups,
                after_hours=first.after_hours,
            ),
        ),
        "another",
    )


def study_plan(
    labs: int,
    animals: int,
    scale: Scale | None = None,
    *,
    seconds: float = 10.0,
    coats: tuple[Coat, ...] = (),
    independent: int = 0,
) -> StudyPlan:
    """A study of so many labs with so many animals per lab and coat.

    `seconds` is the length of a clip, `coats` those of every lab (default: the scale's first two),
    `independent` the number of animals per coat of one more lab that only judges (0: none).
    """
    scale = scale or load_scale()

    def grown(lab: LabPlan, camera: Camera) -> LabPlan:
        return replace(
            lab,
            coats=coats or lab.coats,
            clip_s=seconds,
            fps=camera.fps,
            size=camera.size,
            graded_per_clip=16,
            pained=0.30,
        )

    judges: tuple[LabPlan, ...] = ()
    if independent:
        judge = _lab(0, independent, scale, "harbour", INDEPENDENT, 0.0)
        judges = (grown(judge, INDEPENDENT),)
    return StudyPlan(
        tuple(grown(lab, camera_of(n)) for n, lab in enumerate(_labs(labs, animals, scale))),
        independent=judges,
    )


def pretraining_plan(scale: Scale | None = None) -> StudyPlan:
    """Five labs with every coat, nearly all frames of short clips graded by six raters: much to
    learn from in little time, for trials of networks."""
    scale = scale or load_scale()
    labs = (
        replace(
            lab,
            coats=scale.coats,
            graded_per_clip=24,
            raters=6,
            restless=0.5,
            groups=_ASSAYS[n % 2].groups,
        )
        for n, lab in enumerate(_labs(5, 10, scale))
    )
    return StudyPlan(tuple(labs), "pretraining")


def _brief(lab: LabPlan) -> LabPlan:
    """The lab of a demonstration: few clips, so that few states are shown, each often enough."""
    return replace(lab, restless=0.5, states=BRIEF_STATES)


PLANS = {"demo": demo_plan, "another": another_plan, "pretraining": pretraining_plan}


def _labs(count: int, animals: int, scale: Scale) -> tuple[LabPlan, ...]:
    labs = []
    for n in range(count):
        name = _NAMES[n % len(_NAMES)] + (str(n // len(_NAMES) + 1) if n >= len(_NAMES) else "")
        labs.append(_lab(n, animals, scale, name, camera_of(n), _TAUGHT[n % len(_TAUGHT)]))
    return tuple(labs)


def _lab(
    n: int, animals: int, scale: Scale, name: str, camera: Camera, rater_bias: float
) -> LabPlan:
    assay, look = _ASSAYS[n % len(_ASSAYS)], camera.look
    return LabPlan(
        key=f"phantom-{name}",
        title=f"Phantom lab {name.capitalize()}: {assay.title}",
        description=(
            "Rendered mouse faces with known action units, no real animals. "
            f"Simulated study of {assay.title}, filmed before and after."
        ),
        metadata=COMMON
        | {
            "assay": assay.key,
            "procedure": assay.procedure,
            "anaesthetic": assay.anaesthetic,
            "light_phase": "dark" if look.infrared else "light",
            "camera": f"Rendered camera of lab {name.capitalize()}",
            "lighting": "infrared_light" if look.infrared else "white_light",
        },
        groups=assay.groups,
        look=look,
        coats=scale.coats[:2],
        animals_per_coat=animals,
        after_hours=assay.after_hours,
        rater_bias=rater_bias,
    )
