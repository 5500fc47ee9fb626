"""Every way of using a handle, to be refused where handles may not be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import aiolake
from tests.process.workers import row

T = TypeVar("T")
Calls = dict[str, Callable[[], Any]]

DATASET: dict[str, Callable[[aiolake.Dataset], Any]] = {
    "read": lambda ds: ds.read(0),
    "read batch": lambda ds: ds.read([0, 1]),
    "get": lambda ds: ds.get("k"),
    "read_bytes": lambda ds: ds.read_bytes(0, "blob"),
    "read_clip": lambda ds: aiolake.read_clip(ds, 0, "blob"),
    "references": lambda ds: aiolake.references(ds, 0, "blob"),
    "batches": lambda ds: ds.batches(10),
    "view.read": lambda ds: ds[1:5].read(0),
    "view.batches": lambda ds: ds.select("n").batches(3),
    "where": lambda ds: ds.where(n=1),
    "view.where": lambda ds: ds[1:5].where(n=1),
    "stats": lambda ds: ds.stats(),
    "summary": lambda ds: ds.summary(),
    "transaction": lambda ds: ds.transaction(),
    "find_commit": lambda ds: ds.find_commit("x"),
    "refresh": lambda ds: ds.refresh(),
    "history": lambda ds: ds.history.list(),
    "diff": lambda ds: ds.history.diff(1),
    "restore": lambda ds: ds.history.restore(1),
    "branches.list": lambda ds: ds.branches.list(),
    "branches.create": lambda ds: ds.branches.create("b"),
    "branches.move": lambda ds: ds.branches.move("main", 1),
    "branches.merge": lambda ds: ds.branches.merge("b"),
    "branches.delete": lambda ds: ds.branches.delete("b"),
    "tags.list": lambda ds: ds.tags.list(),
    "tags.create": lambda ds: ds.tags.create("t"),
    "tags.delete": lambda ds: ds.tags.delete("t"),
    "enter": lambda ds: ds.__aenter__(),
    "optimize": aiolake.optimize,
    "expire": lambda ds: aiolake.expire(ds, below=1),
    "gc": aiolake.gc,
    "verify": aiolake.verify,
    "copy_dataset": lambda ds: aiolake.copy_dataset(ds, "mem://a-copy"),
    "ingest": lambda ds: aiolake.ingest(ds, [row(0)]),
}

TRANSACTION: dict[str, Callable[[aiolake.Transaction], Any]] = {
    "append": lambda tx: tx.append(row(0)),
    "fork": lambda tx: tx.fork(),
    "merge": lambda tx: tx.merge([]),
    "update": lambda tx: tx.update(0, {"n": 1}),
    "delete": lambda tx: tx.delete(0),
    "add_column": lambda tx: tx.add_column("c", aiolake.Text()),
    "rename_column": lambda tx: tx.rename_column("n", "m"),
    "drop_column": lambda tx: tx.drop_column("n"),
    "set_metadata": lambda tx: tx.set_metadata({"a": 1}),
    "remove_metadata": lambda tx: tx.remove_metadata("a"),
}


def bound(calls: Mapping[str, Callable[[T], Any]], subject: T) -> Calls:
    """The same calls, of one handle."""
    return {name: partial(call, subject) for name, call in calls.items()}
