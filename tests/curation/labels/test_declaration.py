"""Every sheet says how its scores came about."""

from __future__ import annotations

from curation.labels import Declaration


def test_what_is_not_declared_is_asked_for() -> None:
    problems = Declaration(scored_from="video").problems("scores.csv")
    assert [problem.field for problem in problems] == [
        *("raters_blind", "frames_chosen", "raters_experience")
    ]
    assert all(problem.file == "scores.csv" for problem in problems)


def test_a_whole_declaration_has_no_problems_and_a_wrong_term_is_named() -> None:
    whole = Declaration("video", "unknown", "random", "Two raters, three years")
    assert whole.problems("scores.csv") == []
    assert whole.to_json()["raters_blind"] == "unknown"
    wrong = Declaration("video", "perhaps", "random", "none")
    assert [problem.field for problem in wrong.problems("s")] == ["raters_blind"]
