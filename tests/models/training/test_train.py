import json
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from models.bundle import BundleError, load_bundle
from models.manifest import read_manifest, write_manifest


def train(models, study, out: Path, cache: Path, *more: object, **how) -> subprocess.Popen:
    return models(
        "train", "--manifest", study.training, "--media", study.media, "--out", out,
        "--config", "tiny", "--cache", cache, *more, **how,
    )  # fmt: skip


def same_numbers(one, other) -> bool:
    if isinstance(one, dict):
        times = {"seconds", "stages"}
        keys = set(one) - times
        return keys == set(other) - times and all(same_numbers(one[k], other[k]) for k in keys)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_numbers, one, other))
    return one == pytest.approx(other, abs=1e-6) if isinstance(one, float) else one == other


def test_a_run_tells_its_progress_metrics_checkpoints_and_end(tiny_run) -> None:
    kinds = [event["event"] for event in tiny_run.events]
    assert {"made", "progress", "metrics", "checkpoint", "done"} == set(kinds)
    assert kinds[-1] == "done"
    fractions = [e["fraction"] for e in tiny_run.events if e["event"] == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    stages = [e["stage"] for e in tiny_run.events if e["event"] == "progress"]
    assert list(dict.fromkeys(stages)) == [
        "finder", "crops", "fit", "looking", "context", "calibration"
    ]  # fmt: skip
    trained = load_bundle(tiny_run.events[-1]["trained"], judged=False)
    assert trained.digest == tiny_run.events[-1]["digest"]
    assert trained.info["shuffled_labels"] is False
    assert trained.phantom
    assert (trained.report, trained.info["parts"]["units"]["judged_on"]) == ({}, [])
    with pytest.raises(BundleError, match=r"lacks report\.json"):
        load_bundle(trained.path)
    assert not list(tiny_run.out.glob(".trained*"))
    bundle = load_bundle(tiny_run.bundle)
    assert bundle.report["n_animals"] == 3
    assert bundle.report["training"] == trained.training
    assert len(bundle.info["parts"]["units"]["judged_on"]) == 2
    assert bundle.info["benchmark"]["digest"] == bundle.report["benchmark_digest"]
    made = tiny_run.events[0]
    assert {name: made[name] for name in made if name != "event"} == trained.info["made"]
    assert len(made["lock"]) == 64


@pytest.mark.parametrize("split", ["benchmark", "independent"])
def test_a_run_refuses_a_manifest_with_frames_that_only_judge(
    study, models, tmp_path: Path, split: str
) -> None:
    rows = [
        row | {"split": split if row["split"] == "benchmark" else row["split"]}
        for row in study.rows
    ]
    write_manifest(tmp_path / "whole.parquet", rows, {})
    process = models("train", "--manifest", tmp_path / "whole.parquet", "--media", study.media,
                     "--out", tmp_path / "run")  # fmt: skip
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 3
    assert (
        f"21 frames of the split {split}, which no training run may read"
        in json.loads(out)["sentence"]
    )
    assert not (tmp_path / "run").exists()


def test_a_run_needs_none_of_the_files_it_is_judged_on(
    study, models, finish, tiny_run, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    for blob in set(read_manifest(study.training).frames["blob"]):
        (media / blob).symlink_to(study.media / blob)
    judging = set(read_manifest(study.benchmark).frames["blob"])
    assert judging
    assert not judging & {path.name for path in media.iterdir()}
    out, cache = tmp_path / "run", tmp_path / "cache"
    finish(
        models("train", "--manifest", study.training, "--media", media, "--out", out,
               "--config", "tiny", "--cache", cache)
    )  # fmt: skip
    one, other = (load_file(run / "trained" / "weights.safetensors") for run in (tiny_run.out, out))
    assert all(np.abs(one[name] - other[name]).max() <= 1e-6 for name in one)
    crops = {path.stem for path in (cache / "crops").glob("*/*.npy")}
    assert not judging & crops


def test_a_run_killed_in_the_middle_of_an_epoch_ends_as_an_undisturbed_one(
    study, models, finish, judged, tiny_run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = train(models, study, out, tiny_run.cache)
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "checkpoint" and event["step"] >= 6:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "trained").exists()
    events = finish(train(models, study, out, tiny_run.cache))
    steps = [e["step"] for e in events if e["event"] == "checkpoint"]
    assert min(steps) > 6
    judged(out, tiny_run.cache)
    one, other = (load_file(run / "bundle" / "weights.safetensors") for run in (tiny_run.out, out))
    assert all(np.abs(one[name] - other[name]).max() <= 1e-6 for name in one)
    reports = [load_bundle(run / "bundle").report for run in (tiny_run.out, out)]
    assert same_numbers(*reports)


def test_a_finished_run_is_not_done_twice(study, models, finish, tiny_run) -> None:
    events = finish(train(models, study, tiny_run.out, tiny_run.cache))
    assert [event["event"] for event in events] == ["done"]
    assert events[0]["digest"] == tiny_run.events[-1]["digest"]


def test_a_folder_of_another_run_and_a_missing_manifest_are_refused(
    study, models, tiny_run, tmp_path: Path
) -> None:
    for process, word in (
        (train(models, study, tiny_run.out, tiny_run.cache, "--seed", 99), "another run"),
        (
            models("train", "--manifest", tmp_path / "no.parquet", "--media", study.media,
                   "--out", tmp_path / "o"),
            "no manifest",
        ),
    ):  # fmt: skip
        out, _ = process.communicate(timeout=100)
        assert process.returncode == 3
        event = json.loads(out.splitlines()[-1])
        assert event["event"] == "refused"
        assert word in event["sentence"]


def test_a_run_ends_when_its_parent_lets_go_of_it(study, models, tmp_path: Path) -> None:
    process = train(
        models, study, tmp_path / "run", tmp_path / "cache", "--watch-stdin",
        stdin=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    process.communicate(timeout=60)
    assert process.returncode == 4


def test_shuffled_labels_are_recorded_and_change_the_weights(
    study, models, finish, judged, tiny_run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    finish(
        train(models, study, out, tiny_run.cache, "--shuffle-labels", "--warm-start",
              tiny_run.bundle)
    )  # fmt: skip
    judged(out, tiny_run.cache)
    bundle = load_bundle(out / "bundle")
    assert bundle.info["shuffled_labels"] is True
    assert bundle.report["training"]["shuffled_labels"] is True
    before = load_bundle(tiny_run.bundle)
    assert bundle.info["warm_start"] == before.digest
    units = bundle.info["parts"]["units"]
    assert units["pretrained_on"] == before.info["parts"]["units"]["trained_on"]
    assert "negative control" in (bundle.path / "card.md").read_text().lower()
    assert (
        bundle.report["benchmark_digest"] == load_bundle(tiny_run.bundle).report["benchmark_digest"]
    )


def test_a_checkpoint_is_no_finished_bundle_and_is_kept_twice_at_most(tiny_run) -> None:
    assert 1 <= len(list((tiny_run.out / "checkpoints").glob("step-*.ckpt"))) <= 2
    assert not list((tiny_run.out / "checkpoints").glob(".step*"))


def test_crops_are_cut_once_per_file_and_finder(study, tiny_run) -> None:
    stores = list((tiny_run.cache / "crops").glob("*/*.npy"))
    learnt = {row["blob"] for row in study.rows if row["split"] not in ("test", "benchmark")}
    judging = {row["blob"] for row in study.rows if row["split"] == "benchmark"}
    # Of the benchmark only the few frames that are explained are cut.
    assert learnt <= {store.stem for store in stores} <= learnt | judging
    records = np.load(stores[0], mmap_mode="r", allow_pickle=False)
    assert records["crop"].shape[1:] == (32, 32)
    assert records["found"].all()


def test_no_pickle_is_in_a_bundle(tiny_run) -> None:
    for file in tiny_run.bundle.iterdir():
        assert file.suffix not in (".pkl", ".pt", ".pth", ".ckpt", ".bin")
        assert not file.read_bytes().startswith(b"\x80")


def test_a_bundle_of_another_place_still_loads(tiny_run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run.bundle, copy)
    assert load_bundle(copy).digest == load_bundle(tiny_run.bundle).digest


def test_a_run_resumed_elsewhere_from_its_last_step_only_has_to_be_finished(
    study, models, finish, tiny_run, tmp_path: Path
) -> None:
    checkpoints = tiny_run.out / "checkpoints"
    process = train(models, study, tmp_path / "run", tiny_run.cache, "--resume", checkpoints)
    events = finish(process)
    assert events[-1]["event"] == "done"
    resumed, whole = (
        load_file(Path(e["trained"]) / "weights.safetensors")
        for e in (events[-1], tiny_run.events[-1])
    )
    assert all(np.array_equal(resumed[name], whole[name]) for name in whole)
