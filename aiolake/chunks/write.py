"""Writing rows: encode, pack, upload while it goes; pieces come out at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from aiolake import keys
from aiolake._aio import Tasks, WorkPool
from aiolake.chunks.keys import KeyBlocks
from aiolake.chunks.pack import ColumnPacker, Place, piece_of
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
    without_mask,
)
from aiolake.errors import InvalidInputError
from aiolake.format.entry import Piece
from aiolake.format.statistics import ZONE_ROWS, Statistics
from aiolake.options import Options
from aiolake.stores.base import Buffer, Store, total_nbytes
from aiolake.types import ColumnType, Constant, is_media

__all__ = ["PieceWriter", "Target", "Uploader", "constant_of", "encode_columns"]

_INLINE_NBYTES = 4096
_LITTLE_ROWS = 16
_LITTLE_NBYTES = 256 << 10
_LITTLE_ENTRIES = 256
_LITTLE_ZONES = 64

FullChunks = list[tuple[int, list[Buffer]]]
EncodedColumn = FixedRows | ByteRows | LinkRows | list[Encoded | None]


class Target(msgspec.Struct, frozen=True):
    """A column to write.

    Attributes:
        id: Its id, provisional below 0.
        name: Its name.
        type: Its type.
        is_key: Its values name rows.
        optional: Rows that do not give it hold None.
    """

    id: int
    name: str
    type: ColumnType
    is_key: bool = False
    optional: bool = False


def encode_columns(
    targets: Sequence[Target], columns: Mapping[str, Any], first_row: int
) -> dict[int, EncodedColumn]:
    """Encode the values of each column, all of them before anything is packed.

    Raises:
        InvalidInputError: A value is not of its column's type; names the column and the row
            (counted from ``first_row``).
    """
    return {target.id: _encode(target, columns[target.name], first_row) for target in targets}


def _encode(target: Target, values: Any, first_row: int) -> EncodedColumn:
    codec = codec_of(target.type)
    encoded: list[Encoded | None] = []
    try:
        if isinstance(codec, FixedCodec | LinkCodec):
            return codec.encode_rows(values)
        values = without_mask(values)
        if isinstance(codec, ByteCodec):
            return codec.encode_rows(values)
        for value in values:
            encoded.append(None if value is None else _owned(codec, value))
        return encoded
    except InvalidInputError as error:
        at = first_row + int(error.context.get("row", len(encoded)))
        raise InvalidInputError(
            f"column {target.name!r}, row {at}: {error.message}", column=target.name, row=at
        ) from error


def _owned(codec: EntryCodec, value: object) -> Encoded:
    """An encoded sample that does not change with the caller's array."""
    encoded = codec.encode(value)
    if isinstance(encoded.payload, memoryview):
        return Encoded(bytes(encoded.payload), encoded.shape)
    return encoded


def constant_of(target: Target, value: object) -> Constant:
    """One value, encoded to stand for many rows."""
    if value is None:
        return Constant()
    codec = codec_of(target.type)
    encoded = encode_columns([target], {target.name: [value]}, 0)[target.id]
    if isinstance(encoded, FixedRows):
        assert isinstance(codec, FixedCodec)
        return Constant(bytes(codec.page_payload(encoded, 0, 1)))
    if isinstance(encoded, ByteRows):
        assert isinstance(codec, ByteCodec)
        return Constant(codec.packed(encoded.values[0]))
    if isinstance(encoded, LinkRows):
        raise InvalidInputError(
            f"column {target.name!r}: a column of links has no default but None; append or update "
            "references",
            column=target.name,
        )
    sample = encoded[0]
    assert sample is not None
    return Constant(bytes(sample.payload), sample.shape)


class Uploader:
    """Puts objects in the background, a bounded number of bytes at a time.

    Args:
        store: The dataset's scheduled store.
        tasks: Owns the uploads.
        base: Gives the transaction's base; asked when the first object is about to be uploaded.
        max_bytes: Bytes that may wait or be on their way; a larger object goes alone.
    """

    def __init__(
        self, store: Store, tasks: Tasks, base: Callable[[], Awaitable[int]], max_bytes: int
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._base = base
        self._max_bytes = max_bytes
        self._inflight = 0
        self._room = asyncio.Event()

    async def put(self, kind: str, data: Sequence[Buffer]) -> tuple[int, str]:
        """Start the upload of an object; returns its base and id.

        Raises:
            StoreError: This or an earlier upload failed.
        """
        self._tasks.check()
        base, id = await self._base(), keys.new_id()
        nbytes = total_nbytes(data)
        while self._inflight and self._inflight + nbytes > self._max_bytes:
            self._tasks.check()
            self._room.clear()
            await self._room.wait()
        self._inflight += nbytes
        key = keys.object_key(kind, base, id)
        self._tasks.start(self._put(key, data, nbytes), name="aiolake upload")
        return base, id

    async def join(self) -> None:
        """Wait until every object is there."""
        await self._tasks.join()

    async def _put(self, key: str, data: Sequence[Buffer], nbytes: int) -> None:
        try:
            await self._store.put(key, data)
        finally:
            self._inflight -= nbytes
            self._room.set()


class PieceWriter:
    """Packs and uploads the rows of one run: those a transaction appends, or one update.

    Args:
        targets: The columns; every call brings all of them.
        uploader: Puts the chunks.
        pool: Encodes.
        options: Sizes.
    """

    def __init__(
        self, targets: Sequence[Target], uploader: Uploader, pool: WorkPool, options: Options
    ) -> None:
        self.targets = tuple(targets)
        self.n_rows = 0
        self._has_media = any(is_media(target.type) for target in targets)
        self._uploader = uploader
        self._pool = pool
        self._chunk_bytes = options.chunk_bytes
        self._max_pending = max(options.chunk_bytes, options.max_inflight_bytes // 4)
        self.packers = {target.id: _packer(target) for target in self.targets}
        self.places: dict[int, list[Place]] = {target.id: [] for target in self.targets}
        self._key = next((target for target in self.targets if target.is_key), None)
        self.keys = None if self._key is None else KeyBlocks(self._key.type)

    async def add(
        self, columns: Mapping[str, Any], n_rows: int, *, first_row: int | None = None
    ) -> None:
        """Encode and pack rows; full chunks begin to upload.

        Args:
            columns: Values by column name.
            n_rows: How many of each.
            first_row: What errors call the first of them; its number among all by default.

        Raises:
            InvalidInputError: A value is refused; none of these rows was packed.
        """
        first = self.n_rows if first_row is None else first_row
        if n_rows <= _LITTLE_ROWS and not self._has_media and _is_little(columns):
            full = self._encode_and_pack(columns, first)
        else:
            # A thread may pack: a transaction makes one call at a time, and what a cancelled one
            # has packed is never committed.
            full = await self._pool.run(self._encode_and_pack, columns, first)
        await self._added(full, n_rows)

    async def add_encoded(self, encoded: Mapping[int, EncodedColumn], n_rows: int) -> None:
        """Pack rows that are encoded already, by column id."""
        await self._added(await self._pool.run(self._pack_with_keys, encoded, self.n_rows), n_rows)

    def _encode_and_pack(self, columns: Mapping[str, Any], first_row: int) -> FullChunks:
        return self._pack_with_keys(encode_columns(self.targets, columns, first_row), first_row)

    def _pack_with_keys(self, encoded: Mapping[int, EncodedColumn], first_row: int) -> FullChunks:
        if self._key is not None:
            self._keep_keys(self._key, encoded, first_row)
        return self._pack(encoded)

    def _keep_keys(self, key: Target, encoded: Mapping[int, EncodedColumn], first_row: int) -> None:
        rows = encoded[key.id]
        assert self.keys is not None
        assert isinstance(rows, FixedRows | ByteRows)
        try:
            self.keys.blocks.append(self.keys.made(rows))
        except InvalidInputError as error:
            row = first_row + int(error.context.get("row", 0))
            raise InvalidInputError(
                f"column {key.name!r}, row {row}: {error.message}", column=key.name, row=row
            ) from error

    def _pack(self, encoded: Mapping[int, EncodedColumn]) -> FullChunks:
        """Pack rows; the chunks that became full, with their columns."""
        found: FullChunks = []
        for column, values in encoded.items():
            packer = self.packers[column]
            if isinstance(values, FixedRows):
                full = packer.add_rows(values, chunk_bytes=self._chunk_bytes)
            elif isinstance(values, ByteRows):
                full = packer.add_bytes(values, chunk_bytes=self._chunk_bytes)
            elif isinstance(values, LinkRows):
                packer.add_links(values)
                continue
            else:
                full = packer.add(values, chunk_bytes=self._chunk_bytes)
            found += [(column, chunk) for chunk in full]
        return found

    async def _added(self, full: FullChunks, n_rows: int) -> None:
        self.n_rows += n_rows
        for column, chunk in full:
            await self._upload(column, chunk)
        await self._relieve()

    async def blocks(self, column: int) -> list[bytes]:
        """The manifest blocks of a column whose chunks are all under way."""
        packer, places = self.packers[column], self.places[column]
        if packer.n_entries <= _LITTLE_ENTRIES:
            return packer.blocks(places)
        return await self._pool.run(packer.blocks, places)

    async def statistics(self, column: int, *, inline: bool) -> tuple[Statistics, bytes]:
        """What a column's rows are like, and the table of their zones that is to be stored."""
        packer = self.packers[column]
        if packer.n_rows <= _LITTLE_ZONES * ZONE_ROWS:
            return packer.statistics(inline=inline)
        return await self._pool.run(partial(packer.statistics, inline=inline))

    async def _upload(self, column: int, chunk: list[Buffer]) -> None:
        self.places[column].append(Place(*await self._uploader.put(keys.CHUNKS, chunk)))

    async def _relieve(self) -> None:
        """With many columns, upload the longest pending chunks early: memory is bounded."""
        while sum(p.pending_nbytes for p in self.packers.values()) > self._max_pending:
            column, packer = max(self.packers.items(), key=lambda item: item[1].pending_nbytes)
            await self._upload(column, packer.take_chunk())

    async def close_pages(self) -> None:
        """Write last, shorter pages."""
        for column, packer in self.packers.items():
            for chunk in packer.finish(chunk_bytes=self._chunk_bytes):
                await self._upload(column, chunk)

    @property
    def nbytes(self) -> int:
        """Payload bytes so far."""
        return sum(packer.nbytes for packer in self.packers.values())


def _is_little(columns: Mapping[str, Any]) -> bool:
    """Whether encoding some rows is too little work for a thread: plain values, short bytes."""
    total = 0
    for values in columns.values():
        total += sum(map(_work, values))
    return total <= _LITTLE_NBYTES


def _work(value: object, depth: int = 3) -> int:
    """About how many bytes of text would take as long to encode; lists are looked into so deep."""
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, int | float | bool | type(None)):
        return 0
    if isinstance(value, list | tuple):
        return 1024 + (sum(_work(inner, depth - 1) for inner in value) if depth else 0)
    return 16 * int(getattr(value, "nbytes", 64))


def _packer(target: Target) -> ColumnPacker:
    return ColumnPacker(target.id, codec_of(target.type), media=is_media(target.type))


async def finish(
    writers: Sequence[tuple[PieceWriter, tuple[int, ...]]], uploader: Uploader, options: Options
) -> tuple[Piece, ...]:
    """Upload what is left of all writers, then their manifests; returns their pieces in order.

    Args:
        writers: Each with the row-id runs its rows have.
        uploader: Puts the objects.
        options: Sizes.
    """
    for writer, _ in writers:
        await writer.close_pages()
    total = sum(writer.nbytes for writer, _ in writers)
    pending = [
        (writer, column, packer)
        for writer, _ in writers
        for column, packer in writer.packers.items()
        if packer.pending_nbytes
    ]
    if total < options.small_bytes:
        await _upload_together(pending, uploader)
    else:
        for writer, column, packer in pending:
            await writer._upload(column, packer.take_chunk())
    pieces = await _pieces(writers, uploader)
    await uploader.join()
    return pieces


async def _upload_together(
    pending: Sequence[tuple[PieceWriter, int, ColumnPacker]], uploader: Uploader
) -> None:
    """One object for all columns of a small transaction."""
    if not pending:
        return
    shifts, buffers, at = [], [], 0
    for _, _, packer in pending:
        shifts.append(at)
        at += packer.pending_nbytes
        buffers += packer.take_chunk()
    base, id = await uploader.put(keys.CHUNKS, buffers)
    for (writer, column, _), shift in zip(pending, shifts, strict=True):
        writer.places[column].append(Place(base, id, shift))


async def _pieces(
    writers: Sequence[tuple[PieceWriter, tuple[int, ...]]], uploader: Uploader
) -> tuple[Piece, ...]:
    """Manifests: the shortest lie inline while together they are short, others in objects."""
    packed = [
        (writer, column, await writer.blocks(column), rows)
        for writer, rows in writers
        for column, packer in writer.packers.items()
        if packer.n_rows
    ]
    inline = _inline([blocks for _, _, blocks, _ in packed])
    pieces: list[Piece] = []
    for i, (writer, column, blocks, rows) in enumerate(packed):
        statistics, zones = await writer.statistics(column, inline=i in inline)
        place = None
        if i not in inline:
            place = await uploader.put(keys.MANIFESTS, [*blocks, zones] if zones else blocks)
        pieces.append(piece_of(writer.packers[column], blocks, rows, statistics, manifest=place))
    return tuple(pieces)


def _inline(tables: Sequence[Sequence[bytes]]) -> set[int]:
    """Which tables lie inline: single blocks, the shortest first, up to 4 KiB in all."""
    chosen: set[int] = set()
    total = 0
    for i in sorted(range(len(tables)), key=lambda i: sum(map(len, tables[i]))):
        if len(tables[i]) != 1 or total + len(tables[i][0]) > _INLINE_NBYTES:
            break
        chosen.add(i)
        total += len(tables[i][0])
    return chosen
