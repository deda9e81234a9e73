"""What phantom studies consist of: labs, animals, groups, cameras. All of it is fictional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from models.phantom.look import Look
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
    restless          share of clips with a stretch in which the animal is not simply awake
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


@dataclass(frozen=True)
class StudyPlan:
    """A study: its labs."""

    labs: tuple[LabPlan, ...]
    name: str = "study"


BASELINE_PAIN = 0.05

LOOKS = (
    Look(
        light=(-0.35, -0.65, 0.70),
        wall=(66, 72, 78),
        bedding=(128, 106, 80),
        tint=(1.0, 0.98, 0.95),
        unevenness=0.25,
    ),
    Look(
        light=(0.45, -0.50, 0.75),
        ambient=0.52,
        wall=(172, 172, 164),
        bedding=(196, 174, 134),
        tint=(1.06, 0.98, 0.86),
        exposure=0.94,
        unevenness=0.35,
        noise=4.0,
        lens_blur=0.7,
        quality=25,
    ),
    Look(
        light=(0.05, -0.80, 0.60),
        ambient=0.40,
        wall=(96, 98, 100),
        bedding=(120, 116, 110),
        bars=7,
        infrared=True,
        noise=5.0,
        exposure=1.05,
        unevenness=0.45,
        quality=24,
    ),
    Look(
        light=(-0.60, -0.35, 0.72),
        ambient=0.35,
        wall=(118, 128, 122),
        bedding=(150, 132, 104),
        tint=(0.92, 1.0, 1.08),
        unevenness=0.5,
        noise=3.5,
    ),
    Look(
        light=(0.30, -0.70, 0.65),
        ambient=0.55,
        wall=(140, 120, 108),
        bedding=(176, 150, 118),
        tint=(1.04, 0.96, 0.90),
        bars=5,
        noise=2.5,
        lens_blur=0.9,
        quality=27,
    ),
)

COMMON = {
    "assigned_unit": "animal",
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

_NAMES = ("north", "lake", "hill", "shore", "meadow", "forest", "island", "valley")


def demo_plan(scale: Scale | None = None) -> StudyPlan:
    """Three labs with the first two coats: laparotomy, inflammation, and a nerve without effect."""
    return StudyPlan(_labs(3, 6, scale or load_scale()), "demo")


def another_plan(scale: Scale | None = None) -> StudyPlan:
    """One more, smaller dataset of the second demo lab: a later experiment in the same box."""
    lab = _labs(2, 4, scale or load_scale())[1]
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


def study_plan(labs: int, animals: int, scale: Scale | None = None) -> StudyPlan:
    """A study of so many labs with so many animals per lab and coat, of every coat."""
    scale = scale or load_scale()
    return StudyPlan(
        tuple(
            replace(lab, coats=scale.coats, clip_s=6.0, fps=15, graded_per_clip=10)
            for lab in _labs(labs, animals, scale)
        )
    )


PLANS = {"demo": demo_plan, "another": another_plan}


def _labs(count: int, animals: int, scale: Scale) -> tuple[LabPlan, ...]:
    labs = []
    for n in range(count):
        assay = _ASSAYS[n % len(_ASSAYS)]
        look = LOOKS[n] if n < len(LOOKS) else _another_look(n)
        name = _NAMES[n % len(_NAMES)] + (str(n // len(_NAMES) + 1) if n >= len(_NAMES) else "")
        labs.append(
            LabPlan(
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
                    "camera": f"Rendered camera {n + 1}, 320 × 240 pixels",
                    "lighting": "infrared_light" if look.infrared else "white_light",
                },
                groups=assay.groups,
                look=look,
                coats=scale.coats[:2],
                animals_per_coat=animals,
                after_hours=assay.after_hours,
                rater_bias=(-0.06, 0.06, 0.0)[n % 3],
            )
        )
    return tuple(labs)


def _another_look(n: int) -> Look:
    rng = np.random.default_rng([n, 31])

    def colour(low: int, high: int) -> tuple[int, int, int]:
        base = rng.integers(low, high)
        r, g, b = (base + rng.integers(-14, 15, 3)).clip(20, 235)
        return int(r), int(g), int(b)

    return Look(
        light=(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.8, -0.3)), 0.7),
        ambient=float(rng.uniform(0.35, 0.55)),
        wall=colour(60, 180),
        bedding=colour(100, 190),
        bars=int(rng.choice([0, 0, 5, 7])),
        noise=float(rng.uniform(2.5, 5)),
        exposure=float(rng.uniform(0.9, 1.08)),
        unevenness=float(rng.uniform(0.2, 0.5)),
        lens_blur=float(rng.uniform(0.4, 0.9)),
        infrared=bool(rng.uniform() < 0.35),
        quality=int(rng.integers(22, 28)),
    )
