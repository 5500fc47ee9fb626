"""Lists of samples of one type as one payload.

Items of fixed shape follow each other as the rows of a page do. Others have a table before them: a
byte that says how wide its lengths are, the lengths, and the items' shape numbers.

Source: docs/spec/v1.md, "Sequences".
"""

from __future__ import annotations

import collections.abc
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.base import Buffer, Encoded, EntryCodec, describe
from aiolake.codecs.fixed import FixedCodec
from aiolake.errors import FormatError, InvalidInputError

__all__ = ["MAX_ITEMS", "ItemsCodec", "RowsCodec", "sequence_codec"]

MAX_ITEMS = (1 << 32) - 1


def sequence_codec(of: FixedCodec | EntryCodec) -> EntryCodec:
    """The codec of lists of what ``of`` encodes."""
    return RowsCodec(of) if isinstance(of, FixedCodec) else ItemsCodec(of)


@dataclass(frozen=True, slots=True)
class RowsCodec:
    """A codec of lists of items of fixed shape."""

    of: FixedCodec

    @property
    def ndim(self) -> int:
        """1: how many items."""
        return 1

    def encode(self, value: object) -> Encoded:
        """A list of items, or an array of them along its first dimension."""
        _check_listed(value, allow_arrays=True)
        try:
            rows = self.of.encode_rows(value)  # type: ignore[arg-type]
        except InvalidInputError as error:
            item = error.context.get("row")
            where = "" if item is None else f"item {item}: "
            raise InvalidInputError(where + error.message) from error
        if rows.valid is not None:
            raise InvalidInputError(_none(int(np.flatnonzero(~rows.valid)[0])))
        n = _check_n(len(rows))
        return Encoded(bytes(self.of.page_payload(rows, 0, n)) if n else b"", (n,))

    def decode(self, payload: Buffer, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of the items, read-only where it is a view of ``payload``."""
        (n,) = shape
        if n:
            return self.of.batch(self.of.read_page(payload, n, False))
        if len(payload):
            raise FormatError(f"a sequence of no items holds {len(payload)} bytes")
        return self.of.batch(self.of.encode_rows([]))

    def raw(self, payload: Buffer, shape: tuple[int, ...]) -> NDArray[Any]:
        """As ``decode``."""
        return self.decode(payload, shape)


@dataclass(frozen=True, slots=True)
class ItemsCodec:
    """A codec of lists of items of any size."""

    of: EntryCodec

    @property
    def ndim(self) -> int:
        """1: how many items."""
        return 1

    def encode(self, value: object) -> Encoded:
        """A list, tuple, other sequence or array of items."""
        items = [self._encode(i, item) for i, item in enumerate(_check_listed(value))]
        n = _check_n(len(items))
        if not n:
            return Encoded(b"", (0,))
        lengths = [len(item.payload) for item in items]
        width = _width(max(lengths))
        shapes = [number for item in items for number in item.shape]
        parts: list[bytes | memoryview] = [
            bytes((width,)),
            np.asarray(lengths, f"<u{width}").tobytes(),
            np.asarray(shapes, "<u4").tobytes(),
        ]
        return Encoded(b"".join([*parts, *(item.payload for item in items)]), (n,))

    def _encode(self, i: int, item: object) -> Encoded:
        if item is None:
            raise InvalidInputError(_none(i))
        try:
            return self.of.encode(item)
        except InvalidInputError as error:
            raise InvalidInputError(f"item {i}: {error.message}") from error

    def decode(self, payload: Buffer, shape: tuple[int, ...]) -> list[object]:
        """The items, decoded."""
        return [self.of.decode(*item) for item in self.split(payload, *shape)]

    def raw(self, payload: Buffer, shape: tuple[int, ...]) -> list[object]:
        """The items as they were given."""
        return [self.of.raw(*item) for item in self.split(payload, *shape)]

    def split(self, payload: Buffer, n: int) -> list[tuple[memoryview, tuple[int, ...]]]:
        """Each item's payload and shape, once the table has been checked against the payload."""
        view = memoryview(payload)
        if not n:
            if len(view):
                raise FormatError(f"a sequence of no items holds {len(view)} bytes")
            return []
        width, ndim = view[0] if len(view) else 0, self.of.ndim
        at = 1 + n * (width + 4 * ndim)
        if width not in (1, 2, 4, 8) or at > len(view):
            raise FormatError(f"a sequence of {n} items has no table in its {len(view)} bytes")
        lengths = np.frombuffer(view[1 : 1 + n * width], f"<u{width}")
        shapes = np.frombuffer(view[1 + n * width : at], "<u4").reshape(n, ndim).tolist()
        # Each is at most len(view), and so is n: the sum cannot overflow.
        if int(lengths.max()) > len(view) or at + int(lengths.sum(dtype=np.uint64)) != len(view):
            raise FormatError(f"the items of a sequence do not make up its {len(view)} bytes")
        found: list[tuple[memoryview, tuple[int, ...]]] = []
        for length, shape in zip(lengths.tolist(), shapes, strict=True):
            found.append((view[at : at + length], tuple(shape)))
            at += length
        return found


def _width(number: int) -> int:
    return next(width for width in (1, 2, 4, 8) if number < 1 << 8 * width)


def _check_n(n: int) -> int:
    if n > MAX_ITEMS:
        raise InvalidInputError(f"a sequence holds less than 2**32 items, got {n}")
    return n


def _none(item: int) -> str:
    return f"item {item} is None: leave it out; only whole rows may be None"


def _check_listed(value: object, *, allow_arrays: bool = False) -> collections.abc.Sequence[object]:
    if isinstance(value, np.ndarray) and value.ndim:
        return value  # type: ignore[return-value]
    if allow_arrays and hasattr(value, "__array__"):
        return value  # type: ignore[return-value]
    text = isinstance(value, str | bytes | bytearray | memoryview)
    if isinstance(value, collections.abc.Sequence) and not text:
        return value
    hint = "[value] for one item" if text or np.isscalar(value) else "list(value)"
    raise InvalidInputError(f"expected a list of items, got {describe(value)}; give {hint}")
