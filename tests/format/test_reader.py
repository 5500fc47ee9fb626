"""The independent reader reads what the engine writes, value by value."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import Bytes, ColumnType, Options, Tensor, Text
from tests.format.reader import Damaged, open_dataset
from tests.format.samples import TYPES
from tests.format.scenario import (
    KEY,
    ROOMY,
    TIGHT,
    History,
    check_engine,
    check_reader,
    tight_limits,
)
from tests.scale import pick


async def run_history(directory: Path, options: Options, seed: int, n_commits: int) -> None:
    rng = random.Random(seed)
    async with aiolake.create_dataset(directory, TYPES, options=options) as ds:
        history = History(ds, TYPES, rng)
        for i in range(n_commits):
            await history.commit()
            if i % 3 == 1:
                await history.name()
            if i % 5 == 3:
                await history.restore()
            if i % 4 == 2:
                await history.optimize()
        await check_all(directory, history)
        assert (await aiolake.verify(ds, depth="samples")).problems == ()
        await history.forget()
        await check_all(directory, history)


async def write(directory: Path, types: Mapping[str, ColumnType], rows: Any) -> None:
    """A dataset of one commit; ``rows`` are rows, or a mapping of columns."""
    given = {"columns": rows} if isinstance(rows, dict) else {"rows": rows}
    async with (
        aiolake.create_dataset(directory, types, options=ROOMY) as ds,
        ds.transaction() as tx,
    ):
        await tx.append(**given)


async def check_all(directory: Path, history: History) -> None:
    for n, model in history.models.items():
        check_reader(directory, model, snapshot=n)
        await check_engine(str(directory), model, snapshot=n)
    for name, n in history.branches.items():
        check_reader(directory, history.models[n], branch=name)
    for name, n in history.tags.items():
        check_reader(directory, history.models[n], tag=name)
    for n in history.gone:
        with pytest.raises(Damaged, match="may not be opened"):
            open_dataset(directory, snapshot=n)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(2, 25)))
async def test_random_histories_read_alike(tmp_path: Path, seed: int) -> None:
    await run_history(tmp_path / "ds", ROOMY, seed, pick(5, 20))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(2, 25)))
@pytest.mark.parametrize("tight", [False, True])
async def test_random_histories_of_rows_with_keys_read_alike(
    tmp_path: Path, seed: int, tight: bool
) -> None:
    rng = random.Random(seed)
    types = {KEY: Text(), **{name: TYPES[name] for name in rng.sample(list(TYPES), 6)}}
    options = TIGHT if tight else ROOMY
    with tight_limits() if tight else contextlib.nullcontext():
        async with aiolake.create_dataset(
            tmp_path, types, key=KEY, on_duplicate="replace", row_metadata=True, options=options
        ) as ds:
            told = History(ds, types, rng, keyed=True)
            changes = told.commit, told.replace, told.restore, told.optimize, told.merge
            for _ in range(pick(2, 6)):
                for change in (told.commit, *rng.sample(changes, 3)):
                    await change()
            await check_all(tmp_path, told)
            assert (await aiolake.verify(ds, depth="samples")).problems == ()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(3, 25)))
async def test_random_histories_with_everything_spilled_read_alike(
    tmp_path: Path, seed: int
) -> None:
    with tight_limits():
        await run_history(tmp_path / "ds", TIGHT, seed, pick(5, 20))
    assert list((tmp_path / "ds").glob("lists/*/*"))
    assert list((tmp_path / "ds").glob("manifests/*/*"))


async def test_a_huge_sample_in_parts_of_the_real_size(tmp_path: Path) -> None:
    blob = np.random.default_rng(1).bytes((8 << 20) + 5)
    await write(tmp_path, {"b": Bytes()}, [{"b": b"before"}, {"b": blob}, {"b": None}])
    assert open_dataset(tmp_path).column("b").values == [b"before", blob, None]


async def test_more_rows_than_a_block_has_entries(tmp_path: Path) -> None:
    n = 5000
    types: dict[str, ColumnType] = {
        "t": Text(),
        "x": Tensor("int64"),
        "wide": Tensor("uint8", (5000,)),
    }
    columns = {
        "t": [None if i % 7 == 0 else str(i) for i in range(n)],
        "x": np.arange(n),
        "wide": np.broadcast_to((np.arange(n) % 251).astype(np.uint8)[:, None], (n, 5000)),
    }
    await write(tmp_path, types, columns)
    seen = open_dataset(tmp_path)
    assert seen.column("t").values == columns["t"]
    assert seen.column("x").values == list(range(n))


async def test_a_dataset_made_anew_where_one_was_deleted(tmp_path: Path) -> None:
    await write(tmp_path, {"t": Text()}, [{"t": "old"}])
    await aiolake.delete_dataset(tmp_path)
    with pytest.raises(Damaged, match="deleted"):
        open_dataset(tmp_path)
    await write(tmp_path, {"t": Text()}, [{"t": "new"}])
    assert open_dataset(tmp_path).column("t").values == ["new"]
    with pytest.raises(Damaged, match="may not be opened"):
        open_dataset(tmp_path, snapshot=2)


async def test_one_flipped_bit_anywhere_is_never_read(tmp_path: Path) -> None:
    rng = random.Random(5)
    with tight_limits():
        async with aiolake.create_dataset(tmp_path, TYPES, options=TIGHT) as ds:
            history = History(ds, TYPES, rng)
            history.model.rows = history.rows(7)
            async with ds.transaction() as tx:
                await tx.append(history.model.rows)
    unused = "log/999999999/998", "lists/000000000000/"  # the snapshot before, without rows
    files = [path for path in tmp_path.rglob("*/*/*") if path.is_file()]
    for path in files:
        if not any(name in path.as_posix() for name in unused):
            check_flips(path, tmp_path, history, rng)
    check_reader(tmp_path, history.model)
    assert {path.relative_to(tmp_path).parts[0] for path in files} == {
        "log", "lists", "manifests", "chunks"
    }  # fmt: skip


def check_flips(path: Path, directory: Path, history: History, rng: random.Random) -> None:
    good = path.read_bytes()
    bad = bytearray(good)
    bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
    path.write_bytes(bad)
    with pytest.raises(Damaged):
        check_reader(directory, history.model)
    path.write_bytes(good)
