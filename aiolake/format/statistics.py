"""What a piece's values are like: counts, bounds, and the same for stretches of its rows.

Source: docs/spec/v1.md, "Statistics".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import msgspec

from aiolake.codecs import zstd
from aiolake.errors import FormatError
from aiolake.format.checksum import crc32c

__all__ = [
    "ZONE_ROWS",
    "Bound",
    "Statistics",
    "ZonesRef",
    "decode_zones",
    "encode_zones",
]

ZONE_ROWS = 4096
CUT_MIN, CUT_MAX = 1, 2
_MAX_NBYTES = 1 << 30

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
Bound: TypeAlias = int | float | str
"""A value as JSON says it: times and truth values are integers, infinities texts."""


class ZonesRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the statistics of a piece's zones lie: here, or behind the blocks of its manifest.

    Attributes:
        rows: Rows of each zone; the last is shorter.
        length: Bytes of the table.
        crc: crc32c of the table.
        inline: The table itself.
    """

    rows: Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]
    length: Count = 0
    crc: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0
    inline: bytes | None = None


class Statistics(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of some rows of a column.

    Attributes:
        nulls: Rows that are None.
        nans: Rows that are not a number, or not a time.
        min: No other value is less; ``None`` where that is not known, or there is no other value.
        max: Likewise, greater.
        cut: 1: ``min`` is only a bound below all values, 2: ``max`` one above, 3: both.
        zones: The same for stretches of the rows.
    """

    nulls: Count = 0
    nans: Count = 0
    min: Bound | None = None
    max: Bound | None = None
    cut: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    zones: ZonesRef | None = None


class _Table(msgspec.Struct, frozen=True, omit_defaults=True):
    """Statistics as columns; counts are left out where all are 0."""

    min: tuple[Bound | None, ...]
    max: tuple[Bound | None, ...]
    nulls: tuple[Count, ...] = ()
    nans: tuple[Count, ...] = ()
    cut: tuple[int, ...] = ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Table)


def encode_zones(zones: Sequence[Statistics], rows: int) -> tuple[ZonesRef, bytes]:
    """The table of zones of so many rows each, and the reference to it."""
    table = _Table(
        tuple(zone.min for zone in zones),
        tuple(zone.max for zone in zones),
        _counts([zone.nulls for zone in zones]),
        _counts([zone.nans for zone in zones]),
        _counts([zone.cut for zone in zones]),
    )
    data = zstd.compress(_encoder.encode(table))
    return ZonesRef(rows, len(data), crc32c(data)), data


def _counts(values: list[int]) -> tuple[int, ...]:
    return tuple(values) if any(values) else ()


def decode_zones(data: Any, n_zones: int, where: str) -> tuple[Statistics, ...]:
    """The statistics of each zone of a table (already verified).

    Raises:
        FormatError: It is no table of so many zones.
    """
    try:
        table = _decoder.decode(zstd.decompress(data, at_most=_MAX_NBYTES))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FormatError) as error:
        raise FormatError(f"{where}: no statistics of zones: {error}", key=where) from error
    if len(table.min) != n_zones:
        raise FormatError(f"{where}: statistics of other zones than {n_zones}", key=where)
    none = (0,) * n_zones
    columns = (table.nulls or none, table.nans or none, table.min, table.max, table.cut or none)
    if {len(column) for column in columns} != {n_zones}:
        raise FormatError(f"{where}: statistics of another number of zones", key=where)
    if any(not 0 <= cut <= CUT_MIN | CUT_MAX for cut in table.cut):
        raise FormatError(f"{where}: statistics cut in no known way", key=where)
    return tuple(Statistics(*zone) for zone in zip(*columns, strict=True))
