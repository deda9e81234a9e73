"""Real recordings nobody made for this project: read, screened, and left to rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from amgs.repository import services
from amgs.repository.models import Recording

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the folder ../shared/data with real recordings is absent"
)


def test_real_films_and_pictures_without_grades_are_screened_and_rest(
    draft, send, take, run_jobs, alice
):
    version = draft(animals=1, grades=False, phantom=False)
    files = [
        DATA / "mouse-video-side" / "head_fixed_side.mp4",
        next((DATA / "mouse-faces-side").glob("*.jpg")),
        DATA / "videos-odd" / "video_90.mov",
    ]
    for path in files:
        services.add_recording(
            by=alice,
            version=version,
            upload=send(alice, path.name, path.read_bytes(), "recording"),
            name=path.name,
            animal="m1",
            observation="after",
        )
    run_jobs()
    for path in files:
        row = Recording.objects.get(name=path.name)
        assert row.status == "ready", row.problem
        assert row.frames.count() == min(12, row.media["frame_count"])
        assert row.poster_key
    take(version, ("submit", alice))
    assert version.state == "screened"
