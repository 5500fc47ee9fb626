"""Canonical dtype names as numpy dtypes, and what the range of each is."""

from __future__ import annotations

import functools
import re
import sys
from typing import Any

import numpy as np

from aiolake.dtypes import is_small_dtype

__all__ = ["dtype_of", "int_range", "is_native"]


@functools.cache
def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy dtype of a canonical name, little-endian; ``ml_dtypes`` is loaded when needed."""
    if is_small_dtype(name):
        import ml_dtypes

        small: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return small
    dtype = np.dtype(name)
    return dtype if sys.byteorder == "little" else dtype.newbyteorder("<")


def int_range(name: str) -> tuple[int, int]:
    """The smallest and largest value of an integer dtype, of any width from 2 to 64 bits."""
    bits = int(re.sub(r"\D", "", name))
    return (0, (1 << bits) - 1) if name.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)


def is_native(dtype: np.dtype[Any]) -> bool:
    """Whether numpy itself defines the dtype (``ml_dtypes`` registers its own)."""
    return dtype.isbuiltin != 2
