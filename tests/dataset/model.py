"""What a dataset is, as dicts and lists: the machine's oracle. Nothing here is the engine's."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from aiolake import Bytes, ClassLabel, ColumnType, Embedding, Image, Json, Tensor, Text
from tests.dataset.helpers import png, same

KINDS: dict[str, ColumnType] = {
    "int": Tensor("int64"),
    "vector": Tensor("float32", (3,), "zstd"),
    "ragged": Tensor("int16", (None, 2)),
    "text": Text("zstd"),
    "json": Json(),
    "bytes": Bytes(),
    "label": ClassLabel(["cat", "dog", "cow"]),
    "embedding": Embedding(2, "float64"),
    "image": Image("png"),
    "wide": Tensor("uint8", (700,)),
}
PICTURES = [png(2, 3, i) for i in range(3)]


def value_of(kind: str, rng: random.Random) -> Any:
    """A value as it is written and, but for pictures, read."""
    if rng.random() < 0.15:
        return None
    match kind:
        case "int":
            return rng.randint(-(2**63), 2**63 - 1)
        case "vector":
            return np.asarray([rng.random() for _ in range(3)], np.float32)
        case "ragged":
            n = rng.randint(0, 4)
            return np.asarray([rng.randint(-9, 9) for _ in range(2 * n)], np.int16).reshape(n, 2)
        case "text":
            return "".join(rng.choice("aé漢😀\n") for _ in range(rng.randint(0, 20)))
        case "json":
            return rng.choice([[], {"a": [1, 2.5, None]}, "text", 7, {"b": {"c": True}}])
        case "bytes":
            return rng.randbytes(rng.choice([0, 1, 50, 900]))
        case "label":
            return rng.randint(0, 2)
        case "embedding":
            return np.asarray([rng.random(), -rng.random()])
        case "image":
            return rng.choice(PICTURES)
        case _:
            return np.full(700, rng.randint(0, 255), np.uint8)


FIXED = frozenset({"int", "vector", "label", "embedding", "wide"})


def check_value(kind: str, found: Any, expected: Any) -> None:
    """One value as ``read(i, decode=False)`` gives it."""
    if kind in ("text", "json") and expected is not None:
        expected = expected.encode() if kind == "text" else found and _json(expected)
    assert same(found, expected), (kind, found, expected)


def _json(value: object) -> bytes:
    import json

    return json.dumps(value, separators=(",", ":")).encode()


def check_batch(kind: str, found: Any, expected: list[Any]) -> None:
    """A column of a batch, undecoded: an array, masked where rows are None, or a list."""
    assert len(found) == len(expected)
    if kind not in FIXED:
        assert isinstance(found, list)
        for value, wanted in zip(found, expected, strict=True):
            check_value(kind, value, wanted)
        return
    missing = [value is None for value in expected]
    assert isinstance(found, np.ma.MaskedArray) == any(missing)
    mask = np.ma.getmaskarray(found).reshape(len(found), math.prod(found.shape[1:]))
    assert (mask == np.asarray(missing).reshape(-1, 1)).all()
    for value, wanted in zip(np.asarray(found), expected, strict=True):
        assert wanted is None or np.array_equal(value, wanted)


@dataclass(frozen=True)
class Col:
    """A column: its identity, name, kind, what rows hold that do not know it, and metadata."""

    id: int
    name: str
    kind: str
    default: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Snap:
    """A snapshot: columns, and rows as (identity, value by column identity)."""

    columns: tuple[Col, ...] = ()
    rows: tuple[tuple[int, Mapping[int, Any]], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> Col:
        return next(col for col in self.columns if col.name == name)

    def values(self, col: Col, at: Iterable[int] | None = None) -> list[Any]:
        rows = self.rows if at is None else [self.rows[i] for i in at]
        return [row.get(col.id, col.default) for _, row in rows]


@dataclass
class Change:
    """A transaction, or another entry, as a model of what it touches."""

    branch: str | None = None
    appended: list[dict[int, Any]] = field(default_factory=list)
    updated: dict[tuple[int, int], Any] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    added: list[Col] = field(default_factory=list)
    renamed: dict[int, str] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    metadata: dict[tuple[int | None, str], Any] = field(default_factory=dict)
    restores: bool = False
    optimizes: bool = False
    names: str | None = None

    @property
    def rows(self) -> set[int]:
        return {row for row, _ in self.updated} | self.deleted

    @property
    def updated_columns(self) -> set[int]:
        return {column for _, column in self.updated}

    @property
    def columns_with_metadata(self) -> set[int]:
        return {column for column, _ in self.metadata if column is not None}

    @property
    def columns(self) -> set[int]:
        touched = self.updated_columns | set(self.renamed) | self.dropped
        return touched | self.columns_with_metadata

    @property
    def is_empty(self) -> bool:
        return not (
            self.appended or self.rows or self.added or self.renamed or self.dropped
            or self.metadata or self.optimizes or self.restores
        )  # fmt: skip

    @property
    def only_appends(self) -> bool:
        return not (self.rows or self.added or self.renamed or self.dropped or self.metadata)


def overlap(mine: Change, theirs: Change) -> bool:
    """Whether two changes on one branch cannot both have been meant."""
    if theirs.names is not None:
        return theirs.names == mine.branch
    if theirs.branch != mine.branch:
        return False
    if mine.restores:
        return not theirs.optimizes  # which changes no value
    if mine.optimizes:
        return theirs.restores or theirs.optimizes or bool(theirs.dropped)
    if theirs.restores:
        return not mine.only_appends
    return bool(
        mine.rows & theirs.rows
        or _drops_what_is_used(mine, theirs)
        or _drops_what_is_used(theirs, mine)
        or set(mine.renamed) & set(theirs.renamed)
        or set(mine.metadata) & set(theirs.metadata)
    )


def _drops_what_is_used(a: Change, b: Change) -> bool:
    used = b.updated_columns | set(b.renamed) | b.dropped | b.columns_with_metadata
    return bool(a.dropped & used)


def may_overlap(mine: Change, theirs: Change) -> bool:
    """Whether they may be refused although they do not overlap.

    An entry says which columns a transaction touches, not which of its changes touched which.
    """
    several = len(mine.columns) > 1 or len(theirs.columns) > 1
    both_shape = bool(mine.columns & theirs.columns)
    return theirs.branch == mine.branch and several and both_shape


def applied(change: Change, head: Snap, first_row: int) -> Snap | None:
    """The snapshot after a change; ``None`` where names of columns collide or none is left."""
    columns = tuple(
        replace(
            col,
            name=change.renamed.get(col.id, col.name),
            metadata=_merged(col.metadata, change.metadata, col.id),
        )
        for col in (*head.columns, *change.added)
        if col.id not in change.dropped
    )
    names = [col.name for col in columns]
    if not names or len(set(names)) != len(names):
        return None
    fresh = {col.id: col.default for col in change.added}
    rows = [
        (id, {**values, **fresh, **_updates(change, id)})
        for id, values in head.rows
        if id not in change.deleted
    ]
    rows += [(first_row + i, values) for i, values in enumerate(change.appended)]
    return Snap(columns, tuple(rows), _merged(head.metadata, change.metadata, None))


def _updates(change: Change, row: int) -> dict[int, Any]:
    return {column: value for (id, column), value in change.updated.items() if id == row}


def _merged(
    old: Mapping[str, Any], changes: Mapping[tuple[int | None, str], Any], column: int | None
) -> dict[str, Any]:
    merged = {**old, **{key: v for (id, key), v in changes.items() if id == column}}
    return {key: value for key, value in merged.items() if value is not None}
