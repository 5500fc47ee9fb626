"""From payloads to what users read: single values and batches. Pure; runs in any thread."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aiolake.chunks.column import Located, One, Parted
from aiolake.codecs import Encoded, EntryCodec, FixedCodec, FixedRows
from aiolake.stores.base import Buffer
from aiolake.types import Constant

__all__ = ["Decode", "batch_of", "encoded_of", "fixed_rows", "joined", "value_of"]


class Decode(enum.Enum):
    """What becomes of encoded samples."""

    FULL = "full"
    """Arrays, text and JSON values."""
    RAW = "raw"
    """The stored bytes as they were given: encoded images, UTF-8, JSON."""


def value_of(
    codec: FixedCodec | EntryCodec, one: One, payload: Buffer | None, decode: Decode
) -> Any:
    """One row's value; ``payload`` is ``None`` for constants and nulls."""
    if isinstance(codec, FixedCodec):
        rows = _constant_row(codec, one.constant) if one.constant is not None else None
        if rows is not None:
            return codec.to_value(rows.array, rows.valid, 0)
        assert payload is not None
        page = codec.read_page(payload, one.n_rows, one.bitmap)
        return codec.to_value(page.array, page.valid, one.row)
    if one.null:
        return None
    if one.constant is not None:
        return _constant_value(codec, one.constant, decode)
    assert payload is not None
    return _decoder(codec, decode)(payload, one.shape)


def _decoder(codec: EntryCodec, decode: Decode) -> Callable[[Buffer, tuple[int, ...]], object]:
    return codec.decode if decode is Decode.FULL else codec.raw


def _constant_row(codec: FixedCodec, constant: Constant) -> FixedRows:
    if constant.payload is None:
        array = np.zeros((1, *codec.row_shape), codec.dtype)
        return FixedRows(array, np.zeros(1, bool))
    return codec.read_page(constant.payload, 1, False)


def _constant_value(codec: EntryCodec, constant: Constant, decode: Decode) -> object:
    if constant.payload is None:
        return None
    return _decoder(codec, decode)(constant.payload, constant.shape)


def batch_of(
    codec: FixedCodec | EntryCodec, located: Located, payloads: Sequence[Buffer], decode: Decode
) -> Any:
    """The values of some rows: an array (masked where a row is None), or a list."""
    if isinstance(codec, FixedCodec):
        return codec.batch(fixed_rows(codec, located, payloads))
    return _entries(codec, located, payloads, decode)


def _entries(
    codec: EntryCodec, located: Located, payloads: Sequence[Buffer], decode: Decode
) -> list[object]:
    decoder = _decoder(codec, decode)
    out: list[object] = [None] * located.n
    shapes = located.shape.tolist()
    nulls = located.null.tolist()
    for i, unit in enumerate(located.unit.tolist()):
        if unit >= 0 and not nulls[i]:
            out[i] = decoder(payloads[unit], tuple(shapes[i]))
    for i, parted in located.parted.items():
        out[i] = decoder(joined(parted, payloads), tuple(shapes[i]))
    for rows, constant in located.constants:
        for i in rows.tolist():
            out[i] = _constant_value(codec, constant, decode)
    return out


def joined(parted: Parted, payloads: Sequence[Buffer]) -> Buffer:
    """A huge payload from its parts, or as it was read whole in place of the first."""
    if len(payloads[parted.first]) == parted.length:
        return payloads[parted.first]
    out = bytearray(parted.length)
    at = 0
    for unit in range(parted.first, parted.last):
        part = payloads[unit]
        out[at : at + len(part)] = part
        at += len(part)
    return out


def encoded_of(
    codec: FixedCodec | EntryCodec, located: Located, payloads: Sequence[Buffer]
) -> FixedRows | list[Encoded | None]:
    """The rows as they are stored, for packing them anew: nothing is decoded but pages."""
    if isinstance(codec, FixedCodec):
        return fixed_rows(codec, located, payloads)
    out: list[Encoded | None] = [None] * located.n
    shapes, nulls = located.shape.tolist(), located.null.tolist()
    for i, unit in enumerate(located.unit.tolist()):
        if unit >= 0 and not nulls[i]:
            out[i] = Encoded(_owned(payloads[unit]), tuple(shapes[i]))
    for i, parted in located.parted.items():
        out[i] = Encoded(bytes(joined(parted, payloads)), tuple(shapes[i]))
    for rows, constant in located.constants:
        if constant.payload is not None:
            for i in rows.tolist():
                out[i] = Encoded(constant.payload, constant.shape)
    return out


def _owned(payload: Buffer) -> bytes:
    return payload if isinstance(payload, bytes) else bytes(payload)


def fixed_rows(codec: FixedCodec, located: Located, payloads: Sequence[Buffer]) -> FixedRows:
    """Rows of pages and constants as one array."""
    array = np.zeros((located.n, *codec.row_shape), codec.dtype)
    valid = np.ones(located.n, bool)
    for unit, rows in _by_unit(located):
        page = codec.read_page(
            payloads[unit], int(located.n_rows[unit]), bool(located.bitmap[unit])
        )
        inner = located.row[rows]
        array[rows] = page.array[inner]
        if page.valid is not None:
            valid[rows] = page.valid[inner]
    for i, parted in located.parted.items():
        _place(codec.read_page(joined(parted, payloads), 1, parted.bitmap), i, array, valid)
    for rows, constant in located.constants:
        _place(_constant_row(codec, constant), rows, array, valid)
    return FixedRows(array, None if valid.all() else valid)


def _place(row: FixedRows, at: Any, array: Any, valid: Any) -> None:
    array[at] = row.array[0]
    valid[at] = row.valid is None or row.valid[0]


def _by_unit(located: Located) -> list[tuple[int, Any]]:
    """Each page wanted, with the rows it serves: a slice where they are neighbours."""
    unit = located.unit
    wanted = np.flatnonzero(unit >= 0)
    if not len(wanted):
        return []
    of = unit[wanted]
    if (of[1:] >= of[:-1]).all():
        starts = np.flatnonzero(np.concatenate([[True], of[1:] != of[:-1]]))
    else:
        order = np.argsort(of, kind="stable")
        wanted, of = wanted[order], of[order]
        starts = np.flatnonzero(np.concatenate([[True], of[1:] != of[:-1]]))
    stops = [*starts[1:].tolist(), len(of)]
    numbers = of[starts].tolist()
    return [
        (number, wanted[start:stop])
        for number, start, stop in zip(numbers, starts.tolist(), stops, strict=True)
    ]
