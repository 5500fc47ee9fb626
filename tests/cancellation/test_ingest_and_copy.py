"""Ingesting and copying, cancelled anywhere: a next call goes on, nothing is lost or doubled."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

import aiolake
from aiolake.testing import cancel_at_each_step
from tests.cancellation.place import N_ROWS, Place, rows

_numbers = count()


async def test_an_ingestion_cancelled_anywhere_goes_on(ds: aiolake.Dataset, place: Place) -> None:
    name = "first"

    async def ingest() -> None:
        await aiolake.ingest(ds, rows(12, first=N_ROWS), name=name, commit_every=4)

    async def check() -> None:
        place.check_idle()
        await ds.refresh()
        numbers = (await ds.read(slice(N_ROWS, None), columns=["n"]))["n"].tolist()
        assert numbers == list(range(N_ROWS, N_ROWS + len(numbers)))
        assert len(numbers) % 4 == 0

    assert await cancel_at_each_step(ingest, check) >= 2
    await ingest()
    assert len(ds) == N_ROWS + 12


@pytest.mark.parametrize("history", [False, True])
async def test_a_copy_cancelled_anywhere_goes_on(
    ds: aiolake.Dataset, place: Place, tmp_path: Path, history: bool
) -> None:
    target = f"mem://copy-{next(_numbers)}" if place.root is None else str(tmp_path / "copy")

    async def copy() -> None:
        try:
            await aiolake.copy_dataset(ds, target, history=history, session=place.session)
        except aiolake.AlreadyExistsError:
            assert not history  # it was finished when the cancellation came

    async def check() -> None:
        place.check_idle()

    assert await cancel_at_each_step(copy, check) >= 2
    await copy()
    async with aiolake.open_dataset(target, session=place.session) as copied:
        assert len(copied) == N_ROWS
        assert (await aiolake.verify(copied)).ok
        assert set(await copied.branches.list()) == {"main"}
