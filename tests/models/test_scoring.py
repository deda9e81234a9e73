"""Names of folders for results."""

from models.scoring import unused


def test_recordings_of_one_name_get_folders_of_their_own() -> None:
    taken: set[str] = set()
    names = [unused(name, taken) for name in ("cage", "cage", "cage-2", "cage", "other")]
    assert names == ["cage", "cage-2", "cage-2-2", "cage-3", "other"]
    assert taken == set(names)
