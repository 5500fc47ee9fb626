"""Columns of every type and random values for them, as plain data."""

from __future__ import annotations

import io
import random
from typing import Any

import ml_dtypes
import numpy as np
from PIL import Image as Pillow

from aiolake import Bytes, ClassLabel, ColumnType, Embedding, Image, Json, Tensor, Text

TYPES: dict[str, ColumnType] = {
    "vector": Tensor("float32", (3,)),
    "flag": Tensor("bool"),
    "packed": Tensor("int64", (2, 2), "zstd"),
    "when": Tensor("datetime64[us]"),
    "span": Tensor("timedelta64[ns]", (2,)),
    "half": Tensor("bfloat16", (2,)),
    "tiny": Tensor("float8_e4m3fn"),
    "phase": Tensor("complex64"),
    "hollow": Tensor("int8", (0, 2)),
    "wide": Tensor("float64", (800,)),
    "boxes": Tensor("uint16", (None, 4)),
    "sound": Tensor("int16", (None,), "zstd"),
    "nibble": Tensor("uint4", (None,)),
    "group/image": Image(),
    "group/label": ClassLabel(("cat", "dog", "grue")),
    "text": Text(),
    "long text": Text("zstd"),
    "facts": Json(),
    "more facts": Json("zstd"),
    "blob": Bytes(),
    "long blob": Bytes("zstd"),
    "embedding": Embedding(5, "float16"),
}


def value_of(type: ColumnType, rng: random.Random, *, null: float = 0.2) -> Any:
    """A random sample, or None."""
    return None if rng.random() < null else _present(type, rng)


def _present(type: ColumnType, rng: random.Random) -> Any:
    match type:
        case Tensor(dtype=dtype, shape=shape):
            return _array(dtype, tuple(rng.randrange(4) if s is None else s for s in shape), rng)
        case Embedding(n=n, dtype=dtype):
            return _array(dtype, (n,), rng)
        case ClassLabel(names=names):
            return rng.randrange(len(names))
        case Text():
            return rng.choice(["", "a", "Zürich \U0001f600", "x" * rng.randrange(900)])
        case Json():
            return rng.choice([{}, [1, 2.5, None], {"é": {"b": [True, "t"]}}, "s", -(1 << 40)])
        case Image():
            return _picture(rng)
        case Bytes():
            return rng.randbytes(rng.choice([0, 1, 10, 900, 7000]))


def _array(dtype: str, shape: tuple[int, ...], rng: random.Random) -> Any:
    n = int(np.prod(shape))
    if hasattr(ml_dtypes, dtype):
        values = np.asarray([rng.randrange(4) for _ in range(n)], np.float32)
        return values.astype(getattr(ml_dtypes, dtype)).reshape(shape)
    if dtype == "bool":
        return np.asarray([rng.random() < 0.5 for _ in range(n)], bool).reshape(shape)
    kind = np.dtype(dtype)
    if kind.kind in "fc":
        return np.asarray([rng.gauss(0, 9) for _ in range(n)]).astype(kind).reshape(shape)
    return np.frombuffer(rng.randbytes(n * kind.itemsize), kind).reshape(shape)


def _picture(rng: random.Random) -> bytes:
    out = io.BytesIO()
    mode = rng.choice(["L", "RGB"])
    size = rng.randint(1, 9), rng.randint(1, 9)
    Pillow.new(mode, size, rng.randrange(250)).save(out, rng.choice(["PNG", "JPEG"]))
    return out.getvalue()


def canonical(value: Any, type: ColumnType) -> Any:
    """A value as something that compares with ``==``, bit for bit: from input, engine or reader."""
    if value is None or not isinstance(type, Tensor | Embedding | ClassLabel):
        return value
    name = "int32" if isinstance(type, ClassLabel) else type.dtype
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    array = np.asarray(value)
    if array.dtype.itemsize != dtype.itemsize or array.dtype.kind in "OU":
        array = np.asarray(value, dtype)
    return array.shape, array.tobytes()
