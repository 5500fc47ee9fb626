"""Measuring datasets: every row once, requests as the contract says, nothing left behind."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake.bench import measure, measure_generated

LONG = timedelta(seconds=30)


async def test_every_way_to_read_reads_every_row_once(tmp_path: Path) -> None:
    schema: dict[str, aiolake.ColumnType] = {
        "name": aiolake.Text(),
        "size": aiolake.Tensor("int32", ()),
    }
    async with aiolake.create_dataset(tmp_path / "x", schema) as ds, ds.transaction() as tx:
        await tx.append([{"name": f"n{i}", "size": i} for i in range(150)])

    report = await measure(tmp_path / "x", columns=["name"], batch=40, budget=LONG)

    made = {each.name: each for each in report.measurements}
    assert list(made) == [
        *("open", "first sample", "one at a time", "64 in flight", "batches of 40", "scan"),
    ]
    ways = [made[name] for name in ("one at a time", "64 in flight", "batches of 40", "scan")]
    assert {each.n_samples for each in ways} == {150}
    assert [made[n].n_calls for n in ("open", "batches of 40", "scan")] == [10, 4, 4]
    assert made["open"].requests == 10 * 2
    assert (report.n_rows, report.columns) == (150, ("name",))


async def test_a_budget_ends_reading_early(tmp_path: Path) -> None:
    async with (
        aiolake.create_dataset(tmp_path / "x", {"a": aiolake.Bytes()}) as ds,
        ds.transaction() as tx,
    ):
        await tx.append([{"a": b"x"} for _ in range(5_000)])

    report = await measure(tmp_path / "x", budget=timedelta(microseconds=1))

    assert [each.n_calls for each in report.measurements] == [1, 1, 1, 64, 1, 1]


@pytest.mark.parametrize("place", ["mem://bench-generated", "file"])
async def test_a_generated_dataset_is_measured_and_removed(place: str, tmp_path: Path) -> None:
    url = place if place != "file" else str(tmp_path / "x")

    report = await measure_generated(url, n_rows=130, sample_bytes=100, budget=LONG)

    ingest = report.measurements[0]
    assert (ingest.name, ingest.n_samples) == ("ingest", 130)
    assert ingest.nbytes > 130 * 100
    assert not await aiolake.dataset_exists(url)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_a_dataset_that_is_there_is_not_touched(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path / "x", {"a": aiolake.Text()}):
        pass

    with pytest.raises(aiolake.AlreadyExistsError):
        await measure_generated(tmp_path / "x")

    assert await aiolake.dataset_exists(tmp_path / "x")


async def test_what_was_generated_is_removed_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*given: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr("aiolake.bench.measuring._ingest", fail)

    with pytest.raises(OSError, match="no space"):
        await measure_generated(tmp_path / "x")

    assert not await aiolake.dataset_exists(tmp_path / "x")


async def test_what_was_generated_is_removed_when_cancelled(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await measure_generated(tmp_path / "x", n_rows=50_000, sample_bytes=10, budget=LONG)

    assert not await aiolake.dataset_exists(tmp_path / "x")


async def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"batch": 0}, "batch is a whole number"),
        ({"batch": True}, "batch is a whole number"),
        ({"n_rows": 2.5}, "n_rows is a whole number"),
        ({"sample_bytes": 0}, "sample_bytes is a whole number"),
        ({"budget": 3}, "budget is a datetime.timedelta"),
    ]
    for given, words in bad:
        with pytest.raises(aiolake.InvalidInputError, match=words):
            await measure_generated(tmp_path / "x", **given)
    assert not await aiolake.dataset_exists(tmp_path / "x")


async def test_a_dataset_without_rows_or_the_column_is_refused(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path / "x", {"a": aiolake.Text()}) as ds:
        with pytest.raises(aiolake.InvalidInputError, match="no rows"):
            await measure(tmp_path / "x")
        async with ds.transaction() as tx:
            await tx.append({"a": "b"})
    with pytest.raises(aiolake.InvalidInputError, match="'b'"):
        await measure(tmp_path / "x", columns=["b"])
