"""From a table of scores to the zip of its analysis, by commands; those of the page run as told."""

from __future__ import annotations

import json
import re
import shlex
import zipfile
from pathlib import Path

import pytest
from django.utils import timezone

from amgs.core.models import Job
from amgs.scoring import study_plans
from amgs.scoring.models import Study, StudyAnalysis, ToolRun
from amgs_client import Client, SiteRefused
from amgs_client.__main__ import main
from models.scale import load_scale

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "howto" / "make-a-study.md").read_text()
NAMES = ("m1-before.mp4", "m1-after.mp4", "m2-before.mp4", "m2-after.mp4")


def block(language: str, number: int = 0) -> str:
    """Return code of a language on the page."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found[number]


@pytest.fixture
def amgs(live_server, monkeypatch, tmp_path, capsys, alice, token_of):
    """Run the command line for Alice; return exit status and what it printed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AMGS_TOKEN", token_of(alice))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        status = main(["--site", live_server.url, *words])
        told = capsys.readouterr()
        return status, told.out, " ".join(told.err.split())

    return run


@pytest.fixture
def site(live_server, alice, token_of):
    """A client that speaks for Alice."""
    with Client(live_server.url, token_of(alice)) as client:
        yield client


@pytest.fixture
def score(serving, alice):
    """Make a score of Alice's that is there, without a film."""

    def make(name: str, value: float = 0.5, version=serving, state: str = "done") -> ToolRun:
        job = Job.objects.create(
            kind="scoring.score_video", queue="score", state=state, due_at=timezone.now()
        )
        result = {
            "outcome": "scored",
            "sentence": "It was scored.",
            "score": value,
            "score_ungated": value,
            "coverage": 0.6,
            "frames": 1000,
            "graded": 600,
            "states": {"awake": 1000},
            "not_scorable": {"blurred": 400},
            "units": {key: {"mean": value, "n": 600} for key in load_scale().unit_keys},
            "bins": [],
            "bin_s": 1.0,
            "phantom": True,
        }
        origin = {"model": version.identifier, "model_id": version.public_id, "phantom": True}
        return ToolRun.objects.create(
            name=name,
            user=alice,
            job=job,
            model_version=version,
            result=result if state == "done" else {},
            provenance=origin,
        )

    return make


@pytest.fixture
def four(score):
    """The scores that the table of the page names."""
    return [score(name, 0.2 + 0.4 * place) for place, name in enumerate(NAMES)]


@pytest.fixture
def files(tmp_path):
    """The table and the plan of the page, as they stand there."""
    (tmp_path / "table.csv").write_text(block("csv"))
    (tmp_path / "plan.json").write_text(block("json"))
    return tmp_path


def test_the_commands_of_the_page_lead_from_a_table_to_a_zip(amgs, files, four, worker):
    made = ""
    for line in block("sh").splitlines():
        program, *words = shlex.split(line.replace("ID", made or "ID"))
        assert program == "amgs"
        status, out, err = amgs(*words)
        assert status == 0, err
        if words[1] == "create":
            made = out.strip()
            assert "has 4 rows, all by" in err
            assert "Phantom:" in err
        elif words[1] == "show":
            assert "The plan is not locked, so no score is shown beside its group." in out
            assert "m2-after.mp4\tm2\tc1\tdrug\t4\t5 mg/kg" in out
            assert "coverage" not in out
        elif words[1] == "lock":
            assert "cut_off: 0.8" in out
            assert "Version 1 is locked by Alice Arber" in err
    study = Study.objects.get()
    assert study.public_id == made
    row = StudyAnalysis.objects.get()
    assert row.report["methods"].strip() in out
    assert "Note: " in err
    with zipfile.ZipFile(files / "study.zip") as packed:
        assert "study.csv" in {Path(name).name for name in packed.namelist()}
    assert not list(files.glob("*.part"))
    # Once the plan is locked, the table tells the scores.
    _, out, _ = amgs("study", "show", made)
    assert "m2-after.mp4\tm2\tc1\tdrug\t4\t5 mg/kg\t\tdone\t1.4\t0.6" in out
    seen = json.loads(amgs("study", "show", made, "--json")[1])
    assert (seen["id"], len(seen["entries"])) == (made, 4)


def test_the_same_command_goes_on_with_the_same_study(amgs, files, four):
    words = ("study", "create", "Carprofen", "table.csv")
    first, again = amgs(*words), amgs(*words)
    assert first[1] == again[1]
    assert "4 of them were changed" in first[2]
    assert "0 of them were changed" in again[2]
    assert Study.objects.count() == 1
    assert amgs("study", "create", "Another", "table.csv")[1] != first[1]


def test_every_line_that_names_no_score_is_told_and_nothing_is_made(amgs, files, four, score):
    score("m1-after.mp4", 0.9)
    score("late.mp4", state="running")
    text = f"{block('csv')}late.mp4,m3,c2,drug,4,\nnowhere.mp4,m3,c2,drug,4,\n"
    (files / "table.csv").write_text(text)
    status, _, err = amgs("study", "create", "Carprofen", "table.csv")
    assert status == 1
    assert "row 3: 2 of your scores are called 'm1-after.mp4'; name it by its link" in err
    assert "row 6: the score of 'late.mp4' is not there yet." in err
    assert "row 7: none of your scores is called 'nowhere.mp4'" in err
    assert not Study.objects.exists()


def test_a_table_names_scores_by_their_links_with_semicolons(amgs, files, four, live_server):
    lines = [
        f"{live_server.url}/score/{run.token}/;a{place};g;{place},5"
        for place, run in enumerate(four)
    ]
    (files / "links.csv").write_text("\n".join(["\ufeffscore;animal;group;time", *lines]))
    status, out, err = amgs("study", "create", "Links", "links.csv")
    assert status == 0, err
    rows = Study.objects.get(public_id=out.strip()).entries.order_by("pk")
    assert [row.time_h for row in rows] == [0.5, 1.5, 2.5, 3.5]


def test_a_faulty_table_is_refused_with_the_command_that_goes_on(amgs, files, four):
    (files / "table.csv").write_text(block("csv").replace(",4,saline", ",soon,saline"))
    status, out, err = amgs("study", "create", "Carprofen", "table.csv")
    made = out.strip()
    assert status == 1
    assert f"go on with: amgs study table {made} 'table.csv'" in err
    assert "row 3, column time_h" in err
    (files / "table.csv").write_text(block("csv"))
    assert amgs("study", "table", made, "table.csv")[0] == 0
    assert Study.objects.get().entries.filter(time_h=4.0).count() == 2


def test_files_that_are_no_table_are_refused_in_a_sentence(amgs, files, serving):
    for data, said in (
        (b"PK\x03\x04rest", "is an Excel file"),
        ("vidéo".encode("latin-1"), "is no text in UTF-8"),
        (b" \n", "is empty"),
        (b"animal,group\na,b\n", "The first row names the columns"),
    ):
        (files / "table.csv").write_bytes(data)
        status, _, err = amgs("study", "create", "Carprofen", "table.csv")
        assert status == 1
        assert said in err


def test_a_plan_is_locked_once_and_a_change_needs_a_reason(amgs, files, four):
    made = amgs("study", "create", "Carprofen", "table.csv")[1].strip()
    assert "has no plan yet" in amgs("study", "lock", made)[2]
    status, out, err = amgs("study", "lock", made, "--plan", "plan.json")
    assert status == 1, "nobody was there to say yes"
    assert "cut_off: 0.8" in out
    assert "Not locked." in err
    study = Study.objects.get()
    assert study_plans.lock_of(study) is None
    assert amgs("study", "lock", made, "--yes")[0] == 0
    assert "locked already, as version 1" in amgs("study", "lock", made, "--yes")[2]
    (files / "plan.json").write_text(block("json").replace("0.8", "0.5"))
    status, _, err = amgs("study", "lock", made, "--plan", "plan.json", "--yes")
    assert status == 1
    assert "Please say why the locked plan is changed." in err
    why = ("--why", "The cut-off was a slip.")
    assert amgs("study", "lock", made, "--yes", *why)[0] == 0
    assert [one.why for one in study_plans.locks(study)] == ["", why[1]]
    (files / "plan.json").write_text("[1]")
    assert "is no plan" in amgs("study", "lock", made, "--plan", "plan.json")[2]


def test_nothing_is_analysed_before_the_plan_is_locked(amgs, files, four):
    made = amgs("study", "create", "Carprofen", "table.csv")[1].strip()
    status, _, err = amgs("study", "analyse", made)
    assert status == 1
    assert "Lock the plan first" in err
    assert not (files / "study.zip").exists()


def test_a_study_is_deleted_with_a_yes_and_brought_back(amgs, files, four):
    made = amgs("study", "create", "Carprofen", "table.csv")[1].strip()
    status, out, err = amgs("study", "delete", made)
    assert status == 1
    assert "What stays:" in out
    assert "Not deleted." in err
    status, _, err = amgs("study", "delete", made, "--yes")
    assert status == 0
    assert f"amgs study restore {made}" in err
    assert made not in amgs("study", "list")[1]
    assert made in amgs("study", "list", "--deleted")[1]
    assert "it can be brought back" in amgs("study", "show", made)[2]
    assert "is back, as it was" in amgs("study", "restore", made)[2]
    assert made in amgs("study", "list")[1]


def test_a_key_asks_for_a_study_and_its_analysis_once(site, files, four, alice):
    first = site.studies.create("Keyed", "a-key-of-mine")
    assert site.studies.create("Keyed", "a-key-of-mine") == first
    with pytest.raises(SiteRefused) as refused:
        site.studies.create("Another", "a-key-of-mine")
    assert refused.value.status == 422
    # What was deleted is made anew.
    site.studies.delete(first["id"])
    assert site.studies.create("Keyed", "a-key-of-mine")["id"] != first["id"]
    site.studies.restore(first["id"])
    site.studies.add(first["id"], [run.token for run in four])
    site.studies.fill(first["id"], block("csv"))
    kept = site.studies.set_plan(first["id"], json.loads(block("json")))
    site.studies.lock(first["id"], kept["digest"])

    def ask() -> dict:
        path = f"studies/{first['id']}/results"
        return site.http.ask("POST", path, key="a-key-of-the-analysis")

    asked = ask()
    # Over, so that without the key another one would be asked for.
    Job.objects.filter(study_analysis__isnull=False).update(state="done")
    assert ask() == asked
    assert StudyAnalysis.objects.count() == 1
