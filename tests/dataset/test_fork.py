"""Workers of a transaction: what they append is committed once, in the order of the receipts."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aiolake
from aiolake import ConflictError, InvalidInputError
from tests.dataset.helpers import Backend, new_url

SCHEMA: dict[str, aiolake.ColumnType | type] = {"a": aiolake.Tensor("int64"), "b": aiolake.Text}
NONE = timedelta(0)


def row(i: int) -> dict[str, Any]:
    return {"a": i, "b": f"row {i}"}


async def receipt_of(worker: aiolake.Worker, *numbers: int) -> aiolake.Receipt:
    copied: aiolake.Worker = pickle.loads(pickle.dumps(worker))
    async with copied.open() as rows:
        assert await rows.append([row(i) for i in numbers]) == len(numbers)
    receipt: aiolake.Receipt = pickle.loads(pickle.dumps(rows.receipt))
    assert receipt == rows.receipt
    return receipt


async def merge(ds: aiolake.Dataset, *receipts: aiolake.Receipt) -> None:
    async with ds.transaction() as tx:
        await tx.append([])
        await tx.merge(receipts)


async def merge_after(ds: aiolake.Dataset, twin: aiolake.Dataset) -> None:
    """Merge a receipt that another handle merges while the transaction is open."""
    async with ds.transaction() as tx:
        receipt = await receipt_of(tx.fork(), 1)
        await tx.append(row(0))
        await tx._base_number()
        await tx.merge(receipt)
        await merge(twin, receipt)


async def abandoned(ds: aiolake.Dataset, kept: list[aiolake.Receipt]) -> None:
    async with ds.transaction() as tx:
        kept.append(await receipt_of(tx.fork(), 3))
        raise RuntimeError


async def numbers(ds: aiolake.Dataset) -> list[int]:
    batch = await ds.read(slice(None))
    assert batch["b"] == [f"row {i}" for i in batch["a"].tolist()]
    found: list[int] = batch["a"].tolist()
    return found


@settings(max_examples=30, deadline=None)
@given(st.data())
async def test_rows_stand_in_the_order_of_receipts_and_appends(data: st.DataObject) -> None:
    expected: list[int] = []
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        for _ in range(data.draw(st.integers(1, 3))):
            async with ds.transaction() as tx:
                await _some_steps(tx, data, expected)
            assert await numbers(ds) == expected
        assert (await aiolake.verify(ds)).ok


async def _some_steps(tx: aiolake.Transaction, data: st.DataObject, expected: list[int]) -> None:
    waiting: list[tuple[aiolake.Receipt, list[int]]] = []
    for _ in range(data.draw(st.integers(1, 6))):
        new = data.draw(st.lists(st.integers(0, 1 << 40), max_size=5))
        match data.draw(st.sampled_from(["append", "work", "merge"])):
            case "append":
                await tx.append([row(i) for i in new])
                expected += new
            case "work":
                waiting.append((await receipt_of(tx.fork(), *new), new))
            case "merge":
                order = data.draw(st.permutations(waiting))
                assert await tx.merge([one for one, _ in order]) == sum(len(n) for _, n in order)
                expected += [number for _, many in order for number in many]
                waiting = []


async def test_a_receipt_is_merged_once_whoever_merges_it() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        async with ds.transaction() as tx:
            receipt = await receipt_of(tx.fork(), 1, 2)
            await tx.merge([receipt])
            with pytest.raises(InvalidInputError, match="given twice"):
                await tx.merge([receipt])
        with pytest.raises(ConflictError, match="merged already, by entry 2"):
            async with ds.transaction() as tx:
                await tx.merge([receipt])
        await ds.branches.create("other")
        async with aiolake.open_dataset(ds.url, branch="other") as other:
            for _ in range(3):
                async with other.transaction() as tx:
                    await tx.append(row(5))
            with pytest.raises(ConflictError, match="merged already"):
                async with other.transaction() as tx:
                    await tx.merge([receipt])
        assert await numbers(ds) == [1, 2]


async def test_a_receipt_merged_while_another_commit_is_made_is_refused() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        async with aiolake.open_dataset(ds.url) as twin:
            with pytest.raises(ConflictError, match="merged already"):
                await merge_after(ds, twin)
        await ds.refresh()
        assert await numbers(ds) == [1]


async def test_many_receipts_lie_beside_the_entry_and_are_still_known() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        async with ds.transaction() as tx:
            worker = tx.fork()
            receipts = [await receipt_of(worker, i) for i in range(100)]
            await tx.merge(receipts)
        assert await numbers(ds) == list(range(100))
        with pytest.raises(ConflictError, match=receipts[57].id):
            await merge(ds, await receipt_of(worker, 7), receipts[57])
        assert (await aiolake.verify(ds)).ok
        await aiolake.gc(ds, grace=NONE)
        assert (await aiolake.verify(ds)).ok


async def test_a_receipt_from_an_abandoned_transaction_can_still_be_merged() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        receipts: list[aiolake.Receipt] = []
        with pytest.raises(RuntimeError):
            await abandoned(ds, receipts)
        await merge(ds, *receipts)
        assert await numbers(ds) == [3]


async def test_a_receipt_from_before_a_collection_is_refused() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        async with ds.transaction() as tx:
            receipt = await receipt_of(tx.fork(), 1)
        await aiolake.gc(ds, grace=NONE)
        with pytest.raises(ConflictError, match="before gc raised its fence"):
            await merge(ds, receipt)
        assert len(ds) == 0


async def test_the_smallest_base_counts() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        async with ds.transaction() as tx:
            worker = tx.fork()
            old = await receipt_of(worker, 1)
        await aiolake.gc(ds, grace=NONE)
        with pytest.raises(ConflictError, match="fence"):
            await merge(ds, await receipt_of(worker, 2), old, await receipt_of(worker, 3))


async def test_receipts_of_other_datasets_and_columns_are_refused_by_name() -> None:
    async with (
        aiolake.create_dataset(new_url(), SCHEMA) as ds,
        aiolake.create_dataset(new_url(), SCHEMA) as other,
    ):
        async with other.transaction() as tx:
            foreign = await receipt_of(tx.fork(), 1)
        async with ds.transaction() as tx:
            await tx.append(row(0))
            older = await receipt_of(tx.fork(), 2)
            with pytest.raises(InvalidInputError, match=f"another dataset, {other.url}"):
                await tx.merge([older, foreign])
            tx.add_column("c", aiolake.Text)
            with pytest.raises(InvalidInputError, match="'c' differs"):
                await tx.merge([older])
            async with tx.fork().open() as rows:
                await rows.append({**row(3), "c": "new"})
            for wrong in (7, "receipt", [None], tx.fork()):
                with pytest.raises(InvalidInputError, match="takes the receipts"):
                    await tx.merge(wrong)  # type: ignore[arg-type]
            assert await tx.merge([]) == 0
        async with ds.transaction() as tx:
            with pytest.raises(InvalidInputError, match="another transaction was adding"):
                await tx.merge(rows.receipt)
        assert await numbers(ds) == [0]


async def test_columns_added_and_renamed_around_a_merge() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds:
        async with ds.transaction() as tx:
            worker = tx.fork()
            tx.rename_column("b", "text")
            await tx.merge(await receipt_of(worker, 1))
            tx.add_column("c", aiolake.Text, default="none yet")
            async with tx.fork().open() as rows:
                await rows.append({"a": 2, "text": "row 2", "c": "there"})
            await tx.merge(rows.receipt)
        batch = await ds.read(slice(None))
        assert batch["a"].tolist() == [1, 2]
        assert batch["text"] == ["row 1", "row 2"]
        assert batch["c"] == ["none yet", "there"]


async def test_a_worker_whose_block_fails_gives_no_receipt() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds, ds.transaction() as tx:
        rows = tx.fork().open()
        with pytest.raises(InvalidInputError, match="no receipt"):
            _ = rows.receipt
        with pytest.raises(InvalidInputError, match="column 'a', row 1"):
            async with rows:
                await rows.append([row(0), {"a": "x", "b": ""}])
        with pytest.raises(InvalidInputError, match="no receipt"):
            _ = rows.receipt
        with pytest.raises(aiolake.ClosedError):
            await rows.append(row(0))


async def test_a_worker_goes_on_after_a_refused_row() -> None:
    async with aiolake.create_dataset(new_url(), SCHEMA) as ds, ds.transaction() as tx:
        async with tx.fork().open() as rows:
            with pytest.raises(InvalidInputError):
                await rows.append({"a": "x", "b": ""})
            await rows.append(row(4))
        await tx.merge(rows.receipt)
        assert tx.n_appended == 1
    assert ds.snapshot == 2


async def test_a_worker_of_a_dataset_that_was_replaced_is_told() -> None:
    url = new_url()
    async with aiolake.create_dataset(url, SCHEMA) as ds:
        async with ds.transaction() as tx:
            worker = tx.fork()
        await aiolake.delete_dataset(url)
        with pytest.raises(aiolake.NotFoundError):
            await receipt_of(worker, 1)
        async with aiolake.create_dataset(url, SCHEMA):
            with pytest.raises(aiolake.NotFoundError, match="another one created"):
                await receipt_of(worker, 1)


async def test_handles_and_open_workers_are_not_pickled() -> None:
    async with (
        aiolake.create_dataset(new_url(), SCHEMA) as ds,
        ds.transaction() as tx,
        tx.fork().open() as rows,
    ):
        with pytest.raises(TypeError, match="pickle the worker"):
            pickle.dumps(rows)


async def test_a_merge_costs_one_request_beside_the_commit() -> None:
    backend = Backend()
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, SCHEMA, session=session) as ds,
    ):
        async with ds.transaction() as tx:
            async with tx.fork().open(session=session) as rows:
                await rows.append(row(1))
            backend.counting.reset()
            await tx.merge(rows.receipt)
        assert backend.counting.counts.n("get", "create") == 2
        assert backend.counting.counts.n("list", "put") == 0


async def test_a_transaction_whose_write_id_was_committed_uploads_nothing() -> None:
    backend = Backend()
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, SCHEMA, session=session) as ds,
    ):
        async with ds.transaction(write_id="job") as tx:
            await tx.append(row(1))
        backend.counting.reset()
        async with ds.transaction(write_id="job") as tx:
            assert tx.outcome is aiolake.Outcome.COMMITTED
            assert await tx.append([{"a": 1, "b": "x" * 10_000_000}]) == 0
            assert await tx.update(0, {"a": 5}) == 0
            assert await tx.delete(0) == 0
        assert backend.counting.counts.n("put", "create") == 0
        assert tx.snapshot == 2
        assert await numbers(ds) == [1]
