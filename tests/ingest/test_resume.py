"""A run that ended anywhere goes on there: every file once, in order, whatever happened."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest

import aiolake
from aiolake import InvalidInputError
from tests.ingest import killed
from tests.ingest.files import OPTIONS, as_path, folder, jpeg, put, rows_of
from tests.scale import pick

SPAWN = get_context("forkserver")
N_FILES = pick(1_500, 100_000)
N_KILLS = pick(4, 10)
COMMIT_EVERY = pick(40, 2_000)
N_BAD = 7


@pytest.mark.soak
@pytest.mark.timeout(pick(120, 3_600))
async def test_killed_again_and_again_and_resumed_it_is_exact(tmp_path: Path) -> None:
    files = folder(tmp_path / "p", N_FILES)
    for i in range(N_BAD):
        put(tmp_path / f"p/class1/{i * N_FILES // N_BAD:05d}-bad.jpg", b"bad")
    url, rng = str(tmp_path / "ds"), random.Random(3)
    args = (url, str(tmp_path / "p"), COMMIT_EVERY, str(tmp_path / "errors.jsonl"))
    n_killed = 0
    for _ in range(N_KILLS):
        n_killed += kill_after(url, args, rng.random() * pick(0.06, 1.0))
        await check_prefix(url, files)
    assert n_killed >= N_KILLS // 2
    killed_none = SPAWN.Process(target=killed.ingest, args=args)
    killed_none.start()
    killed_none.join()
    assert killed_none.exitcode == 0
    rows = await rows_of(url)
    assert [as_path(row["path"]) for row in rows] == list(files)
    assert [bytes(row["image"]) for row in rows] == list(files.values())
    lines = (tmp_path / "errors.jsonl").read_bytes().splitlines()
    items = [msgspec.json.decode(line)["item"] for line in lines]
    assert items == sorted(set(items))
    assert len(items) == N_BAD


def kill_after(url: str, args: tuple[object, ...], delay_s: float) -> bool:
    """Ingest until something was committed, and for a while more; whether it was still alive."""
    process = SPAWN.Process(target=killed.ingest, args=args)
    process.start()
    log = Path(url) / "log"
    before = n_entries(log)
    while n_entries(log) == before and process.is_alive():
        time.sleep(0.002)
    time.sleep(delay_s)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def n_entries(log: Path) -> int:
    return sum(1 for path in log.rglob("*") if path.is_file())


async def check_prefix(url: str, files: dict[str, bytes]) -> None:
    """What is committed is a beginning of the files."""
    async with aiolake.open_dataset(url) as ds:
        paths = (await ds.read(slice(None), columns=["path"]))["path"] if len(ds) else []
        assert paths == list(files)[: len(ds)]


async def test_a_cancelled_run_is_resumed(tmp_path: Path) -> None:
    files = folder(tmp_path / "p", 400)

    async def run() -> aiolake.IngestReport:
        return await aiolake.ingest(
            tmp_path / "ds", tmp_path / "p", commit_every=20, options=OPTIONS
        )

    n_cancelled = 0
    for delay_s in (0.0, 0.05, 0.1, 0.15, 0.2):
        task = asyncio.create_task(run())  # noqa: TID251
        await asyncio.sleep(delay_s)
        task.cancel()
        await asyncio.wait([task])
        n_cancelled += task.cancelled()
    assert n_cancelled
    report = await run()
    rows = await rows_of(tmp_path / "ds")
    assert [as_path(row["path"]) for row in rows] == list(files)
    again = await run()
    assert again.n_rows == 0
    assert again.resumed_at == again.n_items == 400
    assert report.snapshots or report.resumed_at == 400


async def test_files_that_come_behind_are_ingested_and_a_changed_beginning_is_noticed(
    tmp_path: Path,
) -> None:
    files = folder(tmp_path / "p", 30)
    await aiolake.ingest(tmp_path / "ds", tmp_path / "p", options=OPTIONS)
    put(tmp_path / "p/class2/zzz.jpg", jpeg(1000))
    report = await aiolake.ingest(tmp_path / "ds", tmp_path / "p", options=OPTIONS)
    assert report.n_rows == 1
    assert "30 sources then, 31 now" in str(report)
    put(tmp_path / "p/class0/zzz.jpg", jpeg(1001))
    with pytest.raises(InvalidInputError, match=r"has changed.*resume=False"):
        await aiolake.ingest(tmp_path / "ds", tmp_path / "p", options=OPTIONS)
    (tmp_path / "p/class0/zzz.jpg").unlink()
    (tmp_path / "p/class0/00003.jpg").rename(tmp_path / "p/class0/00003a.jpg")
    with pytest.raises(InvalidInputError, match="has changed"):
        await aiolake.ingest(tmp_path / "ds", tmp_path / "p", options=OPTIONS)
    (tmp_path / "p/class0/00003a.jpg").unlink()
    with pytest.raises(InvalidInputError, match="has changed"):
        await aiolake.ingest(tmp_path / "ds", tmp_path / "p", options=OPTIONS)
    assert len(await rows_of(tmp_path / "ds")) == 31
    await aiolake.ingest(tmp_path / "ds", tmp_path / "p", resume=False, options=OPTIONS)
    assert len(await rows_of(tmp_path / "ds")) == 31 + len(files)


async def test_a_table_is_resumed_by_its_lines(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("n\n" + "".join(f"{i}\n" for i in range(100)) + "x\n5\n")
    with pytest.raises(InvalidInputError, match="line 102"):
        await aiolake.ingest(
            tmp_path / "ds", table, commit_every=10, schema={"n": aiolake.Tensor("int64")},
            options=OPTIONS,
        )  # fmt: skip
    text = table.read_text()
    table.write_text(text.replace("\nx\n", "\n100\n"))
    report = await aiolake.ingest(tmp_path / "ds", table, options=OPTIONS)
    assert report.resumed_at
    async with aiolake.open_dataset(tmp_path / "ds") as ds:
        assert (await ds.read(slice(None)))["n"].tolist() == [*range(101), 5]
    table.write_text(text.replace("\n7\n", "\n8\n"))
    with pytest.raises(InvalidInputError, match="has changed"):
        await aiolake.ingest(tmp_path / "ds", table, options=OPTIONS)


async def test_two_sources_have_a_place_each(tmp_path: Path) -> None:
    folder(tmp_path / "p", 10)
    folder(tmp_path / "q", 10)
    await aiolake.ingest(tmp_path / "ds", tmp_path / "p", options=OPTIONS)
    await aiolake.ingest(tmp_path / "ds", tmp_path / "q", options=OPTIONS)
    assert len(await rows_of(tmp_path / "ds")) == 20
    (tmp_path / "q").rename(tmp_path / "moved")
    report = await aiolake.ingest(
        tmp_path / "ds", tmp_path / "moved", name=str(tmp_path / "q"), options=OPTIONS
    )
    assert report.n_rows == 0


async def test_metadata_that_are_no_progress_are_told(tmp_path: Path) -> None:
    folder(tmp_path / "p", 10)
    await aiolake.ingest(tmp_path / "ds", tmp_path / "p", options=OPTIONS)
    async with aiolake.open_dataset(tmp_path / "ds", options=OPTIONS) as ds:
        (key,) = ds.metadata
        async with ds.transaction() as tx:
            tx.set_metadata({key: {"n_items": "many"}})
        with pytest.raises(aiolake.FormatError, match=key):
            await aiolake.ingest(ds, tmp_path / "p")
