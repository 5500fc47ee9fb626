"""Text of a fixed size: pages of UTF-8, each row padded with zero bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiolake.codecs.fixed import Array, FixedCodec, FixedRows, Valid, Values, collate
from aiolake.codecs.text import to_utf8
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Compression

__all__ = ["FixedTextCodec", "fixed_text_codec"]


@dataclass(frozen=True, slots=True)
class FixedTextCodec(FixedCodec):
    """A page codec of text: ``str`` a row, an array of numpy's ``U`` a batch."""

    def to_value(self, array: Array, valid: Valid | None, i: int) -> str | None:
        """Row ``i`` as ``str`` or None."""
        if valid is not None and not valid[i]:
            return None
        try:
            return str(array[i], "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"a stored text is not UTF-8: {error}") from error

    def batch(self, rows: FixedRows) -> Array:
        """An array of dtype ``U<max_bytes>``, masked where a row is None."""
        try:
            texts = np.char.decode(rows.array, "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"a stored text is not UTF-8: {error}") from error
        return collate(texts.astype(f"U{self.dtype.itemsize}", copy=False), rows.valid)

    def _convert_all(self, values: Values) -> Array:
        return np.asarray([self._bytes_of(value) for value in values], self.dtype)

    def _convert_one(self, value: object) -> Array:
        return np.asarray(self._bytes_of(value), self.dtype)

    def _bytes_of(self, value: object) -> bytes:
        data = to_utf8(value)
        if len(data) > self.dtype.itemsize:
            raise InvalidInputError(
                f"a text of {len(data)} bytes of UTF-8 is over the column's "
                f"max_bytes={self.dtype.itemsize}; Text() without it holds any length"
            )
        if data.endswith(b"\0"):
            raise InvalidInputError(
                "a text that ends in a NUL character has no fixed size: Text() holds it"
            )
        return data


def fixed_text_codec(max_bytes: int, compression: Compression) -> FixedTextCodec:
    """The codec of a ``Text`` with ``max_bytes``."""
    return FixedTextCodec(np.dtype(f"S{max_bytes}"), (), compression)
