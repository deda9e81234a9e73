"""`python -m models COMMAND`: pictures, training, evaluation, comparison and scores.

Child processes of the platform: events are JSON lines on standard output, the log goes to standard
error. Exit status 0 done, 3 refused with a sentence, 2 wrong options, 1 not reproduced.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

DIFFERS = 1
REFUSED = 3


def parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported before a command runs."""
    top = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    train = commands.add_parser("train", help="train a bundle that waits to be judged")
    train.add_argument("--manifest", type=Path, required=True)
    train.add_argument("--media", type=Path, required=True, help="files named by their SHA-256")
    train.add_argument("--out", type=Path, required=True, help="a rerun with it resumes")
    train.add_argument("--config", default="demo", help="a shipped name or a YAML file")
    train.add_argument("--seed", type=int)
    train.add_argument("--warm-start", type=Path, help="bundle to start from")
    train.add_argument("--shuffle-labels", action="store_true", help="make a negative control")
    train.add_argument("--cache", type=Path, help="finders and crops shared between runs")
    train.add_argument("--resume", type=Path, help="folder of checkpoints to start from")
    train.add_argument(
        "--left-out", type=Path, help="predictions on labs left out, to calibrate sets for others"
    )

    evaluate = commands.add_parser("evaluate", help="judge a bundle on a split")
    evaluate.add_argument("--bundle", required=True, help="folder, or “constant”")
    evaluate.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="a study of “phantom study”, or a folder with manifest.parquet and media/",
    )
    evaluate.add_argument("--manifest", type=Path, help="in place of --data")
    evaluate.add_argument("--media", type=Path, help="files that the manifest names")
    evaluate.add_argument("--out", type=Path, required=True)
    evaluate.add_argument("--split", default="benchmark")
    evaluate.add_argument(
        "--training", type=Path, help="manifest it learned from, for the constant answer"
    )
    evaluate.add_argument("--cache", type=Path, help="crops shared between runs")
    evaluate.add_argument(
        "--finish", type=Path, metavar="FOLDER", help="write the bundle with this report there"
    )
    evaluate.add_argument(
        "--without-context",
        action="store_true",
        help="judge it frame by frame, and tell what context changes",
    )
    evaluate.add_argument(
        "--without-explanation",
        action="store_true",
        help="leave out how faithful its explanations are",
    )
    for command in (train, evaluate):
        command.add_argument(
            "--watch-stdin", action="store_true", help="exit when standard input closes"
        )

    again = commands.add_parser("reproduce", help="train again as a bundle was, and compare")
    again.add_argument("bundle", type=Path, metavar="BUNDLE")
    again.add_argument("manifest", type=Path, metavar="MANIFEST", help="what it learned from")
    again.add_argument("--media", type=Path, required=True, help="files named by their SHA-256")
    again.add_argument("--out", type=Path, required=True)
    again.add_argument("--benchmark", type=Path, help="manifest to compare on")
    again.add_argument("--warm-start", type=Path, help="bundle whose weights it began with")
    again.add_argument("--left-out", type=Path, help="predictions its sets were calibrated with")
    again.add_argument("--cache", type=Path, help="finders and crops shared between runs")

    compare = commands.add_parser("compare", help="two evaluations, paired by animal")
    compare.add_argument("--challenger", type=Path, required=True)
    compare.add_argument("--champion", type=Path, required=True)
    compare.add_argument("--out", type=Path, required=True)

    replace = commands.add_parser("replace", help="what a bundle in place of another would change")
    replace.add_argument("--challenger", type=Path, required=True, help="folder of the new bundle")
    replace.add_argument("--champion", type=Path, required=True, help="folder of the old bundle")
    replace.add_argument("--recordings", type=Path, nargs="*", default=[])
    replace.add_argument("--out", type=Path, required=True)

    score = commands.add_parser("score", help="score recordings")
    score.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    score.add_argument("--out", type=Path, required=True)
    score.add_argument("--bundle", type=Path, help="default: the shipped one")
    score.add_argument("--json", action="store_true", help="print the outcomes as JSON")
    score.add_argument(
        "--region",
        action="append",
        default=[],
        metavar="NAME=x0,y0,x1,y1",
        help="score one animal in this part of the picture, in pixels; once per animal",
    )
    score.add_argument("--lab", help="lab of the recordings, for its prediction sets")
    score.add_argument("--coat", help="coat of the animals, with --lab")

    explain = commands.add_parser("explain", help="show what the grades of a recording rest on")
    explain.add_argument("video", type=Path, metavar="VIDEO")
    explain.add_argument("--out", type=Path, required=True)
    explain.add_argument("--bundle", type=Path, help="default: the shipped one")
    explain.add_argument(
        "--predictions", type=Path, help="predictions.parquet of the recording, with --pts"
    )
    explain.add_argument(
        "--pts", type=int, nargs="*", default=[], help="timestamps of the frames to explain"
    )

    eyes = commands.add_parser("eyes", help="fit and judge the eye reader alone")
    eyes.add_argument("--config", default="eyes", help="a shipped name or a YAML file")
    eyes.add_argument("--out", type=Path, required=True, help="folder of graph, weights and facts")

    from models.nets.finder_command import add_arguments as add_finder_arguments
    from models.phantom.command import add_arguments

    add_finder_arguments(commands.add_parser("finder", help="fit and try a face finder"))
    from models.tools.command import add_arguments as add_tool_arguments

    add_arguments(commands.add_parser("phantom", help="render phantom studies and clips"))
    add_tool_arguments(commands.add_parser("tools", help="list and run tools, built in or not"))
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options = parser().parse_args(arguments)
    # Threads that wait for each other sleep instead of spinning: other processes share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Without it products of matrices on a GPU are not equal from run to run; CUDA reads it once.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from models.bundle import BundleError
    from models.config import ConfigError
    from models.events import Refused, printer, watch_parent
    from models.manifest import ManifestError
    from models.media import Unreadable

    emit = printer()
    if getattr(options, "watch_stdin", False):
        watch_parent()
    try:
        if options.command == "train":
            return _train(options)
        if options.command == "evaluate":
            return _evaluate(options)
        if options.command == "reproduce":
            return _reproduce(options)
        if options.command == "compare":
            return _compare(options)
        if options.command == "replace":
            return _replace(options)
        if options.command == "eyes":
            return _eyes(options)
        if options.command == "score":
            return _score(options)
        if options.command == "explain":
            return _explain(options)
        if options.command == "finder":
            from models.nets.finder_command import run as run_finder

            return run_finder(options, emit)
        if options.command == "tools":
            from models.tools.command import run as run_tools

            return run_tools(options)
        from models.phantom.command import run

        return run(options)
    except (Refused, Unreadable) as refusal:
        emit({"event": "refused", "sentence": refusal.sentence})
    except (BundleError, ConfigError, ManifestError) as refusal:
        emit({"event": "refused", "sentence": str(refusal)})
    return REFUSED


def _train(options: argparse.Namespace) -> int:
    from models.bundle import load_bundle
    from models.config import ConfigError, load_config
    from models.events import Refused, printer, silent, watch_launcher
    from models.runs import TRAINED, prepare

    run = prepare(
        load_config(options.config),
        options.manifest,
        options.media,
        options.out,
        seed=options.seed,
        cache=options.cache,
        shuffle_labels=options.shuffle_labels,
        warm_start=options.warm_start,
        resume=options.resume,
        left_out=options.left_out,
    )
    emit = printer() if run.rank == 0 else silent
    if run.rank:
        watch_launcher()
    if not run.finished():
        # Only now: torch takes seconds to import, a refusal or a finished run does not need it.
        from models.train import train

        try:
            train(run, emit)
        except (Refused, ConfigError) as refusal:
            if run.rank == 0:
                raise
            # The first process says the same, where everybody hears it.
            print(refusal, file=sys.stderr)
            return REFUSED
    if run.rank:
        return 0
    bundle = load_bundle(run.out / TRAINED, judged=False)
    emit({"event": "done", "trained": str(bundle.path), "digest": bundle.digest})
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from models.evaluate import evaluate
    from models.events import printer
    from models.manifest import read_manifest

    emit = printer()
    manifest, media, training = _judged_data(options)
    evaluate(
        options.bundle,
        read_manifest(manifest),
        media,
        options.out,
        split=options.split,
        emit=emit,
        without_context=options.without_context,
        without_explanation=options.without_explanation,
        training=read_manifest(training) if training else None,
        cache=options.cache,
        finish=options.finish,
    )
    emit({"event": "done", "report": str(options.out / "report.json")})
    return 0


def _judged_data(options: argparse.Namespace) -> tuple[Path, Path, Path | None]:
    """The manifest that judges, its media, and the manifest of the constant answer."""
    from models.events import Refused

    data: Path | None = options.data
    if (data is None) != bool(options.manifest and options.media):
        raise Refused("Please give either --data, or both --manifest and --media.")
    if data is None:
        return options.manifest, options.media, options.training
    if (data / "study.json").is_file():
        from models.phantom.manifest import judging_study

        gathered = options.out / "data"
        manifest, training = judging_study(data, gathered)
        return manifest, gathered / "media", options.training or training
    return data / "manifest.parquet", data / "media", options.training


def _reproduce(options: argparse.Namespace) -> int:
    from models.events import printer
    from models.reproduce import reproduce

    emit = printer()
    result = reproduce(
        options.bundle,
        options.manifest,
        options.media,
        options.out,
        benchmark=options.benchmark,
        warm_start=options.warm_start,
        left_out=options.left_out,
        cache=options.cache,
        emit=emit,
    )
    told = {name: result[name] for name in ("reproduced", "sentence", "probability", "figure")}
    emit({"event": "done", "result": str(options.out / "reproduction.json"), **told})
    return 0 if result["reproduced"] else DIFFERS


def _compare(options: argparse.Namespace) -> int:
    import json

    from models.compare import compare
    from models.events import printer

    result = compare(options.challenger, options.champion)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    printer()({"event": "done", "comparison": str(options.out)})
    return 0


def _replace(options: argparse.Namespace) -> int:
    import json

    from models.bundle import load_bundle
    from models.events import printer
    from models.replacing import replace_bundle

    emit = printer()
    bundles = load_bundle(options.challenger), load_bundle(options.champion)
    result = replace_bundle(*bundles, options.recordings, emit)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1), encoding="utf-8")
    emit({"event": "done", "replacement": str(options.out)})
    return 0


def _score(options: argparse.Namespace) -> int:
    from models.animal_regions import read_region
    from models.events import Refused
    from models.scoring import score_files
    from models.sets import group_of

    if options.coat and not options.lab:
        raise Refused("A coat alone is no group; name the lab too (--lab NAME --coat white).")
    return score_files(
        options.videos,
        options.out,
        options.bundle,
        options.json,
        regions=[read_region(text) for text in options.region],
        group=group_of(options.lab, options.coat or "") if options.lab else None,
    )


def _explain(options: argparse.Namespace) -> int:
    from models.bundle import default_bundle, load_bundle
    from models.events import printer
    from models.overlay import explain_recording

    bundle = load_bundle(options.bundle) if options.bundle is not None else default_bundle()
    if options.predictions is not None:
        from models.exports import read_predictions_parquet
        from models.saliency_maps import explain_frames

        said = read_predictions_parquet(options.predictions)
        explain_frames(options.video, bundle, said, options.pts, options.out)
    else:
        explain_recording(options.video, bundle, options.out)
    printer()({"event": "done", "explanation": str(options.out / "explanation.json")})
    return 0


def _eyes(options: argparse.Namespace) -> int:
    from models.config import load_config
    from models.events import printer

    config = load_config(options.config)
    # Only now: torch takes seconds to import, a refusal does not need it.
    from models.nets.eyes_fit import write_eyes

    write_eyes(config, options.out, printer())
    return 0


if __name__ == "__main__":
    sys.exit(main())
