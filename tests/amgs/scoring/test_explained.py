"""A film is scored by the bundle that comes with the program, and its grades are explained."""

from __future__ import annotations

import pytest

from amgs.files.storage import get_storage
from amgs.scoring import extras, services
from amgs.scoring.models import ToolRun


# A process of its own imports torch, which takes its time where others work, too.
@pytest.mark.timeout(600)
def test_frames_are_shown_with_what_their_grades_rest_on(
    serve_shipped, uploaded, run_jobs, tmp_path
):
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    look = {"look": Look(), "animal": 705, "pain": 0.5, "size": (480, 360)}
    plan = ClipPlan(coat=load_scale().coats[0], duration_s=1.0, fps=12, **look)
    write_clip(tmp_path / "clip.mp4", plan, seed=5)
    serve_shipped()
    upload = uploaded((tmp_path / "clip.mp4").read_bytes())
    run = services.start_score(upload=upload, name="cage.mp4")
    run_jobs()
    run = ToolRun.objects.get(pk=run.pk)
    assert run.result["independence"]["independent"] == "unknown"
    assert "course.bin" in run.outputs
    best, worst = run.result["best_frames"], run.result["worst_frames"]
    assert best
    assert not {one["pts"] for one in best} & {one["pts"] for one in worst}
    grades = best[0]["grades"].values()
    assert all(0 < one["probability"] <= 1 for one in grades if one["grade"] is not None)

    extras.ask_for(run=run, what="explanation")
    run_jobs()
    told = extras.summary(run)["explanation"]
    assert told["state"] == "done", told["error"]
    shown = told["told"]["frames"]
    assert {one["pts"] for one in shown} == {one["pts"] for one in (*best, *worst)}
    with get_storage().open(extras.key_of(run, shown[0]["file"])) as stream:
        assert stream.read(4) == b"\x89PNG"
    assert set(shown[0]["inside"]) == set(run.result["units"])
