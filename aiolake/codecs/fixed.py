"""Samples of one size, stored as pages of whole rows.

A page is its rows, little-endian, followed by a validity bitmap (one bit a row, the lowest bit
first) where a row of it is None; all of it one zstd frame if the column is compressed.

Source: docs/spec/v1.md, "Pages".
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs import zstd
from aiolake.codecs.base import Buffer, describe
from aiolake.codecs.convert import bytes_of, to_array
from aiolake.codecs.dtypes import is_native
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Compression

__all__ = ["FixedCodec", "FixedRows", "collate"]

Array: TypeAlias = NDArray[Any]
Valid: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = Sequence[object] | Array


@dataclass(frozen=True, slots=True, eq=False)
class FixedRows:
    """Rows as an array.

    Attributes:
        array: ``(n, *row_shape)``, C-contiguous, of the codec's dtype; rows that are None are zero
            bytes. It may be the caller's own array, or a read-only view of a page.
        valid: ``(n,)``, False where a row is None; ``None`` where no row is.
    """

    array: Array
    valid: Valid | None

    def __len__(self) -> int:
        return len(self.array)

    @property
    def nbytes(self) -> int:
        """Bytes they take in memory."""
        return self.array.nbytes + (0 if self.valid is None else self.valid.nbytes)

    def has_nulls(self, start: int, stop: int) -> bool:
        """Whether one of the rows ``[start, stop)`` is None."""
        return self.valid is not None and not self.valid[start:stop].all()


@dataclass(frozen=True, slots=True)
class FixedCodec:
    """A codec of fixed-shape numeric samples. Pure and safe to use from any thread.

    Attributes:
        dtype: Little-endian.
        row_shape: The shape of one sample.
        compression: Of whole pages.
    """

    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    compression: Compression = "none"

    @property
    def row_nbytes(self) -> int:
        """Bytes of one row, uncompressed; 0 for a shape that holds a 0."""
        return math.prod(self.row_shape) * self.dtype.itemsize

    def encode_rows(self, values: Values) -> FixedRows:
        """Samples as rows; ``None`` and masked rows become invalid.

        An array of the right dtype and shape is taken as it is, without a copy.

        Raises:
            InvalidInputError: A sample is of another shape, or of a dtype that does not convert.
                ``row`` is its index in ``values``; the message leaves the row to the caller.
        """
        present, valid = _split(values)
        try:
            array = self._convert(present)
        except _RowError as error:
            row = error.row if valid is None else int(np.flatnonzero(valid)[error.row])
            raise InvalidInputError(error.message, row=row) from error.__cause__
        return FixedRows(array if valid is None else _scatter(array, valid), valid)

    def page_payload(self, rows: FixedRows, start: int, stop: int) -> Buffer:
        """The page of the rows ``[start, stop)``; uncompressed and without Nones it is a view.

        Whether it holds a bitmap is ``rows.has_nulls(start, stop)``, kept beside the page.
        """
        payload: Buffer = bytes_of(rows.array[start:stop])
        if rows.valid is not None and rows.has_nulls(start, stop):
            bitmap = np.packbits(rows.valid[start:stop], bitorder="little")
            payload = b"".join((payload, bitmap.tobytes()))
        return zstd.compress(payload) if self.compression == "zstd" else payload

    def read_page(self, payload: Buffer, n_rows: int, has_nulls: bool) -> FixedRows:
        """The rows of a page, as a read-only view of ``payload`` where it is not compressed.

        Raises:
            FormatError: The page is not of the size that so many rows take.
        """
        data_nbytes = n_rows * self.row_nbytes
        expected = data_nbytes + ((n_rows + 7) // 8 if has_nulls else 0)
        page = zstd.decompress(payload, expected) if self.compression == "zstd" else payload
        if len(page) != expected:
            raise FormatError(
                f"a page of {n_rows} rows of {self.row_nbytes} bytes is {expected} bytes long, "
                f"not {len(page)}"
            )
        array = self._view(memoryview(page)[:data_nbytes], n_rows)
        return FixedRows(array, _bits(page, data_nbytes, n_rows) if has_nulls else None)

    def join_pages(self, payloads: Sequence[Buffer]) -> Array:
        """The rows of whole uncompressed pages without Nones, one page after another, as a copy."""
        rows = np.frombuffer(bytearray().join(payloads), self.dtype)
        return rows.reshape((-1, *self.row_shape))

    def to_value(self, array: Array, valid: Valid | None, i: int) -> object:
        """Row ``i`` as users read it: None, an array, or a Python bool, int, float or complex.

        Times and ``ml_dtypes`` scalars are numpy's own; arrays are views of ``array``.
        """
        if valid is not None and not valid[i]:
            return None
        value = array[i]
        if not self.row_shape and is_native(self.dtype) and self.dtype.kind in "biufc":
            return value.item()
        return value

    def batch(self, rows: FixedRows) -> Array:
        """Rows as a batch holds them: an array, masked where a row is None."""
        return collate(rows.array, rows.valid)

    def _view(self, data: memoryview, n_rows: int) -> Array:
        flat = np.frombuffer(data, self.dtype) if len(data) else np.empty(0, self.dtype)
        array = flat.reshape((n_rows, *self.row_shape))
        array = array if array.flags.aligned else array.copy()
        array.flags.writeable = False
        return array

    def _convert(self, values: Values) -> Array:
        """All rows at once, or one by one where that fails, to know which row is at fault."""
        if len(values) == 0:
            return np.empty((0, *self.row_shape), self.dtype)
        if _holds_masked(values):
            return self._convert_each(values)
        try:
            array = self._convert_all(values)
            if array.shape == (len(values), *self.row_shape):
                return array
        except InvalidInputError:
            pass
        return self._convert_each(values)

    def _convert_each(self, values: Values) -> Array:
        out = np.zeros((len(values), *self.row_shape), self.dtype)
        for i, value in enumerate(values):
            try:
                out[i] = self._convert_one(value)
            except InvalidInputError as error:
                raise _RowError(error.message, i) from error.__cause__
        return out

    def _convert_all(self, values: Values) -> Array:
        return to_array(values, self.dtype)

    def _convert_one(self, value: object) -> Array:
        row = to_array(value, self.dtype)
        if row.shape != self.row_shape:
            raise InvalidInputError(
                f"expected {self.dtype.name} of shape {self.row_shape}, got shape {row.shape}"
            )
        return row


class _RowError(Exception):
    def __init__(self, message: str, row: int) -> None:
        super().__init__(message)
        self.message = message
        self.row = row


def collate(array: Array, valid: Valid | None) -> Array:
    """The batch of a fixed-shape column: the array itself, masked where a row is None."""
    if valid is None or valid.all():
        return array
    mask = np.zeros(array.shape, bool)
    mask[~valid] = True
    return np.ma.MaskedArray(array, mask)


def _split(values: object) -> tuple[Values, Valid | None]:
    """Values that are there, and which those are (``None``: all)."""
    if hasattr(values, "__array__"):
        array = values if isinstance(values, np.ndarray) else _rows_of(values)
        if array.ndim == 0:
            raise InvalidInputError(f"expected rows, got one value: {describe(values)}")
        if isinstance(array, np.ma.MaskedArray):
            return _split_masked(array)
        if array.dtype != object and array.dtype.kind != "T":  # a StringDType may hold None
            return array, None
        values = list(array)
    if not isinstance(values, Sequence) or isinstance(values, str | bytes | bytearray | memoryview):
        raise InvalidInputError(f"expected a sequence of rows, got {describe(values)}")
    present = [value for value in values if value is not None]
    if len(present) == len(values):
        return values, None
    return present, np.fromiter((value is not None for value in values), bool, len(values))


def _rows_of(values: object) -> Array:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(f"{describe(values)} is no array: {error}") from error


def _split_masked(values: np.ma.MaskedArray[Any, Any]) -> tuple[Values, Valid | None]:
    n_rows = len(values)
    mask = np.ma.getmaskarray(values).reshape(n_rows, math.prod(values.shape[1:]))
    masked = np.asarray(mask.any(axis=1))
    partly = np.flatnonzero(masked & ~mask.all(axis=1))
    if len(partly):
        raise InvalidInputError(
            "a sample is masked in part: fill it, or mask all of it", row=int(partly[0])
        )
    data = np.asarray(values.data)
    if not masked.any():
        return data, None
    valid = np.logical_not(masked)
    return data[valid], valid


def _holds_masked(values: Values) -> bool:
    """Whether a row is a masked array: numpy would stack a list of them without their masks."""
    if isinstance(values, np.ndarray) or "numpy.ma" not in sys.modules:
        return False
    return any(issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, values)))


def _scatter(present: Array, valid: Valid) -> Array:
    out = np.zeros((len(valid), *present.shape[1:]), present.dtype)
    # Through bytes: some ml_dtypes have no zero, and a None is zero bytes in each of them.
    out.view(np.uint8)[...] = 0
    out[valid] = present
    return out


def _bits(page: Buffer, offset: int, n_rows: int) -> Valid:
    bitmap = np.frombuffer(page, np.uint8, offset=offset) if n_rows else np.empty(0, np.uint8)
    return np.unpackbits(bitmap, count=n_rows, bitorder="little").astype(bool)
