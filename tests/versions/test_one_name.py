"""A name is a branch's or a tag's, also when two writers give it at once."""

from __future__ import annotations

import pytest

from aiolake.errors import AlreadyExistsError
from aiolake.versions.intents import SetBranch, SetTag
from tests.versions.model import Model


@pytest.mark.parametrize("listed", [False, True])
def test_a_branch_and_a_tag_of_one_name_do_not_meet(
    listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if listed:
        monkeypatch.setattr("aiolake.versions.blobs.REFS_BYTES", 10)
    model = Model()
    model.made(1)
    model.commit(SetTag(name="v1", snapshot=1, expected=None))
    with pytest.raises(AlreadyExistsError, match="name of a tag"):
        model.commit(SetBranch(name="v1", snapshot=1, expected=None))
    model.commit(SetBranch(name="dev", snapshot=1, expected=None))
    with pytest.raises(AlreadyExistsError, match="name of a branch"):
        model.commit(SetTag(name="dev", snapshot=1, expected=None))
    model.commit(SetTag(name="v1", snapshot=None, expected=1))
    model.commit(SetBranch(name="v1", snapshot=1, expected=None))
