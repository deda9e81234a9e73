"""How good the grades are: every figure of report.json, computed from graded frames.

Next to each error stand two baselines: the constant answer, and one rater against the mean of the
others. Intervals resample animals, which are the unit that was drawn, not frames. A figure that the
frames cannot carry is null, never a made-up number.
"""

from models.figures.ablation import ablation_figures
from models.figures.compute import (
    FORMAT,
    GROUPINGS,
    PHANTOM_SENTENCE,
    REAL_SENTENCE,
    compute_report,
    judged,
    judged_rows,
)
from models.figures.humans import human_image_scores, human_unit_grades
from models.figures.observations import observation_scores
from models.figures.table import without_nan

__all__ = [
    "FORMAT",
    "GROUPINGS",
    "PHANTOM_SENTENCE",
    "REAL_SENTENCE",
    "ablation_figures",
    "compute_report",
    "human_image_scores",
    "human_unit_grades",
    "judged",
    "judged_rows",
    "observation_scores",
    "without_nan",
]
