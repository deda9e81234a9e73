"""Gates that hold a challenger against the model that serves, or against none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curation.evidence import Evidence, Verdict, at_most, number, part, say, signed, upper
from curation.profiles import Profile
from curation.sentences import count
from models.scale import load_scale


def better_than_constant(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Where no model serves, the incumbent is the constant baseline; it must be beaten surely."""
    if evidence.champion is not None:
        return
    score = part(evidence.report, "image_score")
    worst = upper(part(score, "interval").get("rmse"))
    value = worst if worst is not None else number(score.get("rmse"))
    constant = number(score.get("constant_rmse"))
    yield Verdict(
        "better_than_constant",
        "Better than always answering the mean",
        value is not None and constant is not None and value < constant,
        value,
        constant,
        f"No model serves yet: the image RMSE is {say(value)} at the upper end of its 95 % "
        f"interval and must lie under the {say(constant)} of always answering the mean.",
    )


def non_inferiority(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """On the same frames the challenger is not worse than the champion, overall."""
    if evidence.champion is None:
        return
    title = "Not worse than the champion"
    comparison = evidence.comparison
    if comparison is None or not _same_benchmark(evidence):
        yield Verdict(
            "non_inferiority",
            title,
            False,
            None,
            profile.margin,
            "Challenger and champion were not measured on the same benchmark; compare them again.",
        )
        return
    yield _not_worse("non_inferiority", title, "overall", comparison, profile.margin)


def group_non_inferiority(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The same in every lab and coat, since a gain for many can hide a loss for some."""
    if evidence.champion is None or evidence.comparison is None:
        return
    for key, place, row in _groups(evidence.comparison):
        gate, title = f"non_inferiority:{key}", f"Not worse {place}"
        animals = number(row.get("n_animals")) or 0.0
        if animals < profile.group_animals or row.get("assessed") is False:
            yield Verdict(
                gate,
                title,
                None,
                number(row.get("difference")),
                profile.group_margin,
                f"Not assessed {place}: {count(round(animals), 'animal')} with labels, "
                f"{profile.group_animals} are needed. A maintainer has to decide about this group.",
            )
        else:
            yield _not_worse(gate, title, place, row, profile.group_margin)


def coverage_kept(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The challenger does not buy its figures by refusing frames that the champion grades."""
    comparison, most = evidence.comparison, profile.coverage_lost
    if evidence.champion is None or comparison is None or most is None:
        return
    yield _covers("coverage_kept", "Grades as many frames", "overall", comparison, most)


def group_coverage_kept(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The same in every lab and coat: one lab's frames may be refused unseen among all others."""
    if evidence.champion is None or profile.group_coverage_lost is None:
        return
    for key, place, row in _groups(evidence.comparison or {}):
        # A group of few animals is listed already, by the gate on its error.
        if (number(row.get("n_rated_animals")) or 0) >= profile.group_animals:
            yield _covers(
                f"coverage_kept:{key}",
                f"Grades as many frames {place}",
                place,
                row,
                profile.group_coverage_lost,
            )


def speed_and_size(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The challenger is not much slower, nor much larger, than what serves."""
    if evidence.champion is None:
        return
    row = part(evidence.replacement or {}, "cost")
    slower, larger = number(row.get("slower")), number(row.get("larger"))
    yield at_most(
        "speed",
        "Speed",
        slower,
        profile.slower,
        f"One picture takes {say(number(row.get('challenger_ms')), 1)} ms against "
        f"{say(number(row.get('champion_ms')), 1)} ms of the champion, {say(slower)} times as long",
        "How fast the bundle is was not measured.",
    )
    yield at_most(
        "size",
        "Size of the bundle",
        larger,
        profile.larger,
        f"The bundle has {_megabytes(row.get('challenger_bytes'))} MB against "
        f"{_megabytes(row.get('champion_bytes'))} MB of the champion, {say(larger)} times as much",
        "How large the bundle is was not measured.",
    )


def rescored(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """What would change for users: the same published recordings scored by both."""
    if evidence.champion is None:
        return
    row = part(evidence.replacement or {}, "rescored")
    n, mean = round(number(row.get("n")) or 0), number(row.get("mean_change"))
    changed = number(row.get("grades_changed"))
    share = "" if changed is None else f", and {100 * changed:.0f} % of single grades differ"
    yield at_most(
        "rescored",
        "What would change for users",
        mean,
        profile.rescored,
        f"Scores of {count(n, 'published recording')} change by {say(mean)} on average and by "
        f"{say(number(row.get('largest_change')))} at most{share}",
        "No published recording whose owners allow display was scored by both models.",
    )


def _not_worse(gate: str, title: str, place: str, row: Mapping[str, Any], margin: float) -> Verdict:
    worst, difference = upper(row.get("interval")), number(row.get("difference"))
    return Verdict(
        gate,
        title,
        worst is not None and worst <= margin,
        worst,
        margin,
        f"The image RMSE {place} is {say(number(row.get('rmse_challenger')))} against "
        f"{say(number(row.get('rmse_champion')))} of the champion, a difference of "
        f"{signed(difference)} that may be as large as {signed(worst)}; up to {margin:+.2f} is "
        "allowed.",
    )


def _covers(gate: str, title: str, place: str, row: Mapping[str, Any], most: float) -> Verdict:
    worst, lost = upper(row.get("coverage_lost_interval")), number(row.get("coverage_lost"))
    return Verdict(
        gate,
        title,
        worst is not None and worst <= most,
        worst,
        most,
        f"Of the frames raters graded {place}, {_percent(row.get('coverage_challenger'))} get a "
        f"score against {_percent(row.get('coverage_champion'))} by the champion, a loss of "
        f"{say(lost)} that may be as large as {say(worst)}; up to {most:.2f} is allowed.",
    )


def _groups(comparison: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Key, place in words and figures of every lab and coat."""
    titles = {coat.key: coat.title.lower() for coat in load_scale().coats}
    groups = part(comparison, "groups")
    for key in sorted(groups):
        lab, _, coat = str(key).rpartition("|")
        yield str(key), f"in lab {lab}, coat {titles.get(coat, coat)}", part(groups, key)


def _percent(value: Any) -> str:
    found = number(value)
    return "—" if found is None else f"{100 * found:.0f} %"


def _same_benchmark(evidence: Evidence) -> bool:
    sides = (evidence.report, evidence.champion or {}, evidence.comparison or {})
    return len({str(side["benchmark_digest"]) for side in sides if "benchmark_digest" in side}) <= 1


def _megabytes(value: Any) -> str:
    found = number(value)
    return say(None if found is None else found / 1e6, 1)
