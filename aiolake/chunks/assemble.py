"""From payloads to what users read: single values and batches. Pure; runs in any thread."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aiolake.chunks.located import Located, One, Parted
from aiolake.codecs import (
    ByteCodec,
    BytePage,
    ByteRows,
    Encoded,
    EntryCodec,
    FixedCodec,
    FixedRows,
    gives_payload,
)
from aiolake.ranges import Ids
from aiolake.stores.base import Buffer
from aiolake.types import Constant

__all__ = [
    "Decode",
    "batch_of",
    "encoded_of",
    "fixed_rows",
    "joined",
    "paged_value",
    "units_with_rows",
    "value_of",
]

_FEW_OF_A_PAGE = 8
_SHORT_BYTES = 4 << 20
_UNPACKED_RATIO = 4


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
    if one.constant is not None:
        if isinstance(codec, FixedCodec):
            return paged_value(codec, _constant_row(codec, one.constant), 0, decode)
        return _constant_value(codec, one.constant, decode)
    if one.null:
        return None
    assert payload is not None
    if isinstance(codec, FixedCodec):
        page = codec.read_page(payload, one.n_rows, one.bitmap)
        return paged_value(codec, page, one.row, decode)
    return _decoder(codec, decode)(payload, one.shape)


def paged_value(
    codec: FixedCodec | ByteCodec, page: FixedRows | BytePage, row: int, decode: Decode
) -> Any:
    """One row of a page that was read by the same codec."""
    if isinstance(codec, FixedCodec):
        assert isinstance(page, FixedRows)
        return codec.to_value(page.array, page.valid, row)
    assert isinstance(page, BytePage)
    data = page.value(row)
    return data if data is None or decode is Decode.RAW else codec.value(data)


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
    if decode is Decode.RAW and gives_payload(codec) and _only_units(located):
        return [_owned(payloads[unit]) for unit in located.unit.tolist()]
    if isinstance(codec, ByteCodec) and _are_short(codec, located):
        return _short_entries(codec, located, payloads, decode)
    decoder = _decoder(codec, decode)
    out: list[object] = [None] * located.n
    shapes = located.shape.tolist()
    nulls = located.null.tolist()
    units = located.unit.tolist()
    if isinstance(codec, ByteCodec) and (located.n_rows > 1).any():
        units = _place_short(codec, located, payloads, decode, out)
    for i, unit in enumerate(units):
        if unit >= 0 and not nulls[i]:
            out[i] = decoder(payloads[unit], tuple(shapes[i]))
    for i, parted in located.parted.items():
        out[i] = decoder(joined(parted, payloads), tuple(shapes[i]))
    for rows, constant in located.constants:
        for i in rows.tolist():
            out[i] = _constant_value(codec, constant, decode)
    return out


def _only_units(located: Located) -> bool:
    """Whether every row is a payload that is there, in one part."""
    unit = located.unit
    return bool(len(unit) and unit.min() >= 0) and not located.null.any()


def _are_short(codec: ByteCodec, located: Located) -> bool:
    """Whether no row is None and all are little together, so that copies of them are too."""
    nbytes = located.units.nbytes * (1 if codec.compression == "none" else _UNPACKED_RATIO)
    return nbytes <= _SHORT_BYTES and _only_units(located) and not located.bitmap.any()


def _short_entries(
    codec: ByteCodec, located: Located, payloads: Sequence[Buffer], decode: Decode
) -> list[object]:
    """Rows of which none is None: all pages at once, or where few are wanted those alone."""
    n_rows, unit, row = located.n_rows, located.unit, located.row
    if _FEW_OF_A_PAGE * located.n < n_rows.sum():
        found = codec.picked(payloads, n_rows.tolist(), unit.tolist(), row.tolist())
        return found if decode is Decode.RAW else list(map(codec.value, found))  # type: ignore[return-value]
    read = codec.rows_of_pages if decode is Decode.RAW else codec.values_of_pages
    values = read(payloads, n_rows)
    at = (np.cumsum(n_rows) - n_rows)[unit] + row
    first = at.item(0)
    if (at[1:] == at[:-1] + 1).all():
        return list(values[first : first + located.n])
    return [values[i] for i in at.tolist()]


def _place_short(
    codec: ByteCodec,
    located: Located,
    payloads: Sequence[Buffer],
    decode: Decode,
    out: list[object],
) -> list[int]:
    """Put the rows of pages in their places; returns the units of the other rows, -1 for these."""
    paged = (located.unit >= 0) & (located.n_rows[located.unit] > 1) & ~located.null
    unit = np.where(paged, located.unit, -1)
    for number, rows in units_with_rows(unit):
        page = codec.read_page(
            payloads[number], located.n_rows.item(number), located.bitmap.item(number)
        )
        values = _short_values(codec, page, located.row[rows].tolist(), decode)
        first = rows.item(0)
        if rows.item(-1) - first + 1 == len(values):
            out[first : first + len(values)] = values
        else:
            for i, value in zip(rows.tolist(), values, strict=True):
                out[i] = value
    return np.where(paged, -1, located.unit).tolist()  # type: ignore[no-any-return]


def _short_values(
    codec: ByteCodec, page: BytePage, rows: list[int], decode: Decode
) -> Sequence[object]:
    """Some rows of a page: one by one where they are few, else out of all."""
    if _FEW_OF_A_PAGE * len(rows) < page.n_rows:
        return [paged_value(codec, page, row, decode) for row in rows]
    values = page.values() if decode is Decode.RAW else codec.all_values(page)
    n = len(rows)
    if rows[-1] - rows[0] + 1 == n and rows == list(range(rows[0], rows[0] + n)):
        return values[rows[0] : rows[0] + n]
    return [values[row] for row in rows]


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
) -> FixedRows | ByteRows | list[Encoded | None]:
    """The rows as they are stored, for packing them anew: nothing is decoded but pages."""
    if isinstance(codec, FixedCodec):
        return fixed_rows(codec, located, payloads)
    if isinstance(codec, ByteCodec):
        values: list[Any] = _entries(codec, located, payloads, Decode.RAW)
        missing = [i for i, value in enumerate(values) if value is None]
        return ByteRows([b"" if value is None else value for value in values], missing)
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
    if _are_plain(codec, located):
        return FixedRows(_plain_rows(codec, located, payloads), None)
    array = np.zeros((located.n, *codec.row_shape), codec.dtype)
    valid = np.ones(located.n, bool)
    for unit, rows in units_with_rows(located.unit):
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


def _are_plain(codec: FixedCodec, located: Located) -> bool:
    """Whether all rows are in pages that are nothing but rows."""
    if codec.compression == "zstd" or not codec.row_nbytes or not located.n:
        return False
    if located.unit.min() < 0 or located.bitmap.any():
        return False
    return bool((located.units.length == located.n_rows * codec.row_nbytes).all())


def _plain_rows(codec: FixedCodec, located: Located, payloads: Sequence[Buffer]) -> Any:
    """Page by page Python would take longer than the bytes do."""
    rows = codec.join_pages(payloads)
    at = (np.cumsum(located.n_rows) - located.n_rows)[located.unit] + located.row
    first, n = at.item(0), located.n
    if at.item(-1) - first + 1 == n and 2 * n >= len(rows) and (at[1:] == at[:-1] + 1).all():
        return rows[first : first + n]
    return rows[at]


def _place(row: FixedRows, at: Any, array: Any, valid: Any) -> None:
    array[at] = row.array[0]
    valid[at] = row.valid is None or row.valid[0]


def units_with_rows(unit: Ids) -> list[tuple[int, Any]]:
    """Each page wanted, with the rows it serves: a slice where they are neighbours."""
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
