"""Rows by key, and the keys of a transaction."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from aiolake._aio import WorkPool
from aiolake.chunks.assemble import Decode
from aiolake.chunks.cache import MemoryCache
from aiolake.chunks.keys import KeyBlocks
from aiolake.chunks.write import PieceWriter
from aiolake.codecs import KeyValues, encode_keys, hash_keys
from aiolake.dataset.state import Core, State
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.format.keys import GONE
from aiolake.ranges import Ids, Runs
from aiolake.types import Column, Text
from aiolake.versions.keys import Hashes, KeyChanges, find_key_now, find_keys

__all__ = [
    "MISSING",
    "KeyCacheOf",
    "is_many",
    "key_changes",
    "no_such_key",
    "row_of_key",
    "rows_of_keys",
]

_MANY = 512


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""No default was given."""


class KeyCacheOf:
    """The part of a session's memory cache that holds one dataset's index of keys."""

    def __init__(self, core: Core) -> None:
        self._cache: MemoryCache = core.fetcher.cache
        self._url = core.url

    def get(self, key: Hashable) -> Any:
        """A value, or ``None``."""
        return self._cache.get((self._url, key, "keys"))

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Keep a value of so many bytes."""
        self._cache.put((self._url, key, "keys"), value, nbytes)


def is_many(key: object) -> bool:
    """Whether several keys are given rather than one."""
    return isinstance(key, list | tuple | np.ndarray)


async def row_of_key(core: Core, state: State, key: object) -> int:
    """The row id of one key, -1 if no row has it; see ``rows_of_keys``."""
    column, index = state.key, state.snapshot.keys
    if column is not None and index is not None:
        hashes = _hash(column, [key])
        high, low = hashes.high.item(0), hashes.low.item(0)
        row = find_key_now(index, high, low, KeyCacheOf(core))
        if row is not None:
            return row if row != GONE and state.rows.has(row) else -1
    return int((await rows_of_keys(core, state, [key]))[0])


async def rows_of_keys(core: Core, state: State, keys: Sequence[Any]) -> Ids:
    """The row ids of keys; -1 for those that no row has.

    Raises:
        InvalidInputError: The dataset has no key column, or one is not of its type.
    """
    column, index = state.key, state.snapshot.keys
    if column is None or index is None:
        raise InvalidInputError(
            "this dataset has no key column; rows are read by position, ds.read(i). A key is "
            "chosen with create_dataset(..., key='a column')"
        )
    hashes = await _hashed(core.session._pool, column, keys)
    found = await core.log.run(find_keys(index, hashes, KeyCacheOf(core)))
    ids: Ids = found.astype(np.int64)
    ids[found == GONE] = -1
    ids[state.rows.positions(ids) < 0] = -1
    return ids


async def _hashed(pool: WorkPool, column: Column, keys: Sequence[Any]) -> Hashes:
    if len(keys) <= _MANY:
        return _hash(column, keys)
    return await pool.run(_hash, column, keys)


def _hash(column: Column, keys: Sequence[Any]) -> Hashes:
    try:
        return Hashes(*hash_keys(encode_keys(column.type, keys)))
    except InvalidInputError as error:
        shown = keys[int(error.context.get("row", 0))]
        raise InvalidInputError(
            f"{shown!r:.80} is no key of column {column.name!r}: {error.message}",
            column=column.name,
        ) from error


def no_such_key(core: Core, column: str, key: object, *, many: bool) -> NotFoundError:
    """No row has a key, which was asked for alone or with others."""
    instead = "leave it out" if many else "give default= to get that instead"
    return NotFoundError(
        f"no row of {core.url} has the key {key!r:.200} in column {column!r}; {instead}",
        column=column,
        key_value=key,
    )


class _Updated(msgspec.Struct, frozen=True):
    """Keys that one run of updates gives, and to which rows."""

    keys: KeyBlocks
    rows: Ids


async def key_changes(
    pool: WorkPool,
    state: State,
    appended: Sequence[KeyBlocks],
    updates: Sequence[tuple[PieceWriter, tuple[int, ...]]],
    deleted: Runs,
) -> KeyChanges:
    """What a transaction does to keys.

    Args:
        pool: Joins the keys of many rows.
        state: The snapshot it was made on.
        appended: The keys of the rows appended, in order.
        updates: Its updates, oldest first: writers and the runs of their rows.
        deleted: Rows it removes.

    Cost: reads the keys that updated rows have, where it gives them others.
    """
    given = [
        _Updated(writer.keys, Runs.from_flat(rows).ids())
        for writer, rows in updates
        if writer.keys is not None and len(writer.keys)
    ]
    few = sum(map(len, appended)) <= _MANY
    new = _all(appended) if few else await pool.run(_all, appended)
    if not given:
        return KeyChanges(appended=new, name=_namer(appended, np.arange(0)))
    rows, at = _latest(np.concatenate([update.rows for update in given]), deleted)
    blocks = [update.keys for update in given]
    column = state.key
    assert column is not None
    return KeyChanges(
        appended=new,
        updated=_all(blocks).take(at),
        updated_rows=rows,
        left=await _keys_of(state, column, rows),
        name=_namer([*blocks, *appended], at, sum(map(len, blocks))),
    )


def _all(blocks: Sequence[KeyBlocks]) -> Hashes:
    parts = [block.hashes() for block in blocks]
    if len(parts) == 1:
        return Hashes(*parts[0])
    empty = np.empty(0, np.uint64)
    return Hashes(
        np.concatenate([empty, *(high for high, _ in parts)]),
        np.concatenate([empty, *(low for _, low in parts)]),
    )


def _latest(rows: Ids, deleted: Runs) -> tuple[Ids, Ids]:
    """Each row that stays once, in the order of their last updates, and where these are."""
    unique, last = np.unique(rows[::-1], return_index=True)
    at = np.sort((len(rows) - 1 - last)[deleted.positions(unique) < 0])
    return rows[at], at


def _namer(blocks: Sequence[KeyBlocks], at: Ids, n_updated: int = 0) -> Any:
    """Names the change ``i``: first the updates at ``at``, then the rows appended."""

    def name(i: int) -> Any:
        i = int(at[i]) if i < len(at) else i - len(at) + n_updated
        for block in blocks:
            if i < len(block):
                return block.name(i)
            i -= len(block)
        raise IndexError(i)

    return name


async def _keys_of(state: State, column: Column, rows: Ids) -> Hashes:
    """The hashes of the keys that rows have."""
    if not len(rows):
        return Hashes()
    read = await state.reader.column(column.name).batch(rows, Decode.FULL)
    values: KeyValues = encode_keys(column.type, _plain(column, read))
    return Hashes(*hash_keys(values))


def _plain(column: Column, read: Any) -> list[Any]:
    """A batch of keys as values that can be keys again."""
    values: list[Any] = read.tolist() if hasattr(read, "tolist") else list(read)
    return [str(value) for value in values] if isinstance(column.type, Text) else values
