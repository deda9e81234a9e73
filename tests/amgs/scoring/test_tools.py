"""Tools run on uploads: by anybody, apart from scores, and only what may give grades does."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.test import Client
from rest_framework.test import APIClient

from amgs.core.errors import NotFound, Refused
from amgs.files.storage import get_storage
from amgs.scoring import queries, tools
from amgs.scoring.models import ToolRun

TABLE = b"frame,rater,ear\n1,a,0\n1,b,0\n2,a,2\n2,b,2\n3,a,1\n3,b,1\n4,a,0\n4,b,1\n"


@pytest.fixture
def sent(db):
    """Upload bytes for a tool up to the check."""
    from amgs.core.base import PUBLIC
    from amgs.files.services import complete_upload, open_upload, part_key

    def make(data: bytes, name: str, user=None, purpose: str = "tool"):
        upload = open_upload(user=user, lab=None, name=name, size=len(data), purpose=purpose)
        get_storage().put(part_key(upload, 1), data)
        complete_upload(upload=upload, by=user or PUBLIC)
        upload.refresh_from_db()
        return upload

    return make


@pytest.fixture
def extra(monkeypatch):
    """List a tool beside the built-in ones, as if its package were installed."""
    from models.tools import Listed, registry

    def add(tool=None, name: str = "", error: str = ""):
        row = Listed(name or tool.name, "strange 1.0", tool, error)
        rows = (*registry.listed_tools(), row)
        monkeypatch.setattr(registry, "listed_tools", lambda: rows)
        monkeypatch.setattr("models.tools.listed_tools", lambda: rows)
        return row

    return add


def made_tool(**given):
    """A tool of a stranger that counts bytes, with these differences."""
    from dataclasses import dataclass

    from models.tools import Figure, ToolResult, option

    @dataclass(frozen=True)
    class Params:
        """One number."""

        times: int = option(1, help="How often to count.", least=1, most=9)

    def run(self, media, params, context):
        context.progress(0.5, "counting")
        (context.folder / "count.txt").write_text("counted")
        size = media.stat().st_size * params.times
        return ToolResult(
            f"The file has {size} bytes.", figures=(Figure("Bytes", size),), files=("count.txt",)
        )

    fields = {
        "name": "bytes",
        "version": "1",
        "title": "Bytes",
        "summary": "Counts bytes.",
        "Params": Params,
        "accepts": ("video", "table"),
        "gives_grades": False,
        "run": run,
    }
    return type("Strange", (), fields | given)()


def test_motion_is_measured_over_http_by_anybody(sent, run_jobs, clip):
    client = APIClient()
    names = [row["name"] for row in client.get("/api/tools").json()["tools"]]
    assert {"score", "motion-index", "eye-opening", "blur-and-view", "agreement"} <= set(names)
    about = client.get("/api/tools/motion-index").json()
    assert about["refusal"] == ""
    assert about["parameters"]["properties"]["least_change"]["maximum"] == 128
    upload = sent(clip(3), "cage 7.mp4")
    answer = client.post(
        "/api/tools/motion-index/runs",
        {"upload": upload.public_id, "parameters": {"least_change": 20}},
        format="json",
    )
    assert answer.status_code == 201, answer.content
    token = answer.json()["token"]
    assert len(token) >= 20
    assert answer.json()["job"]["note"] == "the upload is being checked"
    run_jobs()
    found = client.get(f"/api/tools/runs/{token}").json()
    assert found["job"]["state"] == "done"
    assert found["parameters"]["least_change"] == 20
    assert found["result"]["outcome"] == "done"
    assert found["result"]["summary"]["motion_index"] > 0
    assert not found["result"]["phantom"]
    assert found["provenance"]["file"] == "cage 7.mp4"
    assert found["provenance"]["tool_version"] == "1.0"
    assert set(found["files"]) == {"motion.csv", "result.json"}
    run = ToolRun.objects.get(token=token)
    with get_storage().open(run.outputs["result.json"]) as stream:
        whole = json.load(stream)
    assert whole["provenance"] == found["provenance"]
    assert whole["provenance"]["file_sha256"] == run.blob.sha256
    assert "not a welfare" in whole["disclaimer"]
    assert client.get(found["files"]["motion.csv"]).status_code == 302
    assert client.get(f"/api/tools/runs/{token}/files/secret").status_code == 404


def test_runs_and_scores_are_kept_apart(sent, run_jobs, clip, petra, serve):
    run = tools.start_tool(user=petra, name="motion-index", upload=sent(clip(1), "a.mp4", petra))
    score = ToolRun.objects.create(user=petra, name="score.mp4")
    assert list(tools.of_person(petra)) == [run]
    assert list(queries.of_person(petra)) == [score]
    with pytest.raises(NotFound):
        queries.by_token(run.token)
    with pytest.raises(NotFound):
        tools.by_token(score.token)


def test_what_gives_grades_needs_a_model_that_may(sent, run_jobs, clip, extra, serve, settings):
    graded = made_tool(name="graded", gives_grades=True)
    extra(graded)
    settings.ALLOW_PHANTOM = False
    upload = sent(clip(1), "a.mp4")
    with pytest.raises(Refused, match="no validated model yet"):
        tools.start_tool(name="graded", upload=upload)
    serve(phantom=True)
    with pytest.raises(Refused, match="rendered phantom mice"):
        tools.start_tool(name="graded", upload=upload)
    assert "phantom" in tools.schema_of("graded")["refusal"]
    # All else runs without any model at all.
    run = tools.start_tool(name="motion-index", upload=upload)
    run_jobs()
    run.refresh_from_db()
    assert run.job.state == "done"
    assert run.model_version is None


def test_a_run_that_gives_grades_names_the_model(sent, run_jobs, clip, extra, serve, settings):
    settings.ALLOW_PHANTOM = True
    version = serve(phantom=True)
    extra(made_tool(name="graded", gives_grades=True))
    run = tools.start_tool(name="graded", upload=sent(clip(1), "a.mp4"))
    run_jobs()
    run.refresh_from_db()
    assert run.model_version == version
    assert run.provenance["model"] == version.identifier


def test_the_score_is_asked_for_where_scores_are(sent, clip, serve):
    serve()
    with pytest.raises(Refused, match="has a page and an API of its own here: open /score/"):
        tools.start_tool(name="score", upload=sent(clip(1), "a.mp4"))
    assert Client().get("/tools/score/")["Location"] == "/score/"


@pytest.mark.parametrize(
    ("parameters", "field", "words"),
    [
        ({"least_change": 400}, "parameters.least_change", "between 1 and 128 grey levels"),
        ({"side": "wide"}, "parameters.side", "is a whole number, not “wide”"),
        ({"zoom": 1}, "parameters.zoom", "There is no parameter “zoom”"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(sent, clip, parameters, field, words):
    upload = sent(clip(1), "a.mp4")
    answer = APIClient().post(
        "/api/tools/motion-index/runs",
        {"upload": upload.public_id, "parameters": parameters},
        format="json",
    )
    assert answer.status_code in {400, 422}, answer.content
    assert words in answer.json()["detail"]
    assert answer.json()["field"] == field
    assert not ToolRun.objects.exists()


def test_a_file_of_another_kind_or_purpose_is_refused(sent, clip, petra):
    with pytest.raises(Refused, match="looks at a video; send such a file"):
        tools.start_tool(name="motion-index", upload=sent(TABLE, "scores.csv"))
    with pytest.raises(Refused, match="looks at a table"):
        tools.start_tool(name="agreement", upload=sent(clip(1), "a.mp4"))
    with pytest.raises(Refused, match="another purpose"):
        tools.start_tool(name="motion-index", upload=sent(clip(1), "a.mp4", purpose="score"))
    with pytest.raises(Refused, match="somebody else"):
        tools.start_tool(name="motion-index", upload=sent(clip(1), "a.mp4", petra))
    with pytest.raises(NotFound, match="no tool at this address"):
        tools.start_tool(name="nothing", upload=sent(clip(1), "a.mp4"))


def test_a_table_of_ratings_becomes_agreement(sent, run_jobs):
    run = tools.start_tool(name="agreement", upload=sent(TABLE, "scores.csv"))
    run_jobs()
    run.refresh_from_db()
    assert run.result["outcome"] == "done", run.job.error
    with get_storage().open(run.outputs["agreement.csv"]) as stream:
        rows = list(csv.DictReader(io.StringIO(stream.read().decode())))
    assert [row["measure"] for row in rows] == ["ear"]
    assert float(rows[0]["kappa"]) == pytest.approx(run.result["figures"][0]["value"], abs=1e-4)


def test_a_table_that_cannot_be_read_ends_in_a_sentence(sent, run_jobs):
    run = tools.start_tool(name="agreement", upload=sent(b"a,b\n1,2\n", "scores.csv"))
    run_jobs()
    run.refresh_from_db()
    assert run.job.state == "failed"
    assert "scores.csv has no column “frame”" in run.job.error


def test_a_file_that_is_no_film_is_an_answer(sent, run_jobs):
    run = tools.start_tool(name="motion-index", upload=sent(b"\0" * 4000, "notes.mp4"))
    run_jobs()
    run.refresh_from_db()
    assert run.result["outcome"] == "unreadable"
    assert "notes.mp4" in run.result["sentence"]
    page = Client().get(f"/tools/runs/{run.token}/").content.decode()
    assert "The file could not be read" in page


def test_a_tool_that_breaks_fails_its_run_and_nothing_else(sent, run_jobs, clip, extra):
    def run(self, media, params, context):
        raise ZeroDivisionError("by nought")

    extra(made_tool(run=run))
    made = tools.start_tool(name="bytes", upload=sent(clip(1), "a.mp4"))
    run_jobs()
    made.refresh_from_db()
    assert made.job.state == "failed"
    assert made.job.attempt == 1
    assert "ZeroDivisionError: by nought" in made.job.error
    assert "by nought" in Client().get(f"/tools/runs/{made.token}/").content.decode()


def test_a_tool_that_catches_everything_is_cancelled_all_the_same(
    sent, run_jobs, clip, extra, monkeypatch
):
    from amgs.core import jobs

    told = []
    # Inside the transaction of a test no thread renews the lease: ask at every step.
    monkeypatch.setattr(jobs.Context, "progress", lambda self, *_: self.save_progress())

    def run(self, media, params, context):
        from models.tools import ToolResult

        jobs.cancel(ToolRun.objects.get(pk=made.pk).job)
        try:
            context.progress(0.5)
        except Exception:
            told.append("swallowed")
        return ToolResult("Never.")

    extra(made_tool(run=run))
    made = tools.start_tool(name="bytes", upload=sent(clip(1), "a.mp4"))
    run_jobs()
    made.refresh_from_db()
    assert made.job.state == "cancelled"
    assert not made.result
    assert not told


def test_a_tool_that_cannot_be_loaded_is_listed_and_its_error_told_to_maintainers(
    extra, mia, db, clip, sent
):
    extra(name="bent", error="The tool “bent” of strange 1.0 cannot be loaded (ImportError: xyz).")
    row = next(r for r in APIClient().get("/api/tools").json()["tools"] if r["name"] == "bent")
    assert "maintainers" in row["error"]
    assert "xyz" not in row["error"]
    assert "xyz" not in Client().get("/tools/").content.decode()
    browser = Client()
    browser.force_login(mia)
    assert "ImportError: xyz" in browser.get("/tools/").content.decode()
    with pytest.raises(Refused, match="Ask the maintainers"):
        tools.start_tool(name="bent", upload=sent(clip(1), "a.mp4"))
    assert APIClient().get("/api/tools/bent").status_code in {400, 403, 409, 422}
    assert APIClient().get("/api/tools/motion-index").status_code == 200


def test_the_pages_show_form_progress_and_result(sent, run_jobs, clip, petra):
    browser = Client()
    page = browser.get("/tools/motion-index/").content.decode()
    assert 'name="least_change"' in page
    assert 'max="128"' in page
    browser.force_login(petra)
    run = tools.start_tool(user=petra, name="motion-index", upload=sent(clip(1), "a.mp4", petra))
    waiting = browser.get(f"/tools/runs/{run.token}/").content.decode()
    assert "Waiting" in waiting
    run_jobs()
    shown = browser.get(f"/tools/runs/{run.token}/").content.decode()
    assert "The motion index is" in shown
    assert "motion.csv" in shown
    assert "not a welfare" in shown
    assert "a.mp4" in browser.get("/tools/").content.decode()
    assert browser.get("/tools/nothing/").status_code == 404
    assert browser.get("/tools/runs/nothing/").status_code == 404


def test_eyes_are_read_by_the_shipped_bundle_where_no_model_serves(
    sent, run_jobs, render, tmp_path
):
    run = tools.start_tool(
        name="eye-opening", upload=sent(render(tmp_path / "f.mp4").read_bytes(), "f.mp4")
    )
    run_jobs()
    run.refresh_from_db()
    assert run.job.state == "done", run.job.error
    assert run.result["phantom"]
    assert run.provenance["phantom"]
    assert run.model_version is None
    page = Client().get(f"/tools/runs/{run.token}/").content.decode()
    assert "Phantom." in page
