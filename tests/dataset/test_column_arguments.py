"""Columns named in a read are checked in every read, whatever the reads before named."""

from __future__ import annotations

from pathlib import Path

import pytest

import aiolake
from aiolake import InvalidInputError, Options, Text


async def test_a_read_refuses_bad_columns_after_reads_of_good_ones(tmp_path: Path) -> None:
    schema = {"a": Text(), "b": Text()}
    async with aiolake.create_dataset(tmp_path, schema, options=Options(durability="os")) as ds:
        async with ds.transaction() as tx:
            await tx.append({"a": "x", "b": "y"})
        for good in (["a"], ["b", "a"], ("a",), iter(["a"])):
            assert await ds.read(0, columns=good)
            assert list(await ds.read(0, columns=["a"])) == ["a"]
            for bad in ("a", ["a", "a"], ["c"], ["a", "c"]):
                with pytest.raises(InvalidInputError):
                    await ds.read(0, columns=bad)
        assert list(await ds.read(0, columns=["b", "a"])) == ["b", "a"]
        assert await ds.read(0) == {"a": "x", "b": "y"}
