"""Masks: truth values as bits, numbers of classes as they are, both zstd frames."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs import pillow, zstd
from aiolake.codecs.base import Buffer, Encoded
from aiolake.codecs.convert import bytes_of, to_array
from aiolake.codecs.dtypes import dtype_of
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Mask

__all__ = ["MaskCodec"]

Array = NDArray[Any]

_MAX_SIZE = 1 << 32


@dataclass(frozen=True, slots=True)
class MaskCodec:
    """A codec of ``(h, w)`` masks, or ``(h, w, n)`` with a mask for each of n instances."""

    type: Mask

    @property
    def ndim(self) -> int:
        """The rank: a sample's shape is kept beside it."""
        return 3 if self.type.instances else 2

    def encode(self, value: object) -> Encoded:
        """A mask.

        Args:
            value: An array or nested lists; or a PNG file as bytes, or a ``PIL.Image``, of gray
                levels or of a palette, whose numbers are taken as they are. For a mask of truth
                values numbers are taken too, if they are 0 and 1, or 0 and 255.
        """
        mask = self._array(value)
        if mask.ndim != self.ndim or max(mask.shape, default=0) >= _MAX_SIZE:
            raise InvalidInputError(self._refusal(mask.shape))
        self._check_numbers(mask)
        if mask.dtype == np.bool_:
            return Encoded(zstd.compress(np.packbits(mask, bitorder="little").data), mask.shape)
        return Encoded(zstd.compress(bytes_of(mask)), mask.shape)

    def decode(self, payload: Buffer, shape: tuple[int, ...]) -> Array:
        """A read-only array of ``shape``."""
        if len(shape) != self.ndim:
            raise FormatError(f"a mask has {self.ndim} dimensions here, not the shape {shape}")
        n, dtype = math.prod(shape), dtype_of(self.type.dtype)
        if dtype == np.bool_:
            flat = _unpacked(zstd.decompress(payload, -(-n // 8)), n)
        else:
            flat = np.frombuffer(zstd.decompress(payload, n * dtype.itemsize), dtype)
        mask = flat.reshape(shape)
        mask.flags.writeable = False
        return mask

    def raw(self, payload: Buffer, shape: tuple[int, ...]) -> Array:
        """As ``decode``: a mask is its own raw form."""
        return self.decode(payload, shape)

    def _array(self, value: object) -> Array:
        dtype = dtype_of(self.type.dtype)
        pixels = _of_picture(value)
        found = value if pixels is None else pixels
        if dtype == np.bool_:
            found = _as_truth(found)
        return to_array(found, dtype)

    def _refusal(self, shape: tuple[int, ...]) -> str:
        if self.type.instances:
            hint = "; give one mask as x[:, :, None]" if len(shape) == 2 else ""
            return f"expected masks of shape (h, w, n), got shape {shape}{hint}"
        hint = "; Mask(instances=True) holds several" if len(shape) == 3 else ""
        return f"expected a mask of shape (h, w), got shape {shape}{hint}"

    def _check_numbers(self, mask: Array) -> None:
        n = len(self.type.names)
        if not n or not mask.size:
            return
        bad = mask >= n
        if self.type.ignore is not None:
            bad &= mask != self.type.ignore
        if bad.any():
            raise InvalidInputError(
                f"class {mask[bad][0]} is out of range: {n} names, 0 to {n - 1}"
                + ("" if self.type.ignore is None else f", and ignore={self.type.ignore}")
            )


def _unpacked(bits: bytes, n: int) -> NDArray[np.bool_]:
    if n % 8 and bits[-1] >> n % 8:
        raise FormatError("a stored mask has bits behind its last pixel")
    packed = np.frombuffer(bits, np.uint8)
    return np.unpackbits(packed, count=n, bitorder="little").view(np.bool_)


def _of_picture(value: object) -> Array | None:
    """The numbers of an encoded or opened picture; ``None`` of anything else."""
    module = sys.modules.get("PIL.Image")
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            return pillow.read_numbers(bytes(value))
        if module is not None and isinstance(value, module.Image):
            return pillow.numbers_of(value)
    except ValueError as error:
        raise InvalidInputError(f"the picture is no mask: {error}") from error
    return None


def _as_truth(value: object) -> object:
    """0 and 1, or 0 and 255, as truth values."""
    array = value if isinstance(value, np.ndarray) else None
    if array is None or array.dtype.kind not in "iu":
        return value
    if not np.isin(array, (0, 1)).all() and not np.isin(array, (0, 255)).all():
        raise InvalidInputError(
            "a mask of truth values holds other numbers than 0 and 1 (or 255); give x > 0, or "
            "declare the column as Mask('uint8')"
        )
    return array != 0
