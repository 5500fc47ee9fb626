"""Samples outside the dataset: references in, and what their bytes mean.

Source: docs/spec/v1.md, "References".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.base import Buffer, EntryCodec
from aiolake.codecs.fixed import FixedCodec
from aiolake.codecs.references import References
from aiolake.codecs.tensor import TensorCodec
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import as_reference

__all__ = ["LinkCodec", "LinkRows"]

TO_END = -1


class LinkRows(msgspec.Struct, frozen=True, eq=False):
    """References as columns.

    Attributes:
        objects: The objects referred to, each (url, etag, creds_key), distinct.
        object: int64 (n,), index into ``objects``; -1 for a row that is None.
        offset: int64 (n,).
        length: int64 (n,); -1 is to the object's end.
    """

    objects: tuple[tuple[str, str | None, str | None], ...]
    object: NDArray[np.int64]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.object)


@dataclass(frozen=True, slots=True)
class LinkCodec:
    """A codec of references; what they refer to is decoded by another.

    Attributes:
        of: Decodes the bytes outside.
    """

    of: FixedCodec | EntryCodec

    @property
    def ndim(self) -> int:
        """0: nothing is known of the bytes outside."""
        return 0

    def encode(self, value: object) -> NoReturn:
        """References are encoded as rows: one has no bytes of its own."""
        raise NotImplementedError

    def encode_rows(self, values: Iterable[object]) -> LinkRows:
        """References, or urls; ``None`` for a row without one.

        Raises:
            InvalidInputError: A value is neither; ``row`` is its index in ``values``.
        """
        if isinstance(values, References):
            return _of_one_object(values)
        objects: dict[tuple[str, str | None, str | None], int] = {}
        table: list[tuple[int, int, int]] = []
        try:
            for value in values:
                if value is None:
                    table.append((-1, 0, 0))
                    continue
                it = as_reference(value)
                number = objects.setdefault((it.url, it.etag, it.creds_key), len(objects))
                table.append((number, it.offset, TO_END if it.length is None else it.length))
        except InvalidInputError as error:
            raise InvalidInputError(error.message, row=len(table)) from error
        columns = np.asarray(table, np.int64).reshape(len(table), 3).T
        return LinkRows(tuple(objects), *columns)

    def decode(self, payload: Buffer, shape: tuple[int, ...] = ()) -> object:
        """What users read of the bytes outside.

        Raises:
            FormatError: They are not what the column's type says.
        """
        if isinstance(self.of, FixedCodec):
            page = self.of.read_page(payload, 1, False)
            return self.of.to_value(page.array, page.valid, 0)
        if isinstance(self.of, TensorCodec):
            return self.of.decode(payload, _ragged_shape(self.of, len(payload)))
        return self.of.decode(payload, ())

    def raw(self, payload: Buffer, shape: tuple[int, ...] = ()) -> bytes:
        """The bytes outside, as they are."""
        return bytes(payload)


def _of_one_object(values: References) -> LinkRows:
    source = (values.url, values.etag, values.creds_key)
    return LinkRows((source,), np.zeros(len(values), np.int64), values.offsets, values.lengths)


def _ragged_shape(codec: TensorCodec, nbytes: int) -> tuple[int, ...]:
    """The shape that so many bytes have, its one ragged dimension being what remains."""
    row: Any = math.prod(size for size in codec.shape if size is not None) * codec.dtype.itemsize
    if codec.compression != "none" or not row or nbytes % row:
        raise FormatError(
            f"{nbytes} bytes are no {codec.dtype.name} of shape {codec.shape}: a row has {row}"
        )
    return tuple(nbytes // row if size is None else size for size in codec.shape)
