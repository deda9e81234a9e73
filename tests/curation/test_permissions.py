"""The texts that are signed, and when a signature is refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import permissions
from curation.checks.permissions import PERMISSIONS
from curation.licences import LICENCES

# A text that was signed is never changed; a new wording is a new version.
SIGNED = {
    ("2026-1", "right_to_share"): "77ae7ca1d124a24f",
    ("2026-1", "outside_raters"): "a0f38246e3d45361",
    ("2026-1", "train"): "de3614666a31ad46",
    ("2026-1", "show_frames"): "8654ce81a1444746",
    ("2026-1", "download"): "74512c4de15c9532",
    ("2026-2", "right_to_share"): "99d6c05bb2c4e789",
    ("2026-2", "outside_raters"): "84c13cdfebbe1bc4",
    ("2026-2", "train"): "ab02ec1665969e2d",
    ("2026-2", "show_frames"): "b8d120982e8aa6c3",
    ("2026-2", "download"): "f9d395a48c06c597",
}


def test_every_permission_has_a_text_in_every_version() -> None:
    for wording in permissions.wordings():
        assert [row.kind for row in wording.texts] == [
            permissions.RIGHT_TO_SHARE,
            *permissions.KINDS,
        ]
        assert all(row.text.endswith(".") or wording.key == "2026-1" for row in wording.texts)


def test_no_text_that_was_signed_has_changed() -> None:
    now = {
        (row.key, text.kind): text.digest[:16]
        for row in permissions.wordings()
        for text in row.texts
    }
    assert now == SIGNED


def test_the_checks_know_the_same_permissions() -> None:
    assert set(PERMISSIONS) == set(permissions.KINDS)


def test_the_current_texts_say_what_taking_back_means() -> None:
    for kind in permissions.KINDS:
        assert "taken back" in permissions.current().text(kind).text


def test_a_digest_is_over_version_kind_title_and_text() -> None:
    text = permissions.current().text("train")
    whole = f"{text.version}\ntrain\n{text.title}\n{text.text}"
    assert text.digest == hashlib.sha256(whole.encode()).hexdigest()
    assert text.digest != permissions.wordings()[0].text("train").digest


def test_an_unknown_version_and_an_unknown_kind_are_no_text() -> None:
    with pytest.raises(KeyError):
        permissions.wording("1999-1")
    with pytest.raises(KeyError):
        permissions.current().text("everything")


GOOD = {
    "signer": "Prof. Arber",
    "right_to_share": True,
    "licence": "CC0-1.0",
    "text_version": permissions.current().key,
}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"signer": "  "}, "signer_name"),
        ({"right_to_share": False}, "right_to_share"),
        ({"licence": ""}, "licence"),
        ({"licence": "GPL-3.0"}, "licence"),
        ({"text_version": "2026-1"}, "text_version"),
    ],
)
def test_a_signature_that_lacks_something_is_refused_at_its_field(changed, field) -> None:
    refused = permissions.signing_refusal(["download"], **{**GOOD, **changed})
    assert refused is not None
    assert refused[0] == field
    assert refused[1].endswith(".")


def test_saying_no_to_everything_needs_a_name_only() -> None:
    given = {**GOOD, "right_to_share": False, "licence": ""}
    assert permissions.signing_refusal([], **given) is None


@given(
    kinds=st.lists(st.sampled_from(permissions.KINDS), unique=True),
    right=st.booleans(),
    licence=st.sampled_from([None, "", *LICENCES]),
)
def test_only_a_download_asks_for_a_licence_and_only_a_yes_for_the_right(
    kinds: list[str], right: bool, licence: str | None
) -> None:
    given = {**GOOD, "right_to_share": right, "licence": licence}
    refused = permissions.signing_refusal(kinds, **given)
    wanted = (bool(kinds) and not right) or ("download" in kinds and licence == "")
    assert (refused is not None) == wanted
