"""Where the tests' datasets lie, and what must hold there after a cancellation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

import aiolake
from aiolake.options import Options
from aiolake.stores.base import Store
from aiolake.stores.local import LocalStore
from aiolake.stores.memory import MemoryObjects, MemoryStore
from aiolake.testing import FaultStore
from aiolake.urls import Address
from tests.cancellation.stores import SuspendingStore

SCHEMA: dict[str, aiolake.ColumnType | type] = {
    "n": aiolake.Tensor("int64"),
    "name": aiolake.Text(),
    "blob": aiolake.Bytes(),
}
N_ROWS = 700
"""Rows of the dataset: so many that its manifests are objects of their own."""


def rows(n: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"n": first + i, "name": f"row {first + i}", "blob": bytes([i % 251]) * 40}
        for i in range(n)
    ]


@dataclass(eq=False)
class Place:
    """A root, the session that opens datasets there, and every store it made."""

    url: str
    root: Path | None
    options: Options
    objects: dict[str, MemoryObjects] = field(default_factory=dict)
    stores: list[SuspendingStore] = field(default_factory=list)
    faults: list[FaultStore] = field(default_factory=list)

    def open_store(self, address: Address, **_options: Any) -> Store:
        inner: Store
        if self.root is None:
            objects = self.objects.setdefault(str(address), MemoryObjects())
            inner = MemoryStore(str(address), objects)
        else:
            inner = LocalStore(address.path, durability="os")
        self.faults.append(FaultStore(inner))
        self.stores.append(SuspendingStore(self.faults[-1]))
        return self.stores[-1]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[aiolake.Session]:
        async with aiolake.Session(self.options, store_factory=self.open_store) as session:
            self.session = session
            yield session
        assert all(store.closed for store in self.stores)

    def check_idle(self) -> None:
        """No request in flight, none waiting, no byte held, no unfinished file."""
        now = self.session.statistics()
        held = now.in_flight, now.waiting, now.held_bytes, now.inflight_bytes
        assert held == (0, 0, 0, 0)
        if self.root is not None and (self.root / ".tmp").exists():
            assert list((self.root / ".tmp").iterdir()) == []

    async def log(self) -> list[dict[str, Any]]:
        """Every entry, read as the JSON it is."""
        store = self.faults[-1]
        page = await store._store.list("log/")
        assert page.token is None
        keys = sorted((m.key for m in page.objects if m.key != "log/hint"), reverse=True)
        return [json.loads(bytes(await store._store.get(k)).split(b"\n")[0]) for k in keys]


def place_of(kind: str, tmp_path: Path) -> Place:
    options = Options(
        cache_bytes=0, durability="os", decode_threads=1, commit_timeout=timedelta(seconds=5)
    )
    if kind == "memory":
        return Place(f"mem://{tmp_path.name}", None, options)
    return Place(str(tmp_path / "ds"), tmp_path / "ds", options)


async def filled(place: Place, n: int = N_ROWS) -> None:
    """Create the dataset, with ``n`` rows."""
    create = aiolake.create_dataset(place.url, SCHEMA, session=place.session)
    async with create as ds, ds.transaction("first") as tx:
        await tx.append(rows(n))


def check_row(row: dict[str, Any], i: int) -> None:
    assert int(np.asarray(row["n"])) == i
    assert row["name"] == f"row {i}"
    assert bytes(row["blob"]) == bytes([i % 251]) * 40
