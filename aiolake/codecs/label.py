"""Class labels: names or numbers in, numbers out."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from aiolake.codecs.base import describe
from aiolake.codecs.convert import to_array
from aiolake.codecs.dtypes import dtype_of
from aiolake.codecs.fixed import Array, FixedCodec, Values
from aiolake.errors import InvalidInputError

__all__ = ["LABEL_DTYPE", "LabelCodec", "label_codec"]

LABEL_DTYPE = "int32"
SHOWN_NAMES = 10


@dataclass(frozen=True, slots=True)
class LabelCodec(FixedCodec):
    """A page codec that takes labels as names or as numbers (truth values are 0 and 1)."""

    names: tuple[str, ...] = ()
    by_name: Mapping[str, int] = field(default_factory=dict, compare=False)

    def _convert_all(self, values: Values) -> Array:
        array = to_array(values, self.dtype)
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < len(self.names):
            raise InvalidInputError("a label is out of range")
        return array

    def _convert_one(self, value: object) -> Array:
        return np.asarray(self.number_of(value), self.dtype)

    def number_of(self, value: object) -> int:
        """The number of a label given by name or number.

        Raises:
            InvalidInputError: It is none of the labels.
        """
        if isinstance(value, str):
            number = self.by_name.get(value)
            if number is not None:
                return number
            raise InvalidInputError(f"{value!r} is no label; labels are {self._shown()}")
        number = _as_int(value)
        if number is None:
            raise InvalidInputError(
                f"expected a label's name or number, got {describe(value)}; labels are "
                f"{self._shown()}"
            )
        if not 0 <= number < len(self.names):
            raise InvalidInputError(
                f"label {number} is out of range: 0 to {len(self.names) - 1}, {self._shown()}"
            )
        return number

    def _shown(self) -> str:
        shown = ", ".join(map(repr, self.names[:SHOWN_NAMES]))
        more = len(self.names) - SHOWN_NAMES
        return f"{shown} and {more:,} more" if more > 0 else shown


def label_codec(names: tuple[str, ...]) -> LabelCodec:
    """The codec of a ``ClassLabel`` of these names."""
    by_name = {name: number for number, name in enumerate(names)}
    return LabelCodec(dtype_of(LABEL_DTYPE), (), "none", names, by_name)


def _as_int(value: object) -> int | None:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, numbers.Integral | np.bool_):
        return int(value)
    return None
