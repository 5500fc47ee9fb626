"""Copies: one snapshot packed anew, or the whole history under the same numbers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake import AlreadyExistsError, InvalidInputError
from aiolake.dataset import copy_rows
from aiolake.dataset.copy_history import in_order
from aiolake.dataset.refs import Branches
from aiolake.stores.local import LocalStore
from tests.dataset.helpers import new_url, stored
from tests.dataset.past import assert_same, made, renamed, row


class CutShort(Exception):
    """What ends a copy early."""


async def test_a_snapshot_becomes_a_dataset_of_its_own(tmp_path: Path) -> None:
    async with await made(tmp_path / "a") as ds:
        told: list[aiolake.CopyProgress] = []
        report = await aiolake.copy_dataset(ds, tmp_path / "b", on_progress=told.append)
        assert report.n_rows == report.n_copied == 190
        assert told[-1].done == told[-1].total == 190
        async with aiolake.open_dataset(tmp_path / "b") as copy:
            await assert_same(ds, copy)
            assert copy._state.entry.dataset != ds._state.entry.dataset
            assert await copy.branches.list() == {"main": copy.snapshot}
            assert (await aiolake.verify(copy)).ok
            async with copy.transaction() as tx:
                await tx.append({**renamed(row(7)), "added": ""})
        choices: list[dict[str, Any]] = [{"tag": "t1"}, {"branch": "side"}, {"snapshot": 2}]
        for named in choices:
            async with aiolake.open_dataset(tmp_path / "a", **named) as old:
                target = tmp_path / str(named)
                await aiolake.copy_dataset(tmp_path / "a", target, **named)
                async with aiolake.open_dataset(target) as copy:
                    await assert_same(old, copy)


async def test_a_copy_that_was_killed_after_its_last_step_is_done_when_started_again(
    tmp_path: Path,
) -> None:
    async with await made(tmp_path / "a") as ds:
        await aiolake.copy_dataset(ds, tmp_path / "b")
        told: list[aiolake.CopyProgress] = []
        again = await aiolake.copy_dataset(ds, tmp_path / "b", on_progress=told.append)
        assert (again.n_rows, again.n_copied, again.nbytes) == (190, 0, 0)
        with pytest.raises(AlreadyExistsError, match="another dataset"):
            await aiolake.copy_dataset(ds, tmp_path / "b", snapshot=2)
        async with aiolake.open_dataset(tmp_path / "b") as copy:
            await copy.tags.create("mine")
        with pytest.raises(AlreadyExistsError, match="another dataset"):
            await aiolake.copy_dataset(ds, tmp_path / "b")


async def test_a_beginning_whose_branch_somebody_deleted_is_not_done(tmp_path: Path) -> None:
    async with await made(tmp_path / "a") as ds:
        await _cut_short(ds, tmp_path / "b", False, 1)
        async with aiolake.open_dataset(tmp_path / "b") as begun:
            (branch,) = {*await begun.branches.list()} - {"main"}
            await begun.branches.delete(branch)
        copied = await aiolake.copy_dataset(ds, tmp_path / "b")
        assert copied.n_copied == copied.n_rows == 190


async def test_what_was_deleted_is_left_behind(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path / "a", {"x": aiolake.Bytes}) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": bytes(1 << 20)} for _ in range(20)])
        async with ds.transaction() as tx:
            await tx.delete(slice(1, None))
    report = await aiolake.copy_dataset(tmp_path / "a", tmp_path / "b")
    assert report.nbytes == 1 << 20
    size = sum(path.stat().st_size for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert size < 2 << 20


async def test_keys_and_row_metadata_come_along(tmp_path: Path) -> None:
    async with await made(tmp_path / "a", key="key", row_metadata=True) as ds:
        async with ds.transaction() as tx:
            await tx.append({**renamed(row(999)), "added": "", "_metadata": {"x": 1}})
        await aiolake.copy_dataset(ds, tmp_path / "b")
        await aiolake.copy_dataset(ds, tmp_path / "c", history=True)
        for name in "bc":
            async with aiolake.open_dataset(tmp_path / name) as copy:
                await assert_same(ds, copy)
                assert (await copy.get("row 222"))["n"] == 222
                batch = await copy.read(slice(-1, None), columns=["_metadata"])
                assert batch["_metadata"] == [{"x": 1}]
                with pytest.raises(AlreadyExistsError):
                    await _append(copy, {**renamed(row(1)), "added": ""})


async def _append(ds: aiolake.Dataset, row: dict[str, Any]) -> None:
    async with ds.transaction() as tx:
        await tx.append(row)


async def test_a_history_keeps_numbers_names_and_time(tmp_path: Path) -> None:
    async with await made(tmp_path / "a") as ds:
        await aiolake.copy_dataset(ds, tmp_path / "b", history=True)
        async with aiolake.open_dataset(tmp_path / "b") as copy:
            await assert_same(ds, copy)
            assert await copy.branches.list() == await ds.branches.list()
            assert await copy.tags.list() == await ds.tags.list()
            assert await copy.history.list() == await ds.history.list()
            assert copy._state.entry.dataset != ds._state.entry.dataset
        for n in (1, 2, 4):
            async with (
                aiolake.open_dataset(tmp_path / "a", snapshot=n) as one,
                aiolake.open_dataset(tmp_path / "b", snapshot=n) as other,
            ):
                await assert_same(one, other)
        again = await aiolake.copy_dataset(ds, tmp_path / "b", history=True)
        assert again.n_copied == 0
        async with ds.transaction() as tx:
            await tx.delete(0)
        more = await aiolake.copy_dataset(ds, tmp_path / "b", history=True)
        assert more.n_rows == len(ds)
        async with aiolake.open_dataset(tmp_path / "b") as copy, copy.transaction() as tx:
            await tx.delete(0)
        with pytest.raises(AlreadyExistsError, match="was written to"):
            await aiolake.copy_dataset(ds, tmp_path / "b", history=True)


async def test_an_expired_past_is_not_copied(tmp_path: Path) -> None:
    async with await made(tmp_path / "a") as ds:
        await ds.tags.delete("t1")
        await aiolake.optimize(ds)
        await aiolake.expire(ds, below=ds.snapshot)
        await aiolake.gc(ds, grace=timedelta(0))
        await aiolake.copy_dataset(ds, tmp_path / "b", history=True)
        async with aiolake.open_dataset(tmp_path / "b") as copy:
            await assert_same(ds, copy)
            assert not (await aiolake.gc(copy, grace=timedelta(0))).keys
        with pytest.raises(aiolake.SnapshotExpiredError):
            await aiolake.open_dataset(tmp_path / "b", snapshot=2)


async def test_while_an_expired_past_is_copied_only_the_newest_is_open(tmp_path: Path) -> None:
    """Its objects do not come along, so its snapshots would be without their rows."""
    async with await made(tmp_path / "a") as ds:
        await aiolake.optimize(ds)
        await aiolake.expire(ds, below=ds.snapshot)
        await aiolake.gc(ds, grace=timedelta(0))
        expected = (await ds.read(slice(None), columns=["key"]))["key"]
        n_opened = n_refused = stop_after = 0
        while await _cut_short(ds, tmp_path / f"{stop_after}", True, stop_after) is None:
            try:
                async with aiolake.open_dataset(tmp_path / f"{stop_after}") as copy:
                    assert (await copy.read(slice(None), columns=["key"]))["key"] == expected
                n_opened += 1
            except (aiolake.NotFoundError, aiolake.CorruptDataError):
                assert n_opened == 0
                n_refused += 1
            stop_after += 1
        assert min(n_opened, n_refused) > 2
        await aiolake.copy_dataset(ds, tmp_path / f"{stop_after - 3}", history=True)
        async with aiolake.open_dataset(tmp_path / f"{stop_after - 3}") as copy:
            await assert_same(ds, copy)
            assert await copy.history.list() == await ds.history.list()


@pytest.mark.parametrize(
    ("missing", "kept", "expire_below", "expected"),
    [
        ([1, 2, 3], [2], 0, [1, 2, 3]),
        ([4, 5, 6], [5], 4, [4, 5, 6]),
        ([4, 5, 6, 7], [5], 6, [7, 5, 6, 4]),
        ([1, 2, 3, 4, 5, 6], [2, 5, 6], 5, [6, 5, 2, 4, 3, 1]),
        ([], [], 7, []),
    ],
)
def test_the_order_of_entries(
    missing: list[int], kept: list[int], expire_below: int, expected: list[int]
) -> None:
    assert in_order(missing, kept, expire_below) == expected


@pytest.mark.parametrize("history", [False, True])
async def test_a_copy_that_was_cut_short_goes_on(
    tmp_path: Path, history: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_rows, "COMMIT_BYTES", 2_000)
    monkeypatch.setattr(copy_rows, "_STEP_BYTES", 500)
    async with await made(tmp_path / "a") as ds:
        n_copied = []
        for stop_after in (0, 1, 3, 5, 9, 14, 10_000):
            n_copied.append(await _cut_short(ds, tmp_path / "b", history, stop_after))
            if n_copied[-1] is not None:
                break
        assert n_copied[-1] is not None
        assert len(n_copied) > 2
        async with aiolake.open_dataset(tmp_path / "b") as copy:
            await assert_same(ds, copy)
            assert (await copy.branches.list()).keys() == (
                (await ds.branches.list()).keys() if history else {"main"}
            )


async def _cut_short(
    ds: aiolake.Dataset, target: Path, history: bool, stop_after: int
) -> int | None:
    n_told = 0

    def on_progress(_: aiolake.CopyProgress) -> None:
        nonlocal n_told
        n_told += 1
        if n_told > stop_after:
            raise CutShort

    try:
        report = await aiolake.copy_dataset(ds, target, history=history, on_progress=on_progress)
    except CutShort:
        return None
    return report.n_copied


async def test_until_all_is_there_main_has_no_rows(tmp_path: Path) -> None:
    async with await made(tmp_path / "a") as ds:
        await _cut_short(ds, tmp_path / "b", False, 0)
        async with aiolake.open_dataset(tmp_path / "b") as begun:
            assert len(begun) == 0
        with pytest.raises(AlreadyExistsError, match="beginning of another copy"):
            await aiolake.copy_dataset(tmp_path / "a", tmp_path / "b", snapshot=2)
        await aiolake.copy_dataset(ds, tmp_path / "b")
        async with aiolake.open_dataset(tmp_path / "b") as done:
            assert len(done) == len(ds)


async def test_damage_is_not_copied(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path / "a", {"x": aiolake.Bytes}) as ds:
        await _append(ds, {"x": bytes(10_000)})
        chunk = max((tmp_path / "a/chunks").rglob("*"), key=lambda path: path.stat().st_size)
        data = bytearray(chunk.read_bytes())
        data[len(data) // 2] ^= 1
        chunk.write_bytes(data)
        with pytest.raises(aiolake.CorruptDataError):
            await aiolake.copy_dataset(ds, tmp_path / "b")
        with pytest.raises(aiolake.CorruptDataError, match="is not sound"):
            await aiolake.copy_dataset(ds, tmp_path / "c", history=True)
        async with aiolake.open_dataset(tmp_path / "b") as begun:
            assert len(begun) == 0


async def test_across_stores() -> None:
    url, back = new_url(), new_url()
    async with aiolake.Session() as session:
        held = [await made(url, session=session)]
        report = await aiolake.copy_dataset(url, back, session=session)
        async with aiolake.open_dataset(back, session=session) as copy:
            await assert_same(held[0], copy)
            assert report.url == back
        await held[0].aclose()


@pytest.mark.parametrize("history", [False, True])
async def test_an_empty_dataset(tmp_path: Path, history: bool) -> None:
    async with aiolake.create_dataset(tmp_path / "a", {"x": aiolake.Text}):
        pass
    report = await aiolake.copy_dataset(tmp_path / "a", tmp_path / "b", history=history)
    assert report.n_rows == 0


async def test_targets_that_are_refused(tmp_path: Path) -> None:
    async with await made(tmp_path / "a") as ds:
        for target in (ds.url, tmp_path / "a", tmp_path / "x/../a"):
            with pytest.raises(InvalidInputError, match="choose another"):
                await aiolake.copy_dataset(ds, target)
        for target in (tmp_path / "a/b", tmp_path):
            with pytest.raises(InvalidInputError, match="lies within"):
                await aiolake.copy_dataset(ds, target)
        (tmp_path / "link").symlink_to(tmp_path / "a")
        with pytest.raises(InvalidInputError, match="choose another"):
            await aiolake.copy_dataset(ds, tmp_path / "link")
        async with aiolake.create_dataset(tmp_path / "other", {"x": aiolake.Text}):
            pass
        before = await _objects(tmp_path / "other")
        for history in (False, True):
            with pytest.raises(AlreadyExistsError):
                await aiolake.copy_dataset(ds, tmp_path / "other", history=history)
            (tmp_path / "foreign").mkdir(exist_ok=True)
            (tmp_path / "foreign/file").write_bytes(b"x")
            with pytest.raises(aiolake.FormatError):
                await aiolake.copy_dataset(ds, tmp_path / "foreign", history=history)
        assert await _objects(tmp_path / "other") == before
        with pytest.raises(InvalidInputError, match="history=True copies everything"):
            await aiolake.copy_dataset(ds, tmp_path / "c", history=True, tag="t1")
        with pytest.raises(aiolake.NotFoundError):
            await aiolake.copy_dataset(tmp_path / "none", tmp_path / "c")


async def test_a_copy_cut_short_at_its_end_is_no_other_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await made(tmp_path / "a") as ds, await made(tmp_path / "other") as other:
        with monkeypatch.context() as patch:
            patch.setattr(Branches, "delete", _cut)
            with pytest.raises(CutShort):
                await aiolake.copy_dataset(ds, tmp_path / "b")
        with pytest.raises(AlreadyExistsError, match="another dataset"):
            await aiolake.copy_dataset(other, tmp_path / "b")
        with pytest.raises(AlreadyExistsError, match="another dataset"):
            await aiolake.copy_dataset(ds, tmp_path / "b", tag="t1")
        await aiolake.copy_dataset(ds, tmp_path / "b")
        async with aiolake.open_dataset(tmp_path / "b") as copy:
            await assert_same(ds, copy)
            assert [*await copy.branches.list()] == ["main"]


async def _cut(*_: object) -> None:
    raise CutShort


async def _objects(path: Path) -> dict[str, bytes]:
    store = LocalStore(str(path))
    try:
        return await stored(store)
    finally:
        await store.aclose()


async def test_two_copies_at_once_make_one(tmp_path: Path) -> None:
    async with await made(tmp_path / "a") as ds:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(_attempt(ds, tmp_path / "b"))
        await _attempt(ds, tmp_path / "b")
        async with aiolake.open_dataset(tmp_path / "b") as copy:
            await assert_same(ds, copy)


async def _attempt(ds: aiolake.Dataset, target: Path) -> None:
    try:
        await aiolake.copy_dataset(ds, target)
    except aiolake.AiolakeError:
        return
