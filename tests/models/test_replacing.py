"""What would change for users if one bundle took the place of another."""

from __future__ import annotations

from models.bundle import default_bundle
from models.replacing import replace_bundle


def test_a_bundle_in_place_of_itself_changes_nothing(phantom_clip, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    bundle = default_bundle()
    found = replace_bundle(bundle, bundle, [phantom_clip.path, broken])
    told = found["rescored"]
    assert (told["n"], told["without"]) == (1, 1)
    assert told["mean_change"] == told["largest_change"] == told["shift"] == 0
    assert told["grades_changed"] == 0
    assert told["unit_frames"] >= 5
    assert told["recordings"][0]["recording"] == phantom_clip.path.name
    assert found["cost"]["larger"] == 1
    assert found["cost"]["challenger_bytes"] > 1_000_000
    assert found["cost"]["slower"] > 0


def test_without_recordings_only_the_cost_is_told():
    bundle = default_bundle()
    told = replace_bundle(bundle, bundle, [])["rescored"]
    assert (told["n"], told["mean_change"], told["grades_changed"]) == (0, None, None)
