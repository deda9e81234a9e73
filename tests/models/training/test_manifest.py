import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.manifest import (
    SPLITS,
    ManifestError,
    beside,
    read_manifest,
    refuse_locked,
    split,
    target_columns,
    votes_of,
    write_apart,
    write_manifest,
)
from models.scale import Scale


def animals(labs: int = 3, each: int = 6) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"animal": f"A{lab}{coat}{n}", "lab": f"L{lab}", "coat": coat}
            for lab in range(labs)
            for coat in ("white", "black")
            for n in range(each)
        ]
    )


def test_a_manifest_is_read_as_it_was_written(study, scale: Scale) -> None:
    manifest = study.read()
    assert manifest.header["scale"] == scale.name
    assert manifest.header["phantom"] is True
    assert manifest.header["counts"]["train"] == 42
    assert manifest.header["versions"] == ["AMGS-000000/1", "AMGS-000001/1"]
    assert len(manifest.frames) == len(study.rows)
    first = manifest.frames.iloc[0]
    assert first["frame"] == "F0000"
    assert votes_of(first["votes"])[0].rater == "r0"
    assert set(target_columns(scale)) <= set(manifest.frames.columns)
    assert manifest.part("test", "benchmark")["split"].isin(["test", "benchmark"]).all()


def test_equal_rows_in_any_order_give_one_digest(study, tmp_path: Path) -> None:
    digest = study.read().digest
    again = write_manifest(tmp_path / "m.parquet", study.rows[::-1], {"created": "later"})
    assert again == digest
    changed = [{**study.rows[0], "sex": "m"}, *study.rows[1:]]
    assert write_manifest(tmp_path / "n.parquet", changed, {}) != digest


def test_a_manifest_changed_by_hand_is_refused(study, tmp_path: Path) -> None:
    table = pq.read_table(study.manifest)
    frames = table.to_pandas()
    frames.loc[0, "coat"] = "black"
    changed = table.from_pandas(frames, preserve_index=False).replace_schema_metadata(
        table.schema.metadata
    )
    pq.write_table(changed, tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match="changed after it was frozen"):
        read_manifest(tmp_path / "m.parquet")


def test_a_manifest_of_another_scale_version_is_refused(study, tmp_path: Path) -> None:
    table = pq.read_table(study.manifest)
    header = json.loads(table.schema.metadata[b"amgs"])
    header["scale_version"] = "0"
    pq.write_table(
        table.replace_schema_metadata({b"amgs": json.dumps(header).encode()}),
        tmp_path / "m.parquet",
    )
    with pytest.raises(ManifestError, match="freeze a new snapshot"):
        read_manifest(tmp_path / "m.parquet")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"split": "test"}, "Animal A00 is in more than one split: test, train"),
        ({"split": "exam"}, "“exam” is no split"),
        ({"split": "test", "animal": "Z"}, "more than one split"),
        ({"frame": "F0001"}, "F0001 is listed twice"),
        ({"orbital_tightening__p0": 0.9, "orbital_tightening__p1": 0.9}, "no distribution"),
        ({"nose_bulge__scorable": 1.5}, "the target of nose_bulge"),
        ({"pts": "soon"}, "Column pts"),
    ],
)
def test_a_contradiction_is_refused_by_name(
    study, tmp_path: Path, change: dict, sentence: str
) -> None:
    rows = [{**study.rows[0], **change}, *study.rows[1:]]
    with pytest.raises(ManifestError, match=sentence):
        write_manifest(tmp_path / "m.parquet", rows, {})


def test_a_missing_column_an_unknown_scale_and_other_files_are_refused(
    study, tmp_path: Path
) -> None:
    rows = [{k: v for k, v in row.items() if k != "votes"} for row in study.rows]
    with pytest.raises(ManifestError, match="lacks the column votes"):
        write_manifest(tmp_path / "m.parquet", rows, {})
    with pytest.raises(ManifestError, match="no scale called “rat”"):
        write_manifest(tmp_path / "m.parquet", study.rows, {"scale": "rat"})
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(ManifestError, match="no Parquet file"):
        read_manifest(tmp_path / "text.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ManifestError, match="header is missing"):
        read_manifest(tmp_path / "other.parquet")


def test_every_split_gets_animals_even_from_small_strata() -> None:
    placed = split(animals(each=4), {}, seed=1)
    counts = pd.Series(placed).value_counts()
    assert set(counts.index) == set(SPLITS) - {"independent"}
    assert counts["train"] > counts.drop("train").max()


def test_the_split_is_the_same_for_the_same_animals_in_any_order() -> None:
    table = animals()
    assert split(table, {}, 5) == split(table.sample(frac=1, random_state=1), {}, 5)
    assert split(table, {}, 5) != split(table, {}, 6)


def test_a_pinned_animal_stays_and_takes_near_duplicates_to_the_benchmark() -> None:
    table = animals()
    table["near_duplicate_group"] = None
    table.loc[:1, "near_duplicate_group"] = "twins"
    one, two = table["animal"][:2]
    placed = split(table, {one: "benchmark", "gone": "test"}, 0)
    assert placed[one] == placed[two] == "benchmark"
    with pytest.raises(ManifestError, match="Near duplicates"):
        split(table, {one: "train", two: "test"}, 0)
    with pytest.raises(ManifestError, match="no split"):
        split(table, {one: "exam"}, 0)


@settings(max_examples=30)
@given(st.integers(0, 100), st.integers(1, 12), st.integers(0, 8))
def test_adding_animals_never_moves_a_benchmark_animal(seed: int, each: int, more: int) -> None:
    first = split(animals(each=each), {}, seed)
    pinned = {animal: name for animal, name in first.items() if name == "benchmark"}
    second = split(animals(each=each + more), pinned, seed)
    assert all(second[animal] == "benchmark" for animal in pinned)


def test_shares_must_add_up() -> None:
    with pytest.raises(ManifestError, match="add up to 1"):
        split(animals(), {}, 0, {"train": 0.5})
    only = split(animals(), {}, 0, {"train": 0.5, "test": 0.5})
    assert set(only.values()) == {"train", "test"}


def test_an_animal_listed_twice_is_refused() -> None:
    table = pd.concat([animals(), animals().head(1)])
    with pytest.raises(ManifestError, match="listed twice"):
        split(table, {}, 0)


def test_what_only_judges_is_written_apart(study, tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    rows = [
        {**row, "split": "independent"} if row["split"] == "test" else row for row in study.rows
    ]
    digests = write_apart(path, rows, {})
    assert set(digests) == {"training", "benchmark", "independent"}
    learnt = read_manifest(path)
    refuse_locked(learnt)
    assert learnt.digest == digests["training"]
    frames = len(learnt.frames)
    for name in ("benchmark", "independent"):
        held = read_manifest(beside(path, name))
        assert (set(held.frames["split"]), held.digest) == ({name}, digests[name])
        with pytest.raises(ManifestError, match=f"split {name}, which no training run may read"):
            refuse_locked(held)
        frames += len(held.frames)
    assert frames == len(rows)
    assert write_apart(path, rows[::-1], {"created": "later"}) == digests
    assert set(write_apart(path, study.rows, {})) == {"training", "benchmark"}
    assert not beside(path, "independent").exists()


@pytest.mark.parametrize(("column", "noun"), [("animal", "Animal"), ("blob", "File")])
def test_nothing_is_on_both_sides(study, tmp_path: Path, column: str, noun: str) -> None:
    rows = [dict(row) for row in study.rows]
    judging = next(row for row in rows if row["split"] == "benchmark")
    rows[0][column] = judging[column]
    with pytest.raises(ManifestError, match=f"{noun} .* is in more than one split"):
        write_apart(tmp_path / "m.parquet", rows, {})
