"""Writers that run in processes of their own and say what became of everything they tried."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import numpy as np

import aiolake
from aiolake.options import Options

SCHEMA: dict[str, aiolake.ColumnType | type] = {
    "process": aiolake.Tensor("int64"),
    "serial": aiolake.Tensor("int64"),
    "version": aiolake.Tensor("int64"),
    "blob": aiolake.Bytes(),
}

Id = tuple[int, int]
OPTIONS = Options(durability="os", decode_threads=1)


def row(id: Id, version: int) -> dict[str, object]:
    return {"process": id[0], "serial": id[1], "version": version, "blob": blob(id, version)}


def blob(id: Id, version: int) -> bytes:
    return b"%d/%d/%d;" % (*id, version) * (1 + id[1] % 50)


@dataclass(eq=False)
class Answers:
    """What one writer was told: by snapshot, the rows that were put there or taken away."""

    put: dict[int, dict[Id, int]] = field(default_factory=dict)
    deleted: dict[int, list[Id]] = field(default_factory=dict)
    n_conflicts: int = 0
    write_ids: dict[str, int] = field(default_factory=dict)


def write(url: str, process: int, n_transactions: int) -> Answers:
    """Make so many transactions, of all kinds, each until it is committed."""
    return asyncio.run(_Writer(url, process).run(n_transactions))


class _Writer:
    def __init__(self, url: str, process: int) -> None:
        self.url = url
        self.process = process
        self.rng = random.Random(process)
        self.serial = 0
        self.answers = Answers()

    async def run(self, n_transactions: int) -> Answers:
        async with aiolake.open_dataset(self.url, options=OPTIONS) as ds:
            for _ in range(n_transactions):
                await self._until_committed(ds)
        return self.answers

    async def _until_committed(self, ds: aiolake.Dataset) -> None:
        while True:
            try:
                if await self._one(ds):
                    return
            except aiolake.ConflictError:
                self.answers.n_conflicts += 1
            await ds.refresh()

    async def _one(self, ds: aiolake.Dataset) -> bool:
        put: dict[Id, int] = {}
        deleted: list[Id] = []
        async with ds.transaction(f"process {self.process}") as tx:
            if self.rng.random() < 0.6 or len(ds) < 4:
                await self._append(tx, put)
            else:
                await self._change(ds, tx, put, deleted)
        assert tx.outcome is aiolake.Outcome.COMMITTED
        assert tx.snapshot is not None
        self.answers.put[tx.snapshot] = put
        self.answers.deleted[tx.snapshot] = deleted
        self.answers.write_ids[tx.write_id] = tx.snapshot
        return True

    async def _append(self, tx: aiolake.Transaction, put: dict[Id, int]) -> None:
        for _ in range(self.rng.randint(1, 5)):
            self.serial += 1
            put[self.process, self.serial] = 0
        await tx.append([row(id, version) for id, version in put.items()])

    async def _change(
        self, ds: aiolake.Dataset, tx: aiolake.Transaction, put: dict[Id, int], deleted: list[Id]
    ) -> None:
        """Update two random rows and delete a third, and sometimes append another."""
        at = self.rng.sample(range(len(ds)), 3)
        old = await ds.read(at)
        ids = [(int(p), int(s)) for p, s in zip(old["process"], old["serial"], strict=True)]
        for id, version in zip(ids[:2], old["version"][:2].tolist(), strict=True):
            put[id] = version + 1
        values = {
            "version": np.asarray([put[id] for id in ids[:2]]),
            "blob": [blob(id, put[id]) for id in ids[:2]],
        }
        await tx.update(at[:2], values)
        if self.rng.random() < 0.5:
            await tx.delete([at[2]])
            deleted.append(ids[2])
        else:
            more: dict[Id, int] = {}
            await self._append(tx, more)
            put |= more


def optimize(url: str, n_times: int) -> list[int]:
    """Optimize again and again; the snapshots committed."""
    return asyncio.run(_optimize(url, n_times))


async def _optimize(url: str, n_times: int) -> list[int]:
    done: list[int] = []
    async with aiolake.open_dataset(url, options=OPTIONS) as ds:
        for _ in range(n_times):
            await ds.refresh()
            try:
                n = await aiolake.optimize(ds)
            except aiolake.ConflictError:
                continue
            done += [] if n is None else [n]
            await asyncio.sleep(0.02)
    return done


def append_for_ever(url: str, process: int) -> None:
    """Commit transactions, small and large, until killed."""
    asyncio.run(_append_for_ever(url, process))


async def _append_for_ever(url: str, process: int) -> None:
    rng = random.Random(process)
    serial = 0
    async with aiolake.open_dataset(url, options=OPTIONS) as ds:
        while True:
            n = rng.choice([1, 3, 40])
            async with ds.transaction(f"{process}:{serial}:{n}") as tx:
                await tx.append([row((process, serial + i), 0) for i in range(n)])
                if rng.random() < 0.3:
                    await tx.append({**row((process, -1), 0), "blob": bytes(3 << 20)})
                    n += 1
            serial += n
