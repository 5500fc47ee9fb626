"""Whether stored samples are what their column says, looked at as closely as can be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from aiolake.chunks.assemble import encoded_of, joined, units_with_rows
from aiolake.chunks.extent import Extents
from aiolake.chunks.located import Located
from aiolake.codecs import ByteCodec, EntryCodec, FixedCodec, FixedRows
from aiolake.codecs.sequence import ItemsCodec, RowsCodec
from aiolake.errors import FormatError
from aiolake.stores.base import Buffer
from aiolake.types import (
    Audio,
    ClassLabel,
    ColumnType,
    Constant,
    Keypoints,
    Mask,
    Text,
    Video,
)
from aiolake.types import (
    Sequence as SequenceType,
)

__all__ = ["Fault", "check_constant", "inspected"]

Codec: TypeAlias = FixedCodec | EntryCodec
Fault: TypeAlias = tuple[int, str]
"""The index of a row among those located, and what is wrong with its sample."""


def inspected(
    type: ColumnType,
    codec: Codec,
    located: Located,
    payloads: Sequence[Buffer],
    extents: Extents,
) -> list[Fault]:
    """Decode every sample; those that are sound are counted in ``extents``.

    Args:
        type: Of the column.
        codec: Likewise.
        located: Consecutive rows of one piece.
        payloads: Of each unit; one in parts in place of its first.
        extents: Takes the values, if all of them decode.
    """
    if isinstance(codec, FixedCodec):
        faults = _of_pages(type, codec, located, payloads)
    elif isinstance(codec, ByteCodec):
        faults = _of_short(codec, located, payloads)
    else:
        faults = _of_entries(type, codec, located, payloads)
    faults += _of_nulls(located)
    if not faults and isinstance(codec, FixedCodec | ByteCodec):
        extents.add(encoded_of(codec, located, payloads))  # type: ignore[arg-type]
    elif not faults:
        extents.add_nulls(located.n, int(located.null.sum()))
    return faults


def check_constant(type: ColumnType, codec: Codec, constant: Constant) -> None:
    """Decode a constant.

    Raises:
        FormatError: It is no sample of the column.
    """
    if constant.payload is None:
        return
    if isinstance(codec, FixedCodec):
        _check_rows(type, codec, codec.read_page(constant.payload, 1, False))
    elif len(constant.shape) != codec.ndim:
        raise FormatError(f"a constant has {len(constant.shape)} shape numbers, not {codec.ndim}")
    else:
        _check_entry(type, codec, constant.payload, constant.shape)


def _of_pages(
    type: ColumnType, codec: FixedCodec, located: Located, payloads: Sequence[Buffer]
) -> list[Fault]:
    faults: list[Fault] = []
    pages = [
        (rows[0], payloads[unit], int(located.n_rows[unit]), bool(located.bitmap[unit]))
        for unit, rows in units_with_rows(located.unit)
    ]
    pages += [(i, joined(p, payloads), 1, p.bitmap) for i, p in located.parted.items()]
    for row, payload, n_rows, bitmap in pages:
        try:
            _check_rows(type, codec, codec.read_page(payload, n_rows, bitmap))
        except FormatError as error:
            faults.append((row, error.message))
    return faults


def _of_short(codec: ByteCodec, located: Located, payloads: Sequence[Buffer]) -> list[Fault]:
    faults: list[Fault] = []
    unit = np.where(located.null, -1, located.unit)
    for number, rows in units_with_rows(unit):
        n_rows = located.n_rows.item(number)
        try:
            if n_rows == 1:
                codec.decode(payloads[number])
            else:
                page = codec.read_page(payloads[number], n_rows, located.bitmap.item(number))
                page.check_nulls()
                codec.all_values(page)
        except FormatError as error:
            faults.append((rows[0], error.message))
    for i, parted in located.parted.items():
        try:
            codec.decode(joined(parted, payloads))
        except FormatError as error:
            faults.append((i, error.message))
    return faults


def _of_entries(
    type: ColumnType, codec: EntryCodec, located: Located, payloads: Sequence[Buffer]
) -> list[Fault]:
    faults: list[Fault] = []
    shapes, nulls, units = located.shape.tolist(), located.null, located.unit.tolist()
    for i, unit in enumerate(units):
        if nulls[i]:
            continue
        payload = payloads[unit] if unit >= 0 else joined(located.parted[i], payloads)
        try:
            _check_entry(type, codec, payload, tuple(shapes[i]))
        except FormatError as error:
            faults.append((i, error.message))
    return faults


def _of_nulls(located: Located) -> list[Fault]:
    """Entries of nulls have no bytes and no shape."""
    there = located.null & (located.unit >= 0)
    wrong = there & (located.shape.any(axis=1))
    wrong[there] |= located.units.length[located.unit[there]] > 0
    wrong[[i for i in located.parted if located.null[i]]] = True
    return [(i, "the entry of a null has bytes or a shape") for i in np.flatnonzero(wrong).tolist()]


def _check_rows(type: ColumnType, codec: FixedCodec, rows: FixedRows) -> None:
    """What a page may hold, beyond its size."""
    raw = rows.array.view(np.uint8) if rows.array.size else np.empty(0, np.uint8)
    if rows.valid is not None and raw.size and raw.reshape(len(rows), -1)[~rows.valid].any():
        raise FormatError("the bytes of a null row are not 0")
    if rows.array.dtype == np.bool_ and raw.size and int(raw.max()) > 1:
        raise FormatError(f"a truth value is stored as {int(raw.max())}")
    if isinstance(type, ClassLabel):
        _check_numbers("label", rows.array, len(type.names))
    if isinstance(type, Text):
        codec.batch(rows)


def _check_numbers(what: str, numbers: Any, n: int, beside: int | None = None) -> None:
    """Numbers are indexes into ``n`` names, or ``beside``."""
    wrong = (numbers < 0) | (numbers >= n)
    if beside is not None:
        wrong &= numbers != beside
    if wrong.any():
        raise FormatError(f"{what} {numbers[wrong].flat[0]} has no name: there are {n}")


def _check_entry(type: ColumnType, codec: EntryCodec, payload: Buffer, shape: Any) -> None:
    """Decode one sample; more than its own decoder asks for is asked here."""
    match type:
        case SequenceType(of=of):
            _check_items(of, codec, payload, shape)
        case Video() | Audio():
            from aiolake.codecs.media import checking

            check = checking.check_video if isinstance(type, Video) else checking.check_audio
            check(payload, shape)
        case Mask(names=names, ignore=ignore):
            mask = codec.decode(payload, shape)
            if names:
                _check_numbers("mask number", mask, len(names), ignore)
        case Keypoints() if shape[-1] not in (2, 3):
            raise FormatError(f"a keypoint has 2 or 3 numbers, not {shape[-1]}")
        case _:
            codec.decode(payload, shape)


def _check_items(of: ColumnType, codec: EntryCodec, payload: Buffer, shape: Any) -> None:
    if isinstance(codec, ItemsCodec):
        for item, item_shape in codec.split(payload, *shape):
            _check_entry(of, codec.of, item, item_shape)
    elif isinstance(codec, RowsCodec) and shape[0]:
        _check_rows(of, codec.of, codec.of.read_page(payload, shape[0], False))
    else:
        codec.decode(payload, shape)
