"""Ragged arrays: one entry a sample, its shape beside its bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs import zstd
from aiolake.codecs.base import Buffer, Encoded
from aiolake.codecs.convert import bytes_of, to_array
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Compression

__all__ = ["TensorCodec"]

MAX_SIZE = 1 << 32


@dataclass(frozen=True, slots=True)
class TensorCodec:
    """A codec of arrays with ragged dimensions: little-endian values in C order.

    Attributes:
        dtype: Little-endian.
        shape: What a sample's shape must be; ``None`` is any size.
        compression: Of each sample.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    compression: Compression = "none"

    @property
    def ndim(self) -> int:
        """The rank."""
        return len(self.shape)

    @property
    def decodes_to_view(self) -> bool:
        """Whether decoding costs next to nothing, whatever the size."""
        return self.compression == "none"

    def encode(self, value: object) -> Encoded:
        """An array, a scalar or nested lists; the payload may be a view of the array given."""
        array = to_array(value, self.dtype)
        if not self._fits(array.shape):
            raise InvalidInputError(
                f"expected {self.dtype.name} of shape {_shown(self.shape)}, got shape "
                f"{_shown(array.shape)}"
            )
        if max(array.shape, default=0) >= MAX_SIZE:
            raise InvalidInputError(
                f"a dimension of a ragged sample is below 2**32, got shape {_shown(array.shape)}"
            )
        payload = bytes_of(array)
        if self.compression == "zstd":
            return Encoded(zstd.compress(payload), array.shape)
        return Encoded(payload, array.shape)

    def decode(self, payload: Buffer, shape: tuple[int, ...]) -> NDArray[Any]:
        """A read-only array, a view of ``payload`` where that is not compressed and aligned."""
        if not self._fits(shape):
            raise FormatError(f"a sample of shape {_shown(shape)} is not {_shown(self.shape)}")
        expected = math.prod(shape) * self.dtype.itemsize
        data = zstd.decompress(payload, expected) if self.compression == "zstd" else payload
        if len(data) != expected:
            raise FormatError(
                f"{self.dtype.name} of shape {shape} takes {expected} bytes, not {len(data)}"
            )
        flat = np.frombuffer(data, self.dtype) if expected else np.empty(0, self.dtype)
        array = flat.reshape(shape)
        array = array if array.flags.aligned else array.copy()
        array.flags.writeable = False
        return array

    def raw(self, payload: Buffer, shape: tuple[int, ...]) -> NDArray[Any]:
        """As ``decode``: an array is its own raw form."""
        return self.decode(payload, shape)

    def _fits(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == len(self.shape) and all(
            want is None or want == have for want, have in zip(self.shape, shape, strict=True)
        )


def _shown(shape: tuple[int | None, ...]) -> str:
    inner = ", ".join("None" if size is None else str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"
