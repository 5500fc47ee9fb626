"""Rows that a program makes, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import aiolake
from aiolake import InvalidInputError
from tests.dataset.helpers import new_url
from tests.ingest.files import jpeg

SCHEMA: dict[str, aiolake.ColumnType | type] = {"n": aiolake.Tensor("int64"), "t": aiolake.Text}


def rows(n: int, first: int = 0) -> Iterator[dict[str, Any]]:
    for i in range(first, n):
        yield {"n": i, "t": f"row {i}"}


async def later(n: int) -> AsyncIterator[dict[str, Any]]:
    for row in rows(n):
        await asyncio.sleep(0)
        yield row


async def numbers(ds: aiolake.Dataset) -> list[int]:
    found: list[int] = (await ds.read(slice(None), columns=["n"]))["n"].tolist()
    return found


async def test_iterables_and_async_iterables() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        report = await aiolake.ingest(ds, rows(1_000), commit_every=300)
        assert len(report.snapshots) == 3
        await aiolake.ingest(ds, later(1_000))
        assert await numbers(ds) == [*range(1_000), *range(1_000)]
        assert not ds.metadata


async def test_columns_are_inferred_from_the_first_rows() -> None:
    url = new_url()
    made = ({"image": jpeg(i), "x": i / 2, "name": str(i), "box": [1, 2]} for i in range(150))
    async with aiolake.Session() as session:
        # The memory of a mem:// dataset outlives its handles.
        report = await aiolake.ingest(url, made, session=session)
        async with aiolake.open_dataset(url, session=session) as ds:
            assert len(ds) == 150
    kinds = {name: shown.split("(")[0] for name, shown in report.columns.items()}
    assert kinds == {"image": "Image", "x": "Tensor", "name": "Text", "box": "Json"}
    with pytest.raises(InvalidInputError, match="no rows to infer"):
        await aiolake.ingest(new_url(), [])


async def test_bad_rows_are_skipped_by_number() -> None:
    mixed: list[Any] = list(rows(10))
    mixed[3] = {"n": 3}
    mixed[5] = {"n": "five", "t": ""}
    mixed[7] = 7
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        with pytest.raises(InvalidInputError, match="row 3: column 't' is missing"):
            await aiolake.ingest(ds, mixed)
        report = await aiolake.ingest(ds, mixed, on_error="skip")
        assert [skipped.item for skipped in report.skipped] == [3, 5, 7]
        assert "column 'n'" in report.skipped[1].reason
        assert await numbers(ds) == [0, 1, 2, 4, 6, 8, 9]


async def test_named_rows_are_resumed() -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield from rows(57)
        raise RuntimeError("the source broke")

    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        with pytest.raises(RuntimeError):
            await aiolake.ingest(ds, failing(), name="numbers", commit_every=10)
        done = len(ds)
        assert 0 < done < 57
        report = await aiolake.ingest(ds, rows(100), name="numbers", commit_every=10)
        assert report.resumed_at == done
        assert await numbers(ds) == list(range(100))
        again = await aiolake.ingest(ds, rows(100), name="numbers")
        assert again.n_rows == 0
        assert "resume=False" in str(again)
        await aiolake.ingest(ds, rows(120), name="numbers")
        assert await numbers(ds) == list(range(120))


async def test_two_runs_of_one_source_at_once_do_not_double_rows() -> None:
    url = new_url()
    async with aiolake.create_dataset(url, SCHEMA) as ds, aiolake.open_dataset(url) as twin:
        results = []
        async with asyncio.TaskGroup() as group:
            for each in (ds, twin):
                results.append(group.create_task(caught(each)))
        failures = [task.result() for task in results]
        assert any(isinstance(failure, aiolake.ConflictError) for failure in failures)
        await ds.refresh()
        await aiolake.ingest(ds, later(500), name="one")
        assert await numbers(ds) == list(range(500))


async def caught(ds: aiolake.Dataset) -> BaseException | None:
    try:
        await aiolake.ingest(ds, later(500), name="one", commit_every=20)
    except aiolake.AiolakeError as error:
        return error
    return None


@pytest.mark.parametrize("source", [7, {"n": 1}, b"x", None])
async def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(InvalidInputError, match="a path or an iterable of rows"):
        await aiolake.ingest(new_url(), source)


async def test_a_huge_stream_is_held_in_parts() -> None:
    held: list[int] = []
    given = 0

    def large() -> Iterator[dict[str, Any]]:
        nonlocal given
        for i in range(200):
            given += 1
            yield {"n": i, "t": "x" * (1 << 20)}

    def on_progress(progress: aiolake.IngestProgress) -> None:
        held.append(given - progress.n_rows)

    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        await aiolake.ingest(ds, large(), max_bytes=8 << 20, on_progress=on_progress)
    assert max(held) <= 16


async def test_rows_with_keys_and_metadata_of_their_own() -> None:
    create = aiolake.create_dataset(new_url(), SCHEMA, key="n", row_metadata=True)
    async with create as ds:
        first, second = rows(2)
        await aiolake.ingest(ds, [{**first, "_metadata": {"from": "a"}}, second])
        assert (await ds.read(0, columns=["_metadata"]))["_metadata"] == {"from": "a"}
        assert (await ds.get(1))["t"] == "row 1"
        with pytest.raises(aiolake.AiolakeError):
            await aiolake.ingest(ds, rows(5))
        await aiolake.ingest(ds, rows(5, 2))
        assert await numbers(ds) == list(range(5))
        async with ds.transaction() as tx:
            async with tx.fork().open() as worker:
                await worker.append(rows(9, 5))
            await tx.merge(worker.receipt)
        assert (await ds.get(8))["t"] == "row 8"
