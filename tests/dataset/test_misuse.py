"""Slips a newcomer makes: each is told at once, in words, and none waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import (
    ClassLabel,
    ClosedError,
    Dataset,
    Embedding,
    FormatError,
    Image,
    InvalidInputError,
    NotFoundError,
    Options,
    Tensor,
    Text,
)
from tests.dataset.helpers import Backend, new_url
from tests.dataset.refusals import N_ROWS, commit, raises, refused

# Streams.


async def test_a_stream_that_was_not_entered_does_not_wait_for_ever(flowers: Dataset) -> None:
    async with asyncio.timeout(5):
        with raises(InvalidInputError, "enter the stream first", "async with"):
            async for _ in flowers.batches(2):
                pass


async def test_a_stream_ends_with_its_block(flowers: Dataset) -> None:
    async with asyncio.timeout(5):
        async with flowers.batches(2) as batches:
            await anext(batches)
        with raises(ClosedError, "was left", "batches()"):
            await anext(batches)
        with raises(InvalidInputError, "used once", "batches()"):
            async with batches:
                pass


async def test_a_consumer_left_behind_is_told(flowers: Dataset) -> None:
    async def consume() -> None:
        async for _ in batches:
            await more.wait()

    more = asyncio.Event()
    async with asyncio.timeout(5):
        async with flowers.batches(2) as batches:
            consumer = asyncio.create_task(consume())  # noqa: TID251 -- a user's own task
            await asyncio.sleep(0)
        more.set()
        with raises(ClosedError, "was left"):
            await consumer


async def test_numpy_numbers_do_where_numbers_do(flowers: Dataset) -> None:
    async with flowers.batches(np.int64(N_ROWS)) as batches:
        assert [len(batch["label"]) async for batch in batches] == [N_ROWS]
    assert await flowers.read_bytes(np.int8(0), "raw", np.int8(0), np.int8(1)) == b"x"
    async with flowers.transaction() as tx:
        tx.add_column("v", Embedding(np.int64(3)))
        tx.add_column("w", Text)
    assert flowers.schema["v"].type == Embedding(3)
    assert await flowers.history.restore(np.int64(2)) == flowers.snapshot  # type: ignore[arg-type]


async def test_a_dataset_is_not_iterated_over_row_by_row(flowers: Dataset) -> None:
    for rows in (flowers, flowers[:2]):
        with pytest.raises(TypeError, match=r"async with view\.batches"):
            list(rows)
        with pytest.raises(TypeError, match="not iterable"):
            assert 3 in rows  # type: ignore[operator]


# Selections.


async def test_a_selection_that_is_masked_in_part(flowers: Dataset, backend: Backend) -> None:
    async with flowers.transaction() as tx:
        await tx.update(1, {"label": None})
    labels = (await flowers.read(slice(None), columns=["label"]))["label"]
    async with refused(backend, InvalidInputError, "masked in part", "filled(False)"):
        await commit(flowers, lambda tx: tx.delete(labels != 1))
    assert len(await flowers.read((labels == 1).filled(False), columns=["raw"])) == 1


@pytest.mark.parametrize("selector", [[[1], [1, 2]], {1, 2}, {"a": 1}, [None], ["a"]])
async def test_what_selects_no_rows(flowers: Dataset, selector: Any) -> None:
    with pytest.raises(InvalidInputError):
        await flowers.read(selector)


async def test_columns_that_are_no_names(flowers: Dataset) -> None:
    names: Any
    for names, words in ((3, "list of names"), ([["label"]], "no column ['label']")):
        with raises(InvalidInputError, words):
            await flowers.read(0, columns=names)
    with raises(InvalidInputError, "select('a', 'b')"):
        flowers.select(["label", "raw"])  # type: ignore[arg-type]
    with raises(InvalidInputError, "no column ['raw']"):
        await flowers.read_bytes(0, ["raw"])  # type: ignore[arg-type]
    for start in ("a", 0.5, None):
        with raises(InvalidInputError, "byte range"):
            await flowers.read_bytes(0, "raw", start)  # type: ignore[arg-type]


# Arguments of another type.


@pytest.mark.parametrize("wrong", ["2", "v1", 2.0, True, [2]])
async def test_a_snapshot_is_a_number(flowers: Dataset, backend: Backend, wrong: Any) -> None:
    with raises(InvalidInputError, "named by its number", repr(wrong)):
        await aiolake.open_dataset(backend.url, snapshot=wrong)
    for call in (
        lambda: flowers.history.restore(wrong),
        lambda: flowers.history.diff(wrong),
        lambda: flowers.history.diff(1, wrong),
        lambda: flowers.branches.create("b", wrong),
        lambda: flowers.branches.move("main", wrong),
        lambda: flowers.tags.create("t", wrong),
        lambda: aiolake.expire(flowers, below=wrong),
    ):
        async with refused(backend, InvalidInputError, "named by its number", repr(wrong)):
            await call()


async def test_other_arguments_of_another_type(flowers: Dataset, backend: Backend) -> None:
    wrong: Any
    for wrong in ("2024-01-01", date(2024, 1, 1)):
        with raises(InvalidInputError, "datetime.datetime", repr(wrong)):
            await aiolake.open_dataset(backend.url, time=wrong)
    for wrong in ("x", aiolake.Session):
        with raises(InvalidInputError, "aiolake.Session"):
            await aiolake.open_dataset(backend.url, session=wrong)
    for wrong in (0, -1, None, "3", 1.5):
        with raises(InvalidInputError, "limit", repr(wrong)):
            await flowers.history.list(wrong)
    for wrong in (0, "1d"):
        with raises(InvalidInputError, "grace", "timedelta", repr(wrong)):
            await aiolake.gc(flowers, grace=wrong)
    with raises(InvalidInputError, "older_than", "negative"):
        await aiolake.expire(flowers, older_than=timedelta(-1))
    with raises(InvalidInputError, "lone surrogates"):
        flowers.transaction("\ud800")


async def test_upkeep_takes_an_open_dataset(flowers: Dataset) -> None:
    wrong: Any
    for wrong in (flowers.url, flowers[:1]):
        with raises(InvalidInputError, "optimize()", "open_dataset"):
            await aiolake.optimize(wrong)
        with raises(InvalidInputError, "gc()", "open_dataset"):
            await aiolake.gc(wrong)
        with raises(InvalidInputError, "expire()", "open_dataset"):
            await aiolake.expire(wrong, below=1)
    with raises(InvalidInputError, "verify()", "open_dataset"):
        await aiolake.verify(flowers[:1])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["max_inflight", "cache_bytes", "chunk_bytes", "small_bytes"])
@pytest.mark.parametrize("value", [-1, 2.5, "3", None, True])
def test_options_hold_whole_numbers(name: str, value: Any) -> None:
    with raises(InvalidInputError, f"Options.{name}", repr(value)):
        Options(**{name: value})


@pytest.mark.parametrize("name", ["commit_timeout", "request_timeout"])
@pytest.mark.parametrize("value", [5, 0.5, None, timedelta(0), timedelta(-1)])
def test_options_hold_durations(name: str, value: Any) -> None:
    with raises(InvalidInputError, f"Options.{name}", "timedelta", repr(value)):
        Options(**{name: value})


@pytest.mark.parametrize("names", [{"b", "a"}, frozenset("ab"), {"a": 1, "b": 0}, "ab", 3])
def test_labels_have_an_order(names: Any) -> None:
    with raises(InvalidInputError, "order of their numbers", repr(names)):
        ClassLabel(names)


def test_labels_of_an_array_are_plain_text() -> None:
    made = ClassLabel(np.asarray(["a", "b"]))
    assert made == ClassLabel(dict.fromkeys(["a", "b"]).keys())
    assert {type(name) for name in made.names} == {str}


async def test_a_path_is_no_picture() -> None:
    async with aiolake.create_dataset(new_url(), {"image": Image()}) as ds:
        with raises(InvalidInputError, "expected an encoded picture", "read_bytes()"):
            async with ds.transaction() as tx:
                await tx.append({"image": Path("rose.jpg")})


# Directories.


async def test_a_dataset_is_not_put_among_other_files(tmp_path: Path) -> None:
    for name in ("log/today.log", "chunks/7"):
        root = tmp_path / name.replace("/", "-")
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_text("mine")
        with raises(FormatError, name, "choose an empty address"):
            await aiolake.create_dataset(root, {"x": Text()})


async def test_a_purge_leaves_files_of_others(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path, {"x": Tensor("int8")}) as ds:
        await commit(ds, lambda tx: tx.append({"x": 1}))
    mine = tmp_path / "log" / "today.log"
    mine.write_text("mine")
    await aiolake.delete_dataset(tmp_path, purge=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


async def test_a_directory_named_like_an_escape_is_opened_again(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path / "a%20b", {"x": Text()}) as ds:
        url, spec = ds.url, ds.spec
    for address in (url, spec):
        async with aiolake.open_dataset(address) as again:
            assert again.url == url


async def test_a_reference_in_an_address_says_how_to_give_it(tmp_path: Path) -> None:
    words = (f"'v1' is a branch, a tag or a snapshot of file://{tmp_path}", "tag=")
    with raises(NotFoundError, "there is no dataset", *words):
        await aiolake.open_dataset(f"{tmp_path}@v1")


# Data frames.


class Frame:
    """As pandas has it: keys, columns and a long ``repr``, and no ``Mapping``."""

    def keys(self) -> list[str]:
        return ["label"]

    def to_dict(self) -> dict[str, Any]:
        return {"label": [1]}

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


@pytest.mark.parametrize("given", [{"rows": Frame()}, {"rows": [Frame()]}, {"columns": Frame()}])
async def test_data_frames(flowers: Dataset, backend: Backend, given: Any) -> None:
    words = ("got Frame;", "columns=dict(df)", "series.to_dict()")
    async with refused(backend, InvalidInputError, *words):
        await commit(flowers, lambda tx: tx.append(**given))
