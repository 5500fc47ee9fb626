"""What users keep beside rows and columns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import aiolake
from aiolake import ColumnType, Dataset, InvalidInputError, Tensor, Text
from tests.dataset.counted import opened
from tests.dataset.helpers import Backend


@pytest_asyncio.fixture
async def ds(backend: Backend) -> AsyncIterator[Dataset]:
    async with (
        backend.session() as session,
        aiolake.create_dataset(
            backend.url, {"x": Tensor("int64"), "t": Text()}, row_metadata=True, session=session
        ) as ds,
    ):
        yield ds


async def metadata(ds: Dataset) -> list[Any]:
    found: list[Any] = (await ds.read(slice(None), columns=["_metadata"]))["_metadata"]
    return found


async def test_rows_may_have_metadata_that_is_read_only_when_named(
    ds: Dataset, backend: Backend
) -> None:
    async with ds.transaction() as tx:
        await tx.append({"x": 1, "t": "a", "_metadata": {"source": "K1", "n": [1, None]}})
        await tx.append([{"x": 2, "t": "b"}, {"x": 3, "t": "c", "_metadata": 7}])
        await tx.append(columns={"x": [4, 5], "t": ["d", "e"]})
        await tx.append(columns={"x": [6], "t": ["f"], "_metadata": [{}]})
    expected: list[Any] = [{"source": "K1", "n": [1, None]}, None, 7, None, None, {}]
    assert await metadata(ds) == expected
    assert ds.schema.names == ("x", "t")
    assert await ds.read(0) == {"x": 1, "t": "a"}
    assert list(await ds.read([0, 1])) == ["x", "t"]
    assert await ds.read(2, columns=["_metadata", "x"]) == {"_metadata": 7, "x": 3}
    async with ds.transaction() as tx:
        await tx.update(1, {"_metadata": {"seen": True}})
        await tx.update([2, 3], {"_metadata": [None, "later"], "x": [30, 40]})
        await tx.delete(0)
    assert await metadata(ds) == [{"seen": True}, None, "later", None, {}]
    await aiolake.optimize(ds)
    async with opened(backend) as fresh:
        assert await metadata(fresh) == [{"seen": True}, None, "later", None, {}]
        assert fresh[1:3].select("t").schema.names == ("t",)
        assert (await fresh[1:3].read(0, columns=["_metadata"])) == {"_metadata": None}
        assert (await fresh.history.diff(1)).schema == aiolake.SchemaDiff((), (), ())


async def test_what_it_refuses(ds: Dataset, backend: Backend) -> None:
    async def change(what: str) -> None:
        async with ds.transaction() as tx:
            if what == "append":
                await tx.append({"x": 1, "t": "a", "_metadata": float("nan")})
            elif what == "drop":
                tx.drop_column("_metadata")
            elif what == "rename":
                tx.rename_column("_metadata", "m")
            else:
                tx.add_column("_metadata", Text())

    for what, message in (
        ("append", "column '_metadata', row 0: JSON cannot hold nan"),
        ("drop", "cannot be dropped"),
        ("rename", "keeps its name"),
        ("add", "already"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            await change(what)
    with pytest.raises(InvalidInputError, match="hidden column '_metadata'"):
        aiolake.create_dataset(backend.url, {"_metadata": Text()}, row_metadata=True)


async def test_without_it_there_is_none(flowers: Dataset) -> None:
    with pytest.raises(InvalidInputError, match="no column '_metadata'"):
        await flowers.read(0, columns=["_metadata"])


async def test_workers_bring_metadata(ds: Dataset, backend: Backend) -> None:
    async with ds.transaction() as tx, backend.session() as session:
        async with tx.fork().open(session=session) as rows:
            await rows.append([{"x": 1, "t": "a", "_metadata": 1}, {"x": 2, "t": "b"}])
        await tx.merge(rows.receipt)
    assert await metadata(ds) == [1, None]


async def test_metadata_of_columns_may_be_given_at_creation(backend: Backend) -> None:
    schema: dict[str, ColumnType] = {"x": Tensor("int64"), "t": Text()}
    for given, message in (({"y": {}}, "'y', which is no column"), ([1], "maps columns"),
                           ({"x": 3}, "text keys"), ({"x": {1: 2}}, "text keys")):  # fmt: skip
        with pytest.raises(InvalidInputError, match=message):
            aiolake.create_dataset(backend.url, schema, column_metadata=given)  # type: ignore[arg-type]
    async with (
        backend.session() as session,
        aiolake.create_dataset(
            backend.url, schema, column_metadata={"x": {"unit": "mm"}}, session=session
        ) as ds,
    ):
        assert ds.schema["x"].metadata == {"unit": "mm"}
        async with ds.transaction() as tx:
            tx.set_metadata({"from": "K1"}, column="x")
        async with opened(backend) as fresh:
            assert fresh.schema["x"].metadata == {"unit": "mm", "from": "K1"}
            assert fresh.schema["t"].metadata == {}
