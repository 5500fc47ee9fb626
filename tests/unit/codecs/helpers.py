"""Every dtype name, written out again rather than taken from the package; and narrowed codecs."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from aiolake.codecs import EntryCodec, FixedCodec, codec_of
from aiolake.types import ColumnType

NATIVE = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
    *("datetime64[D]", "datetime64[us]", "datetime64[ns]", "timedelta64[s]"),
]
SMALL = [
    *("bfloat16", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e3m4"),
    *("float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2"),
    *("float8_e5m2fnuz", "float8_e8m0fnu", "int2", "int4", "uint2", "uint4"),
]


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name) if name in SMALL else name)


def fixed(type: ColumnType) -> FixedCodec:
    codec = codec_of(type)
    assert isinstance(codec, FixedCodec)
    return codec


def entry(type: ColumnType) -> EntryCodec:
    codec = codec_of(type)
    assert not isinstance(codec, FixedCodec)
    return codec


@st.composite
def arrays_of_bytes(draw: st.DrawFn, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Any bit pattern of the dtype: NaN payloads, negative zeros, NaT."""
    dtype = numpy_dtype(name)
    size = int(np.prod(shape)) * dtype.itemsize
    data = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8)
    if name == "bool":
        data = data % 2
    return data.copy().view(dtype).reshape(shape)
