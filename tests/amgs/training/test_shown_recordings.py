"""The recordings scored by both models are published ones whose owners allow display."""

from __future__ import annotations

from pathlib import Path

from amgs.repository.models import Permission
from amgs.training.measure import SHOWN, shown_recordings


def test_only_recordings_that_may_be_shown_are_scored_and_always_the_same(publish, films):
    shown = publish("Harbour", animals=8, videos=films)
    publish("Meadow", animals=2, videos={0: films[18], 1: films[19]})
    assert shown_recordings() == []
    Permission.objects.create(
        version=shown, kind="show_frames", text_version="1", signer_name="Alice Arber"
    )
    found = shown_recordings()
    names = sorted(row.blob.sha256 for row in shown.recordings.select_related("blob"))
    assert [Path(path).stem.split(".")[0] for path in found] == names[:SHOWN]
    assert all(path.is_file() for path in found)
    type(shown).objects.filter(pk=shown.pk).update(state="retracted")
    assert shown_recordings() == []
