"""Columns of short values: pages, values that stand alone, and huge ones, in one column."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aiolake
from aiolake import Bytes, Json, Options, Text, optimize
from tests.dataset.helpers import Backend

SIZES = st.sampled_from([0, 1, 50, 50, 50, 1500, 2500, 9000])
MIB = 1 << 20
OPTIONS = Options(chunk_bytes=64 << 10, small_bytes=4 << 10)


def text_of(i: int, size: int | None, wide: bool) -> str | None:
    if size is None:
        return None
    return (("ü" if wide else "u") * size + str(i))[-size:] if size else ""


def rows_of(sizes: list[int | None], *, wide: bool) -> list[dict[str, Any]]:
    texts = [text_of(i, size, wide) for i, size in enumerate(sizes)]
    return [
        {
            "t": text,
            "z": text,
            "j": None if text is None else {"of": text},
            "b": None if text is None else text.encode(),
        }
        for text in texts
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    sizes=st.lists(st.none() | SIZES, min_size=1, max_size=60),
    wide=st.booleans(),
    order=st.randoms(use_true_random=False),
)
async def test_whatever_was_written_is_read_in_every_way(
    sizes: list[int | None], wide: bool, order: Any
) -> None:
    rows = rows_of(sizes, wide=wide)
    backend = Backend()
    async with (
        backend.session(OPTIONS) as session,
        aiolake.create_dataset(
            backend.url, {"t": Text(), "z": Text("zstd"), "j": Json(), "b": Bytes()},
            session=session,
        ) as ds,
    ):  # fmt: skip
        half = len(rows) // 2
        async with ds.transaction() as tx:
            await tx.append(rows[:half])
            await tx.append(rows[half:])
        await check(ds, rows, order)
        changed = order.randrange(len(rows))
        rows[changed] = rows_of([70], wide=wide)[0]
        async with ds.transaction() as tx:
            await tx.update(changed, rows[changed])
        gone = order.randrange(len(rows))
        async with ds.transaction() as tx:
            await tx.delete(gone)
        del rows[gone]
        await check(ds, rows, order)
        await optimize(ds)
        await check(ds, rows, order)


async def check(ds: aiolake.Dataset, rows: list[dict[str, Any]], order: Any) -> None:
    assert [await ds.read(i) for i in range(len(rows))] == rows
    picked = [order.randrange(len(rows)) for _ in range(9)] if rows else []
    batch = await ds.read(picked)
    assert {name: batch[name] for name in batch} == {
        name: [rows[i][name] for i in picked] for name in batch
    }
    raw = await ds.read(picked, decode=False)
    assert raw["t"] == raw["b"] == [rows[i]["b"] for i in picked]
    parsed = [None if text is None else json.loads(text) for text in raw["j"]]
    assert parsed == [rows[i]["j"] for i in picked]
    seen: list[Any] = []
    async with ds.batches(7) as batches:
        async for part in batches:
            seen += [dict(zip(part, row, strict=True)) for row in zip(*part.values(), strict=True)]
    assert seen == rows


async def test_huge_values_stand_among_short_ones(backend: Backend) -> None:
    huge = bytes(range(256)) * (17 * MIB // 256)
    values = [b"a", None, huge, b"b" * 100, b""]
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, {"b": Bytes()}, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append(columns={"b": values})
        for _ in range(2):
            assert [(await ds.read(i))["b"] for i in range(len(values))] == values
            assert (await ds.read(slice(None)))["b"] == values
            assert await ds.read_bytes(2, "b", 8 * MIB - 3, 8 * MIB + 3) == huge[-3:] + huge[:3]
            assert await ds.read_bytes(3, "b", 98) == b"bb"
            assert await ds.read_bytes(1, "b") == b""
            async with ds.transaction() as tx:
                await tx.append({"b": b"more"})
            values.append(b"more")
            await optimize(ds)


async def test_a_long_column_of_short_texts_has_several_blocks(backend: Backend) -> None:
    texts = [f"{i:060}" for i in range(300_000)]
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, {"t": Text()}, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append(columns={"t": texts})
        piece = ds._state.snapshot.pieces[0]
        assert piece.page_rows == 0
        assert piece.manifest is not None
        rows = np.frombuffer(piece.manifest.rows, "<u4")
        assert len(rows) == 2
        assert rows.sum() == len(texts)
        edge = int(rows[0])
        picked = [0, edge - 1, edge, edge + 1, len(texts) - 1]
        assert [(await ds.read(i))["t"] for i in picked] == [texts[i] for i in picked]
        assert (await ds.read(picked))["t"] == [texts[i] for i in picked]
        near = slice(edge - 100, edge + 100)
        assert (await ds.read(near))["t"] == texts[near]


@pytest.mark.parametrize("size", [20, 2500])
async def test_only_pages_say_how_many_rows_an_entry_has(backend: Backend, size: int) -> None:
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, {"b": Bytes()}, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            await tx.append(columns={"b": [bytes(size)] * 10})
        assert ds._state.snapshot.pieces[0].page_rows == (0 if size < 2048 else 1)
