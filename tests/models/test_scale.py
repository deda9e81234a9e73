from pathlib import Path

import pytest

from models.scale import HERE, Scale, ScaleError, load_scale, read_scale


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = (HERE / "mouse.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mouse.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_mouse_scale_has_the_five_units_of_langford() -> None:
    assert load_scale().unit_keys == (
        "orbital_tightening",
        "nose_bulge",
        "cheek_bulge",
        "ear_position",
        "whisker_change",
    )
    assert load_scale().minimum_units == 3
    assert {unit.top_grade for unit in load_scale().units} == {2}


def test_the_scale_is_read_once() -> None:
    assert load_scale() is load_scale("mouse")


def test_raters_needed_and_kappa_follow_the_public_table() -> None:
    scale = load_scale()
    assert [unit.raters_needed for unit in scale.units] == [2, 8, 6, 4, 5]
    assert [unit.pairwise_kappa for unit in scale.units] == [0.69, 0.31, 0.37, 0.52, 0.43]


def test_only_awake_is_graded_and_every_other_state_has_a_reason() -> None:
    scale = load_scale()
    assert [state.key for state in scale.states if state.graded] == ["awake"]
    assert scale.graded_state.key == "awake"
    assert all(scale.reason(state.reason or "") for state in scale.states if not state.graded)


def test_reasons_are_found_by_their_cause() -> None:
    scale = load_scale()
    assert scale.reason_because("absence").key == "no_face"
    assert scale.reason_because("angle").level == "unit"
    assert len({reason.cause for reason in scale.reasons}) == len(scale.reasons)


def test_file_codes_keep_not_scorable_apart_from_not_assigned() -> None:
    codes = load_scale().file_codes
    assert codes["9"] == codes["-1"] == "not_scorable"
    assert codes["-"] == "not_assigned"


def test_regions_lie_inside_the_face_box() -> None:
    for region in load_scale().regions:
        for x0, y0, x1, y1 in region.boxes:
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1


def test_a_scale_is_hashable() -> None:
    assert isinstance(hash(load_scale()), int)


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ScaleError, match="white, black, agouti"):
        load_scale().coat("pink")
    with pytest.raises(ScaleError, match="use one of mouse"):
        load_scale("dragon")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('key = "nose_bulge"', 'key = "cheek_bulge"', "names a unit twice"),
        ("minimum_units = 3", "minimum_units = 9", "minimum_units"),
        ('region = "nose"', 'region = "tail"', "no region"),
        ("graded = true", 'graded = false\nreason = "other"', "no state in which"),
        ('title = "Mouse Grimace Scale"', "", "cannot be read"),
        ('reason = "asleep"', 'reason = "bored"', "no reason"),
    ],
)
def test_a_scale_that_contradicts_itself_is_refused(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    with pytest.raises(ScaleError, match=sentence):
        read_scale(changed(tmp_path, old, new))


def test_a_unit_added_to_the_file_is_a_unit_of_the_scale(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        "[[units]]",
        '[[units]]\nkey = "tongue"\ntitle = "Tongue"\nshort = "Tongue"\ngrades = ["in", "out"]\n'
        'note = ""\nregion = "nose"\nraters_needed = 3\npairwise_kappa = 0.5\n'
        'not_scorable_rate = 0.1\nwidest_yaw = 30\ndeformation = "show_the_tongue"\n\n[[units]]',
    )
    scale: Scale = read_scale(path)
    assert scale.unit_keys[0] == "tongue"
    assert scale.unit("tongue").top_grade == 1


def test_landmarks_without_places_are_refused_with_a_sentence(tmp_path: Path) -> None:
    text = (HERE / "mouse.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[[landmarks]]")
    _, _, tail = rest.rpartition("[[landmarks]]")
    tail = tail[tail.index("[[regions]]") :]
    path = tmp_path / "old.toml"
    path.write_text('landmarks = ["nose"]\n' + head + tail, encoding="utf-8")
    with pytest.raises(ScaleError, match="cannot be read as a scale"):
        read_scale(path)
