"""The results of a study as text: what a report of before does not have is passed over."""

from __future__ import annotations

from amgs.web.study_tables import _mixed

FOUND = {
    "observations": 24,
    "animals": 12,
    "p_group": 0.1,
    "p_any_time": None,
    "estimates": [
        {"group": "drug", "reference": "vehicle", "difference": -0.4, "interval": [-0.9, 0.1]}
    ],
}


def test_the_simulated_p_stands_beside_the_permuted_one_and_the_usual_is_told():
    ratio = {"statistic": 6.2, "freedom": 1, "p": 0.055, "p_asymptotic": 0.0128, "draws": 499}
    permuted, simulated = _mixed({"mixed": FOUND | {"likelihood_ratio": ratio}}).said
    assert "p 0.10" in permuted
    assert "p 0.055" in simulated
    assert "would say 0.013" in simulated


def test_a_report_of_before_or_of_many_units_has_the_permuted_p_alone():
    for found in (FOUND, FOUND | {"likelihood_ratio": None}):
        assert len(_mixed({"mixed": found}).said) == 1
