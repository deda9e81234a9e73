import dataclasses
from pathlib import Path

import pytest
import yaml

from models import config as configs
from models.config import SHIPPED, ConfigError, RunConfig, load_config, parse_config, to_yaml


@pytest.mark.parametrize("name", sorted(file.stem for file in SHIPPED.rglob("*.yaml")))
def test_every_shipped_configuration_is_read_and_named_as_its_file(name: str) -> None:
    assert load_config(name).name == name


def test_a_configuration_survives_yaml(tmp_path: Path) -> None:
    config = load_config("tiny")
    path = tmp_path / "own.yaml"
    path.write_text(to_yaml(config))
    assert load_config(path) == config
    assert configs.digest(load_config(path)) == configs.digest(config)
    assert configs.digest(config) != configs.digest(RunConfig())


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"epochs": 3}, "no field “epochs”"),
        ({"fit": {"epoch": 3}}, "fit: there is no field “epoch”"),
        ({"fit": 3}, "must hold fields"),
        ({"fit": {"epochs": "many"}}, "must be of kind int"),
        ({"seed": True}, "must be of kind int"),
        ({"finder": {"real": 1}}, "must be of kind bool"),
        ([], "must be a mapping"),
    ],
)
def test_a_wrong_field_is_refused_by_name(data, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse_config(data)


def test_a_missing_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"use demo, .*tiny or a YAML file"):
        load_config("huge")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "bad.yaml")


def test_every_field_has_a_docstring_line() -> None:
    text = Path(configs.__file__).read_text(encoding="utf-8").splitlines()
    for kind in (RunConfig, *(f.default_factory for f in dataclasses.fields(RunConfig)
                              if callable(f.default_factory))):  # fmt: skip
        for name in (entry.name for entry in dataclasses.fields(kind)):
            places = [i for i, line in enumerate(text) if line.startswith(f"    {name}: ")]
            assert any(text[i + 1].startswith('    """') for i in places), name


def test_shipped_files_are_plain_yaml() -> None:
    for file in SHIPPED.rglob("*.yaml"):
        assert isinstance(yaml.safe_load(file.read_text()), dict)
