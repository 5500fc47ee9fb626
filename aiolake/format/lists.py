"""Objects in ``lists/``: single values (blobs) and lists of pieces.

Source: docs/spec/v1.md, "Lists".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from operator import add
from typing import Any, TypeVar

import msgspec

from aiolake.codecs import zstd
from aiolake.errors import FormatError
from aiolake.format.checksum import crc32c, verify
from aiolake.format.entry import (
    NOT_JSON,
    Blob,
    Description,
    ListRef,
    Piece,
    Refs,
    Segment,
    check_flat_runs,
    check_segments,
)
from aiolake.keys import LISTS, object_key

__all__ = [
    "MAX_INLINE_SEGMENTS",
    "blob_key",
    "check_list",
    "decode_blob",
    "decode_list",
    "decode_segment",
    "decode_segments",
    "encode_blob",
    "encode_list",
    "list_key",
]

MAX_INLINE_SEGMENTS = 64
MAX_JSON_NBYTES = 1 << 30
T = TypeVar("T", Description, Refs, tuple[int, ...])

_encoder = msgspec.json.Encoder()
_pieces = msgspec.json.Decoder(tuple[Piece, ...])
_segments = msgspec.json.Decoder(tuple[Segment, ...])


def blob_key(blob: Blob) -> str:
    """Where a blob lies."""
    return object_key(LISTS, blob.base, blob.id)


def list_key(ref: ListRef) -> str:
    """Where a list of pieces lies."""
    return object_key(LISTS, ref.base, ref.id)


def encode_blob(value: Any, base: int, id: str) -> tuple[Blob, bytes]:
    """A value as an object of ``lists/``, and the reference to it."""
    data = zstd.compress(_encoder.encode(value))
    return Blob(base, id, len(data), crc32c(data)), data


def decode_blob(data: Any, blob: Blob, type: type[T]) -> T:
    """The value of a blob.

    Raises:
        CorruptDataError: The checksum differs.
        FormatError: It is no such value.
    """
    key = blob_key(blob)
    verify(data, blob.crc, key)
    value: T = _decode(msgspec.json.Decoder(type), data, key)
    if isinstance(value, tuple) and not isinstance(next(iter(value), None), str):
        try:
            check_flat_runs(value)
        except ValueError as error:
            raise FormatError(f"{key!r}: {error}", key=key) from error
    return value


def encode_list(pieces: Sequence[Piece], base: int, id: str) -> tuple[ListRef, bytes]:
    """A list object of pieces (in order, the later wins) and the reference to it."""
    by_column: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_column.setdefault(piece.column, []).append(piece)
    segments: list[Segment] = []
    bodies: list[bytes] = []
    start = 0
    for column, members in sorted(by_column.items()):
        body = zstd.compress(_encoder.encode(members))
        low, high = _bounds(members)
        segments.append(Segment(column, start, start + len(body), crc32c(body), low, high))
        bodies.append(body)
        start += len(body)
    return _assemble(pieces, segments, bodies, base, id)


def _assemble(
    pieces: Sequence[Piece], segments: list[Segment], bodies: list[bytes], base: int, id: str
) -> tuple[ListRef, bytes]:
    table = zstd.compress(_encoder.encode(segments))
    header = struct.pack("<I", len(table)) + table
    data = b"".join([header, *bodies])
    low, high = _bounds(pieces)
    inline = tuple(segments) if len(segments) <= MAX_INLINE_SEGMENTS else None
    ref = ListRef(
        base=base,
        id=id,
        size=len(data),
        header=len(header),
        crc=crc32c(header),
        n=len(pieces),
        low=low,
        high=high,
        segments=inline,
    )
    return ref, data


def decode_segments(header: Any, ref: ListRef) -> tuple[Segment, ...]:
    """The segments a list's header (its first ``ref.header`` bytes) names."""
    key = list_key(ref)
    verify(header, ref.crc, key)
    segments: tuple[Segment, ...] = _decode(_segments, memoryview(header)[4:], key)
    try:
        check_segments(segments, ref.size - ref.header)
    except ValueError as error:
        raise FormatError(f"{key!r}: {error}", key=key) from error
    return segments


def decode_segment(data: Any, ref: ListRef, segment: Segment) -> tuple[Piece, ...]:
    """One column's pieces, from the segment's bytes."""
    key = list_key(ref)
    verify(data, segment.crc, key, ref.header + segment.start)
    pieces: tuple[Piece, ...] = _decode(_pieces, data, key)
    for piece in pieces:
        if piece.column != segment.column:
            raise FormatError(
                f"{key!r} holds a piece of column {piece.column} among those of column "
                f"{segment.column}",
                key=key,
            )
    return pieces


def decode_list(data: Any, ref: ListRef) -> tuple[Piece, ...]:
    """Every piece of a list, from the object's bytes; columns ascending, each in order."""
    view = memoryview(data)
    pieces: list[Piece] = []
    for segment in decode_segments(view[: ref.header], ref):
        body = view[ref.header + segment.start : ref.header + segment.stop]
        pieces.extend(decode_segment(body, ref, segment))
    return tuple(pieces)


def check_list(data: Any, ref: ListRef) -> None:
    """Check what a list says of itself, which readers rely on without looking.

    Raises:
        FormatError: Other segments than the reference's, pieces outside the row ids of their
            segment, or another number of them or of bytes.
    """
    key = list_key(ref)
    view = memoryview(data)
    segments = decode_segments(view[: ref.header], ref)
    if len(view) != ref.size or ref.segments not in (None, segments):
        raise FormatError(f"{key!r} is not the list that its reference says", key=key)
    n = 0
    for segment in segments:
        body = view[ref.header + segment.start : ref.header + segment.stop]
        pieces = decode_segment(body, ref, segment)
        low, high = _bounds(pieces)
        n += len(pieces)
        if pieces and not max(segment.low, ref.low) <= low <= high <= min(segment.high, ref.high):
            raise FormatError(
                f"{key!r}: pieces of column {segment.column} hold row ids outside "
                f"{segment.low}..{segment.high}",
                key=key,
            )
    if n != ref.n:
        raise FormatError(f"{key!r} holds {n} pieces, and its reference says {ref.n}", key=key)


def _bounds(pieces: Iterable[Piece]) -> tuple[int, int]:
    """The smallest ``[low, high)`` that holds the pieces' row ids; (0, 0) without any."""
    low, high = 1 << 62, 0
    for piece in pieces:
        firsts, counts = piece.rows[::2], piece.rows[1::2]
        low = min(low, min(firsts, default=low))
        high = max(high, max(map(add, firsts, counts), default=high))
    return (low, high) if high else (0, 0)


def _decode(decoder: msgspec.json.Decoder[Any], data: Any, key: str) -> Any:
    try:
        return decoder.decode(zstd.decompress(data, at_most=MAX_JSON_NBYTES))
    except (*NOT_JSON, FormatError) as error:
        raise FormatError(f"{key!r} is no list of this format: {error}", key=key) from error
