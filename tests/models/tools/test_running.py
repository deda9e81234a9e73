"""What the runner asks of a tool and of its result."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from models.events import Refused
from models.media import Unreadable
from models.tools import Curve, ToolBroke, ToolContext, ToolResult, kind_of, option, run_tool


class Fake:
    """A tool that does what a test says."""

    name, version, title, summary = "fake", "1", "Fake", "Nothing."
    accepts, gives_grades = ("video",), False

    @dataclass(frozen=True)
    class Params:
        """One."""

        times: int = option(1, help="Times.", least=1)

    def __init__(self, run):
        self.said = run

    def run(self, media, params, context):
        return self.said(media, params, context)


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film")
    return path


def say(result):
    return Fake(lambda *_: result)


def test_a_result_names_tool_parameters_and_file(film, tmp_path):
    context = ToolContext(tmp_path / "out", name="cage 7.mp4", origin={"model": "mouse-v3"})
    result = run_tool(say(ToolResult("Done.")), film, {"times": "2"}, context)
    assert result.files == ("result.json",)
    whole = json.loads((tmp_path / "out" / "result.json").read_text())
    told = whole["provenance"]
    assert (told["tool"], told["tool_version"], told["file"]) == ("fake", "1", "cage 7.mp4")
    assert told["parameters"] == {"times": 2}
    assert told["model"] == "mouse-v3"
    assert len(told["file_sha256"]) == 64
    assert whole["disclaimer"].startswith("A research measure")
    assert not whole["result"]["phantom"]


def test_whoever_asks_for_the_bundle_rests_on_what_it_learned_from(film, tmp_path):
    tool = Fake(lambda media, params, context: ToolResult(context.bundle.scale.name))
    result = run_tool(tool, film, {}, ToolContext(tmp_path / "out"))
    assert result.phantom
    told = json.loads((tmp_path / "out" / "result.json").read_text())["provenance"]
    assert told["phantom"]
    assert len(told["bundle"]) == 64


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("a text", "no ToolResult"),
        (ToolResult("x", summary={"a": float("nan")}), "is no JSON"),
        (ToolResult("x", summary={"a": object()}), "is no JSON"),
        (ToolResult("x", files=("gone.csv",)), "did not write"),
        (ToolResult("x", files=("../film.mp4",)), "did not write"),
        (ToolResult("x", curves=(Curve("c", [0, 1], [1]),)), "one value per time"),
        (ToolResult("x", curves=(Curve("c", [1, 0], [1, 1]),)), "one value per time"),
        (ToolResult("x", summary={"a": "x" * 4_100_000}), "belongs into a file"),
    ],
)
def test_what_is_no_result_is_the_fault_of_the_tool(film, tmp_path, result, words):
    with pytest.raises(ToolBroke, match=words):
        run_tool(say(result), film, {}, ToolContext(tmp_path / "out"))


def test_a_tool_that_raises_is_named_with_what_it_raised(film, tmp_path):
    def run(*_):
        raise KeyError("gone")

    with pytest.raises(ToolBroke, match=r"The tool “fake” 1 broke while it ran \(KeyError: 'gone'"):
        run_tool(Fake(run), film, {}, ToolContext(tmp_path / "out"))


def test_a_refusal_and_a_file_that_cannot_be_read_are_answers(film, tmp_path):
    def refuse(*_):
        raise Refused("Row 3 is empty.")

    def cannot(media, *_):
        raise Unreadable(f"{media.name} is no film.")

    with pytest.raises(Refused, match="Row 3") as refused:
        run_tool(Fake(refuse), film, {}, ToolContext(tmp_path / "out"))
    assert not isinstance(refused.value, ToolBroke)
    context = ToolContext(tmp_path / "out", name="cage.mp4")
    result = run_tool(Fake(cannot), film, {}, context)
    assert (result.outcome, result.sentence) == ("unreadable", "cage.mp4 is no film.")


def test_nobody_runs_on_past_a_stop(film, tmp_path):
    class Gone(Exception):
        pass

    def tell(share, note):
        raise Gone

    def stubborn(media, params, context):
        try:
            context.progress(0.1)
        except Exception:
            return ToolResult("Went on.")

    with pytest.raises(Gone):
        run_tool(Fake(stubborn), film, {}, ToolContext(tmp_path / "o", on_progress=tell))
    context = ToolContext(tmp_path / "o", should_stop=lambda: True)
    with pytest.raises(Refused, match="was stopped"):
        run_tool(Fake(stubborn), film, {}, context)


def test_a_file_of_another_kind_is_refused(tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match=r"looks at a video; scores\.csv is a table"):
        run_tool(say(ToolResult("x")), table, {}, ToolContext(tmp_path / "out"))
    assert kind_of(tmp_path / "ab12", "scores.xlsx") == "table"
    assert kind_of(tmp_path) == "still"
    assert kind_of(table.with_suffix(".mp4")) == "video"
