"""Reading rows of a snapshot: single ones, batches, and byte ranges of huge samples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from aiolake._aio import WorkPool, map_concurrently
from aiolake.chunks.assemble import Decode, batch_of, encoded_of, fixed_rows, paged_value, value_of
from aiolake.chunks.column import ColumnIndex, Form
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.follow import Follower
from aiolake.chunks.located import Located, One
from aiolake.chunks.parts import read_parts, without_parts
from aiolake.codecs import (
    ByteCodec,
    ByteRows,
    Encoded,
    EntryCodec,
    FixedCodec,
    FixedRows,
    LinkCodec,
    LinkRows,
    codec_of,
    decodes_to_view,
    gives_payload,
)
from aiolake.errors import InvalidInputError
from aiolake.format.entry import Snapshot
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer
from aiolake.types import (
    Audio,
    Bytes,
    Column,
    ColumnType,
    Image,
    Link,
    Schema,
    Video,
    is_media,
    is_packed,
)

__all__ = ["MISS", "ColumnReader", "SnapshotReader"]

Stored: TypeAlias = FixedRows | ByteRows | LinkRows | list[Encoded | None]

MISS: Final = object()
"""Says that a value cannot be had without waiting."""

_INLINE_BYTES = 64 << 10
_MANY_ROWS = 512
_INLINE_COPIED_BYTES = 4 << 20
_INLINE_DECODED_BYTES = 4 << 10
# Pages of short values hold more than is wanted of them, and unpack at some ns a byte.
_INLINE_SHORT_BYTES = 1536 << 10
_UNPACKED_RATIO = 4
_INLINE_PACKED_BYTES = 16 << 10
_INLINE_VALUES = 1 << 20
_INLINE_ROWS = 1024
_INLINE_BULK_ROWS = 4096
_SLICED = (Image, Bytes, Video, Audio)


class ColumnReader(msgspec.Struct, frozen=True):
    """One column of a snapshot: where its rows are, and what they mean."""

    column: Column
    codec: FixedCodec | EntryCodec
    index: ColumnIndex
    fetcher: Fetcher
    pool: WorkPool
    inline_nbytes: int = _INLINE_BYTES
    """Payloads up to this are decoded where they are awaited; of media none, constants included."""
    packed: bool = False
    """Payloads unpack to arrays that may be far larger, also where nothing else is decoded."""
    raw_is_payload: bool = False
    """What is stored is what is read without decoding."""

    def value_now(self, id: int, decode: Decode) -> Any:
        """A row's value, or ``MISS`` where that needs to wait or to compute for long."""
        given = decode is Decode.RAW and self.raw_is_payload
        one = self.index.one_now(id, shaped=not given)
        if one is None:
            return MISS
        payload: Buffer | None = None
        if given and one.key:
            payload = self.fetcher.unit_now(one.key, one.start, one.length, one.crc)
            if payload is None:
                return MISS
            return payload if type(payload) is bytes else bytes(payload)
        if one.key and one.n_rows > 1:
            return self._paged_now(one, decode)
        if one.key:
            if one.length > self.inline_nbytes and decode is Decode.FULL:
                return MISS
            if self.packed and not _is_little_packed(one.length, one.shape):
                return MISS
            payload = self.fetcher.unit_now(one.key, one.start, one.length, one.crc)
            if payload is None:
                return MISS
        elif one.constant is None and not one.null:
            payload = b""
        elif not self.inline_nbytes and decode is Decode.FULL and not one.null:
            return MISS
        return value_of(self.codec, one, payload, decode)

    def _paged_now(self, one: One, decode: Decode) -> Any:
        """A row of a page of several; the page is kept as it was decoded."""
        page = self.fetcher.cache.get(self._page_slot(one))
        if page is None:
            payload = self.fetcher.unit_now(one.key, one.start, one.length, one.crc)
            return MISS if payload is None else self._of_page(one, payload, decode)
        codec = self.codec
        assert isinstance(codec, FixedCodec | ByteCodec)
        return paged_value(codec, page, one.row, decode)

    def _of_page(self, one: One, payload: Buffer, decode: Decode) -> Any:
        codec = self.codec
        assert isinstance(codec, FixedCodec | ByteCodec)
        page = codec.read_page(payload, one.n_rows, one.bitmap)
        self.fetcher.cache.put(self._page_slot(one), page, page.nbytes)
        return paged_value(codec, page, one.row, decode)

    def _page_slot(self, one: One) -> tuple[str, str, int, str]:
        return self.fetcher.url, one.key, one.start, "page"

    async def _fetched(self, one: One, decode: Decode) -> Any:
        """The value of a row whose payload is one unit, which has to be waited for."""
        payload = await self.fetcher.unit(one.key, one.start, one.length, one.crc)
        if decode is Decode.RAW and self.raw_is_payload:
            return payload if type(payload) is bytes else bytes(payload)
        if one.n_rows > 1:
            return self._of_page(one, payload, decode)
        long = decode is Decode.FULL and one.length > self.inline_nbytes
        if long or (self.packed and not _is_little_packed(one.length, one.shape)):
            return await self.pool.run(value_of, self.codec, one, payload, decode)
        return value_of(self.codec, one, payload, decode)

    async def batch(self, ids: Ids, decode: Decode, *, keep: bool = True) -> Any:
        """The values of some rows, collated.

        Cost: at most one GET for each row and manifest block that is not in memory.
        """
        return await self.located_batch(await self.index.locate(ids), decode, keep=keep)

    async def located_batch(self, located: Located, decode: Decode, *, keep: bool) -> Any:
        """The values of rows whose places are known, collated."""
        await _turn(located.n)
        payloads = await self.payloads(located, keep=keep)
        await _turn(located.n)
        return await self.assemble(located, payloads, decode)

    def is_small(self, decode: Decode) -> bool:
        """Whether decoding takes about as long, and as much memory, as the stored bytes say."""
        codec = self.codec
        if isinstance(codec, FixedCodec | ByteCodec):
            return True
        return decodes_to_view(codec) or (decode is Decode.RAW and not self.packed)

    def decoded_nbytes(self, located: Located) -> int:
        """About how many bytes some rows of a small column are: as stored, or as decoded."""
        codec, nbytes = self.codec, located.units.nbytes
        if isinstance(codec, FixedCodec):
            return max(nbytes, located.n * codec.row_nbytes)
        unpacked = isinstance(codec, ByteCodec) and codec.compression != "none"
        return nbytes * (_UNPACKED_RATIO if unpacked else 1)

    async def value(self, id: Ids, decode: Decode) -> Any:
        """The value of one row (``id`` is an array of one), as a row of it is read."""
        one = await self.index.one(id.item())
        if one is not None:
            value = self.value_now(id.item(), decode)  # what it needed was perhaps its block alone
            if value is not MISS:
                return value
            if one.key:
                return await self._fetched(one, decode)
        located = await self.index.locate(id)
        payloads = await self.payloads(located, keep=True)
        if self._is_little(located, decode, _INLINE_BYTES):
            return self._first(located, payloads, decode)
        return await self.pool.run(self._first, located, payloads, decode)

    async def stored(self, located: Located) -> Stored:
        """Rows as they are stored, verified, for packing them anew."""
        payloads = await self.fetcher.units(located.units, keep=False)
        return await self.pool.run(encoded_of, self.codec, located, payloads)

    async def payloads(self, located: Located, *, keep: bool) -> list[Buffer]:
        """Of each unit; one in parts comes whole in place of its first."""
        if not located.parted:
            return await self.fetcher.units(located.units, keep=keep)
        parted = located.parted.values()
        payloads = await self.fetcher.units(without_parts(located.units, parted), keep=keep)
        for each in parted:
            payloads[each.first] = await read_parts(
                self.fetcher, located.units, each, 0, each.length, keep=keep
            )
        return payloads

    def _first(self, located: Located, payloads: Sequence[Buffer], decode: Decode) -> Any:
        if isinstance(self.codec, FixedCodec):
            # Not through a batch: the mask of a row without numbers could not say it is None.
            rows = fixed_rows(self.codec, located, payloads)
            return self.codec.to_value(rows.array, rows.valid, 0)
        return batch_of(self.codec, located, payloads, decode)[0]

    async def assemble(self, located: Located, payloads: Sequence[Buffer], decode: Decode) -> Any:
        """Decode and collate, in a thread unless it is little work."""
        if located.n <= self._inline_rows() and self._is_little(
            located, decode, _INLINE_DECODED_BYTES
        ):
            return batch_of(self.codec, located, payloads, decode)
        return await self.pool.run(batch_of, self.codec, located, payloads, decode)

    def _inline_rows(self) -> int:
        """Rows for which Python runs no longer than a callback may."""
        codec = self.codec
        bulk = isinstance(codec, FixedCodec) or (isinstance(codec, ByteCodec) and codec.in_bulk)
        return _INLINE_BULK_ROWS if bulk else _INLINE_ROWS

    def _is_little(self, located: Located, decode: Decode, decoded_nbytes: int) -> bool:
        """Whether assembling is less work than handing it to a thread; copying is little."""
        codec = self.codec
        copied = isinstance(codec, FixedCodec) or decode is Decode.RAW or decodes_to_view(codec)
        if not copied and not self.inline_nbytes:
            return False
        if self.packed and not _is_little_packed(located.units.nbytes, located.shape):
            return False
        limit = _INLINE_COPIED_BYTES if copied else decoded_nbytes
        if isinstance(self.codec, ByteCodec):
            packed = self.codec.compression != "none"
            limit = max(limit, _INLINE_SHORT_BYTES // (_UNPACKED_RATIO if packed else 1))
        if decodes_to_view(codec) and not located.parted:
            return True
        return located.units.nbytes <= limit

    async def read_bytes(self, id: Ids, start: int, stop: int | None) -> bytes:
        """Bytes ``[start, stop)`` of one row's payload; of one in parts only those it touches."""
        if not isinstance(self.column.type, _SLICED) or _compressed(self.column):
            raise InvalidInputError(
                f"column {self.column.name!r} holds {self.column.type!r}; byte ranges are read of "
                "Image, Video, Audio and uncompressed Bytes columns",
                column=self.column.name,
            )
        located = await self.index.locate(id)
        parted = located.parted.get(0)
        if parted is None:
            payloads = await self.fetcher.units(located.units, keep=True)
            value = batch_of(self.codec, located, payloads, Decode.RAW)[0]
            return b"" if value is None else bytes(value[start:stop])
        end = parted.length if stop is None else stop
        return await read_parts(self.fetcher, located.units, parted, start, end, keep=True)


def _is_little_packed(nbytes: int, shapes: Any) -> bool:
    """Whether unpacking arrays of these shapes is little work; lists of them say less."""
    n_values = np.prod(np.asarray(shapes, np.float64), axis=-1).sum()
    return bool(nbytes <= _INLINE_PACKED_BYTES and n_values <= _INLINE_VALUES)


async def _turn(n_rows: int) -> None:
    """Let the loop turn between the steps of a batch of many rows, which may all be at hand."""
    if n_rows > _MANY_ROWS:
        await asyncio.sleep(0)


def _compressed(column: Column) -> bool:
    return isinstance(column.type, Bytes) and column.type.compression != "none"


def _form_of(codec: FixedCodec | EntryCodec) -> tuple[Form, int]:
    if isinstance(codec, FixedCodec):
        return Form.FIXED, 0
    if isinstance(codec, LinkCodec):
        return Form.LINKS, 0
    return (Form.SHORT if isinstance(codec, ByteCodec) else Form.ENTRIES), codec.ndim


class SnapshotReader:
    """Reads rows, by id, of one snapshot.

    Args:
        snapshot: Lists and pieces.
        schema: Its columns.
        fetcher: Reads the dataset's objects.
        pool: Decodes.
        follower: Reads what columns of links refer to.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        schema: Schema,
        fetcher: Fetcher,
        pool: WorkPool,
        follower: Follower,
    ) -> None:
        self._follower = follower
        self._snapshot = snapshot
        self._schema = schema
        self._fetcher = fetcher
        self._pool = pool
        self._columns: dict[str, ColumnReader] = {}

    @property
    def answers_now(self) -> bool:
        """Whether the store often answers without waiting."""
        return self._fetcher.store.answers_now

    @property
    def n_threads(self) -> int:
        """Threads that decode."""
        return self._pool.n_threads

    def column(self, name: str) -> ColumnReader:
        """The reader of a column."""
        reader = self._columns.get(name)
        if reader is None:
            reader = self._columns[name] = self._open(self._schema[name])
        return reader

    def has_links(self, names: Sequence[str]) -> bool:
        """Whether one of some columns lies outside the dataset."""
        return any(isinstance(self._schema[name].type, Link) for name in names)

    def are_small(self, names: Sequence[str], decode: Decode) -> bool:
        """Whether rows of some columns may be decoded many at a time."""
        if self.has_links(names):
            return False
        return all(self.column(name).is_small(decode) for name in names)

    async def locate(self, ids: Ids, names: Sequence[str]) -> list[Located]:
        """Where some rows are, in each of some columns."""
        return [await self.column(name).index.locate(ids) for name in names]

    def decoded_nbytes(self, names: Sequence[str], located: Sequence[Located]) -> int:
        """About how many bytes rows of small columns are: as stored, or as decoded."""
        return sum(
            self.column(name).decoded_nbytes(each)
            for name, each in zip(names, located, strict=True)
        )

    async def located_batch(
        self, located: Sequence[Located], names: Sequence[str], decode: Decode
    ) -> Mapping[str, Any]:
        """Rows whose places are known, from a store that answers at once, column by column."""
        return {
            name: await self.column(name).located_batch(each, decode, keep=False)
            for name, each in zip(names, located, strict=True)
        }

    def _open(self, column: Column) -> ColumnReader:
        codec = codec_of(column.type)
        form, ndim = _form_of(codec)
        snapshot = self._snapshot
        index = ColumnIndex(column.id, form, ndim, snapshot.lists, snapshot.pieces, self._fetcher)
        inline = _inline_nbytes(column.type, codec)
        packed = is_packed(column.type)
        if isinstance(column.type, Link):
            from aiolake.chunks.links import LinkReader

            return LinkReader(
                column,
                codec,
                index,
                self._fetcher,
                self._pool,
                inline,
                packed,
                follower=self._follower,
            )
        given = not isinstance(codec, FixedCodec) and gives_payload(codec)
        return ColumnReader(
            column, codec, index, self._fetcher, self._pool, inline, packed, raw_is_payload=given
        )

    def row_now(self, id: int, names: Sequence[str], decode: Decode) -> dict[str, Any]:
        """One row; values that have to be waited for are ``MISS``."""
        columns = self._columns
        return {
            name: (columns.get(name) or self.column(name)).value_now(id, decode) for name in names
        }

    async def complete(self, id: int, row: dict[str, Any], decode: Decode) -> None:
        """Read what is missing of a row."""
        missing = [name for name, value in row.items() if value is MISS]
        ids = np.asarray([id], np.int64)
        values = await map_concurrently(lambda name: self.column(name).value(ids, decode), missing)
        row.update(zip(missing, values, strict=True))

    async def batch(
        self, ids: Ids, names: Sequence[str], decode: Decode, *, keep: bool = True
    ) -> Mapping[str, Any]:
        """Some rows, a collated batch of each column; ``keep`` lets payloads stay in the cache."""
        if self.answers_now:  # nothing waits, so tasks would only cost
            values = [await self.column(name).batch(ids, decode, keep=keep) for name in names]
        else:
            values = await map_concurrently(
                lambda name: self.column(name).batch(ids, decode, keep=keep), names
            )
        return dict(zip(names, values, strict=True))


def _inline_nbytes(type: ColumnType, codec: FixedCodec | EntryCodec) -> int:
    if is_media(type):
        return 0
    return _INLINE_COPIED_BYTES if decodes_to_view(codec) else _INLINE_BYTES
