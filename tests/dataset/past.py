"""A dataset with a past, for copies of it, and what it is for two datasets to be the same."""

from __future__ import annotations

from typing import Any

import numpy as np

import aiolake
from tests.dataset.helpers import png, same

__all__ = ["SCHEMA", "assert_same", "made", "renamed", "row"]

SCHEMA: dict[str, aiolake.ColumnType | type] = {
    "key": aiolake.Text,
    "n": aiolake.Tensor("int64"),
    "ragged": aiolake.Tensor("float32", (None, 2)),
    "image": aiolake.Image("png"),
    "label": aiolake.ClassLabel(["a", "b"]),
    "about": aiolake.Json,
}
OPTIONS = aiolake.Options(durability="os", decode_threads=1)


def row(i: int) -> dict[str, Any]:
    none = i % 7 == 3
    return {
        "key": f"row {i}",
        "n": None if none else i,
        "ragged": np.full((i % 4, 2), i, np.float32),
        "image": None if none else png(4, 4, i),
        "label": "ab"[i % 2],
        "about": {"i": i} if i % 3 else None,
    }


async def made(url: Any, **how: Any) -> aiolake.Dataset:
    """A dataset with a past: appends, updates, deletes, columns, a branch and tags."""
    ds = await aiolake.create_dataset(
        url, SCHEMA, metadata={"camera": 1}, column_metadata={"n": {"unit": "m"}},
        options=OPTIONS, **how,
    )  # fmt: skip
    async with ds.transaction("first", author="Ann") as tx:
        await tx.append([row(i) for i in range(200)])
    await ds.tags.create("t1")
    async with ds.transaction("second") as tx:
        await tx.update([3, 5], {"n": [-3, -5]})
        await tx.delete(slice(50, 90))
        tx.add_column("added", aiolake.Text, default="later")
        tx.rename_column("about", "notes")
    await ds.branches.create("side")
    opening = aiolake.open_dataset(ds.url, branch="side", options=OPTIONS, creds=how.get("creds"))
    async with opening as side, side.transaction("aside") as tx:
        await tx.delete(slice(0, 100))
    async with ds.transaction("third") as tx:
        await tx.append([{**renamed(row(i)), "added": "now"} for i in range(200, 230)])
    return ds


def renamed(row: dict[str, Any]) -> dict[str, Any]:
    return {("notes" if name == "about" else name): value for name, value in row.items()}


async def assert_same(a: aiolake.Dataset, b: aiolake.Dataset) -> None:
    assert len(a) == len(b)
    assert a.metadata == b.metadata
    assert [(c.name, c.type, c.metadata) for c in a.schema.columns] == [
        (c.name, c.type, c.metadata) for c in b.schema.columns
    ]
    one, other = await a.read(slice(None)), await b.read(slice(None))
    for name in one:
        for i, (x, y) in enumerate(zip(one[name], other[name], strict=True)):
            assert x is y is np.ma.masked or same(x, y), (name, i)
