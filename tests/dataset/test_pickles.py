"""Handles that belong to a loop say so when they are pickled."""

from __future__ import annotations

import pickle

import pytest

import aiolake
from aiolake import DatasetSpec


async def test_a_handle_becomes_its_spec_and_the_rest_refuses() -> None:
    async with (
        aiolake.Session() as session,
        aiolake.create_dataset("mem://pickles", {"a": aiolake.Text}, session=session) as ds,
    ):
        spec = pickle.loads(pickle.dumps(ds))
        assert spec == ds.spec == DatasetSpec(url="mem://pickles", branch="main", snapshot=1)
        async with aiolake.open_dataset(spec, session=session) as again:
            assert again.snapshot == ds.snapshot
        for handle, words in ((ds[:], "ds.spec"), (ds.transaction(), "process"), (session, "each")):
            with pytest.raises(TypeError, match=words):
                pickle.dumps(handle)
