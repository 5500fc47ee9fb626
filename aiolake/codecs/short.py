"""Values of varying size: one by one, or many short ones to a page.

A page of k values is the end of each (u16, counted from the first value's start), the values one
after another, and a validity bitmap where one of them is None; all of it one zstd frame if the
column is compressed. A value that stands alone is its bytes, compressed likewise.

Source: docs/spec/v1.md, "Pages of short values".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.codecs import zstd
from aiolake.codecs.base import Buffer, Encoded
from aiolake.codecs.pages import cut_bytes, pick_rows, split_pages
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Compression

__all__ = ["MAX_PAGE_NBYTES", "ByteCodec", "BytePage", "ByteRows"]

MAX_PAGE_NBYTES = 0xFFFF
_END = struct.Struct("<H")
_ENDS = struct.Struct("<HH")


class ByteRows(msgspec.Struct, frozen=True, eq=False):
    """Encoded values, not compressed.

    Attributes:
        values: The bytes of each row, ``b""`` where it is None.
        missing: The rows that are None, ascending.
    """

    values: list[bytes]
    missing: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.values)


class BytePage:
    """The values of one page, found when they are asked for.

    Args:
        data: The page, not compressed.
        n_rows: Values in it.
        has_nulls: It ends in a validity bitmap.

    Raises:
        FormatError: It is not as long as its own table says.
    """

    __slots__ = ("_at", "_bits", "_data", "_last", "n_rows", "nbytes")

    def __init__(self, data: Buffer, n_rows: int, has_nulls: bool) -> None:
        self._data = data if isinstance(data, bytes) else bytes(data)
        self.n_rows = n_rows
        self.nbytes = len(data)
        self._at = _END.size * n_rows
        n_bits = (n_rows + 7) // 8 if has_nulls else 0
        if not n_rows or self._at > self.nbytes:
            raise FormatError(f"a page of {n_rows} short values is {self.nbytes} bytes long")
        (self._last,) = _END.unpack_from(self._data, self._at - _END.size)
        if self._at + self._last + n_bits != self.nbytes:
            raise FormatError(
                f"a page of {n_rows} values of {self._last} bytes is {self.nbytes} bytes long"
            )
        self._bits = self._at + self._last if has_nulls else 0

    def value(self, i: int) -> bytes | None:
        """The bytes of row ``i``; ``None`` for a None."""
        data = self._data
        if self._bits and not data[self._bits + (i >> 3)] >> (i & 7) & 1:
            return None
        if i:
            start, stop = _ENDS.unpack_from(data, _END.size * (i - 1))
        else:
            start, (stop,) = 0, _END.unpack_from(data, 0)
        if not start <= stop <= self._last:
            raise FormatError("the values of a page overlap")
        return data[self._at + start : self._at + stop]

    def ends(self) -> list[int]:
        """Where each value ends in ``content()``."""
        ends = np.frombuffer(self._data, "<u2", self.n_rows)
        if (ends[1:] < ends[:-1]).any():
            raise FormatError("the values of a page overlap")
        found: list[int] = ends.tolist()
        return found

    def content(self) -> bytes:
        """All values, one after another."""
        return self._data[self._at : self._at + self._last]

    def missing(self) -> list[int]:
        """The rows that are None."""
        if not self._bits:
            return []
        bits = np.frombuffer(self._data, np.uint8, offset=self._bits)
        valid = np.unpackbits(bits, count=self.n_rows, bitorder="little")
        found: list[int] = np.flatnonzero(valid == 0).tolist()
        return found

    def check_nulls(self) -> None:
        """Refuse a page in which a None has bytes.

        Raises:
            FormatError: One has.
        """
        ends, missing = [0, *self.ends()], self.missing()
        if any(ends[i] != ends[i + 1] for i in missing):
            raise FormatError("a null of a page of short values has bytes")

    def values(self) -> list[bytes | None]:
        """The bytes of every row; ``None`` for a None."""
        content, ends = self.content(), self.ends()
        found: list[bytes | None] = [
            content[start:stop] for start, stop in zip((0, *ends), ends, strict=False)
        ]
        for i in self.missing():
            found[i] = None
        return found


@dataclass(frozen=True, slots=True)
class ByteCodec:
    """A codec of values that are bytes of varying size. Pure and safe to use from any thread.

    Attributes:
        compression: Of each page, or of each value that stands alone.
    """

    compression: Compression = "none"
    in_bulk: ClassVar[bool] = True
    """Many values are decoded in hardly more time than their bytes take."""

    @property
    def ndim(self) -> int:
        """0: there is no shape."""
        return 0

    def plain(self, value: object) -> bytes:
        """The bytes of a value (not ``None``).

        Raises:
            InvalidInputError: The value is not of the column's type.
        """
        raise NotImplementedError

    def value(self, data: bytes) -> object:
        """What users read for a value's bytes.

        Raises:
            FormatError: They are not what ``plain`` makes.
        """
        return data

    def encode(self, value: object) -> Encoded:
        """One value, as it is stored alone."""
        return Encoded(self.packed(self.plain(value)), ())

    def decode(self, payload: Buffer, shape: tuple[int, ...] = ()) -> object:
        """The value of a payload that stands alone."""
        return self.value(self._unpacked(payload))

    def raw(self, payload: Buffer, shape: tuple[int, ...] = ()) -> bytes:
        """The bytes of a payload that stands alone."""
        return self._unpacked(payload)

    def packed(self, data: bytes) -> bytes:
        """A value's bytes as they are stored alone."""
        return zstd.compress(data) if self.compression == "zstd" else data

    def _unpacked(self, payload: Buffer) -> bytes:
        return zstd.decompress(payload) if self.compression == "zstd" else bytes(payload)

    def _all_unpacked(self, payloads: Sequence[Buffer]) -> list[bytes]:
        if self.compression == "zstd":
            return list(map(zstd.decompress, payloads))
        return [data if type(data) is bytes else bytes(data) for data in payloads]

    def encode_rows(self, values: Iterable[object]) -> ByteRows:
        """The bytes of many values.

        Raises:
            InvalidInputError: A value is refused; ``row`` is its index in ``values``.
        """
        found: list[bytes] = []
        missing: list[int] = []
        plain = self.plain
        try:
            for value in values:
                if value is None:
                    missing.append(len(found))
                    found.append(b"")
                else:
                    found.append(plain(value))
        except InvalidInputError as error:
            raise InvalidInputError(error.message, row=len(found)) from error
        return ByteRows(found, missing)

    def page_payload(self, rows: ByteRows) -> bytes:
        """A page of rows whose values take at most ``MAX_PAGE_NBYTES`` together.

        It ends in a bitmap if one of them is None, which is kept beside it.
        """
        n = len(rows)
        ends = np.fromiter(accumulate(map(len, rows.values)), "<u2", n)
        page = b"".join((ends.tobytes(), *rows.values, _bitmap(n, rows.missing)))
        return self.packed(page)

    def read_page(self, payload: Buffer, n_rows: int, has_nulls: bool) -> BytePage:
        """A page's values.

        Raises:
            FormatError: It is no page of so many.
        """
        return BytePage(self._unpacked(payload), n_rows, has_nulls)

    def picked(
        self,
        payloads: Sequence[Buffer],
        n_rows: Sequence[int],
        of: Sequence[int],
        rows: Sequence[int],
    ) -> list[bytes]:
        """The bytes of a few rows of pages without Nones; see ``pages.pick_rows``."""
        return pick_rows(self._all_unpacked(payloads), n_rows, of, rows)

    def rows_of_pages(
        self, payloads: Sequence[Buffer], n_rows: npt.NDArray[np.int64]
    ) -> Sequence[bytes]:
        """The bytes of all rows of pages without Nones; see ``pages.split_pages``."""
        unpacked = self._all_unpacked(payloads)
        return unpacked if (n_rows == 1).all() else cut_bytes(*split_pages(unpacked, n_rows))

    def values_of_pages(
        self, payloads: Sequence[Buffer], n_rows: npt.NDArray[np.int64]
    ) -> Sequence[object]:
        """What users read for all rows of pages without Nones."""
        rows = self.rows_of_pages(payloads, n_rows)
        is_read_as_stored = type(self).value is ByteCodec.value
        return rows if is_read_as_stored else list(map(self.value, rows))

    def all_values(self, page: BytePage) -> list[object]:
        """What users read for each row of a page."""
        value = self.value
        return [None if data is None else value(data) for data in page.values()]


def _bitmap(n: int, missing: Sequence[int]) -> bytes:
    if not missing:
        return b""
    valid = np.ones(n, bool)
    valid[list(missing)] = False
    return np.packbits(valid, bitorder="little").tobytes()
