from __future__ import annotations

from dataclasses import replace

from curation.checks import run_checks
from curation.facts import VersionFacts
from curation.screening import Changes, Said, changes


def _compare(before: VersionFacts, after: VersionFacts) -> Changes:
    def said(facts: VersionFacts) -> list[Said]:
        return [
            Said(one.check, one.title, one.severity, one.passed, one.sentence)
            for one in run_checks(facts)
        ]

    return changes(said(before), said(after), before, after)


def test_nothing_changed_between_equal_facts(sound_version: VersionFacts) -> None:
    assert not _compare(sound_version, sound_version).any


def test_what_was_mended_is_gone_and_what_came_is_new(sound_version: VersionFacts) -> None:
    before = replace(sound_version, licence="", ethics="")
    first = replace(sound_version.recordings[0], sha256="f" * 64)
    added = replace(sound_version.recordings[1], id="R9", file="videos/r0009.mp4", observation="")
    after = replace(
        sound_version,
        ethics="",
        recordings=(first, *sound_version.recordings[2:], added),
    )
    found = _compare(before, after)
    assert [one.check for one in found.gone] == ["licence"]
    assert {one.check for one in found.new} == {"structure", "unused_animals"}
    assert [one.check for one in found.still] == ["ethics"]
    assert found.added == ("videos/r0009.mp4",)
    assert found.removed == ("videos/r0002.mp4",)
    assert found.replaced == ("videos/r0001.mp4",)
    assert found.fields == ("licence",)


def test_another_sentence_of_the_same_check_is_told_apart(sound_version: VersionFacts) -> None:
    one, two, *rest = sound_version.recordings
    before = replace(sound_version, recordings=(replace(one, observation=""), two, *rest))
    after = replace(sound_version, recordings=(one, replace(two, observation=""), *rest))
    assert [row.check for row in _compare(before, after).other] == ["structure", "unused_animals"]
