"""Columns of every type and random values for them, as plain data."""

from __future__ import annotations

import functools
import io
import random
import struct
import wave
from typing import Any

import ml_dtypes
import numpy as np
from PIL import Image as Pillow

from aiolake import (
    Audio,
    BBox,
    Bytes,
    ClassLabel,
    ColumnType,
    Embedding,
    Image,
    Json,
    Keypoints,
    Link,
    Mask,
    Reference,
    Sequence,
    Tensor,
    Text,
    Video,
)
from aiolake.codecs.media.video import VideoCodec

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
    "number": Tensor("float64"),
    "whole": Tensor("int16", (), "zstd"),
    "code": Text(max_bytes=6),
    "long code": Text("zstd", max_bytes=40),
    "turned": Image(orientation="exif", mode="RGB"),
    "corners": BBox(dtype="uint16"),
    "parts": BBox("cxcywh", normalized=True, dtype="float16"),
    "mask": Mask("bool"),
    "classes": Mask("uint8", names=("sky", "sea"), ignore=255),
    "things": Mask("uint16", instances=True),
    "joints": Keypoints(3, skeleton=((0, 1),)),
    "film": Video(rate=5),
    "voice": Audio(sample_rate=8000),
    "words": Sequence(Text()),
    "codes": Sequence(Text(max_bytes=4)),
    "pairs": Sequence(Tensor("float32", (2,), "zstd")),
    "kinds": Sequence(ClassLabel(("a", "b"))),
    "documents": Sequence(Json("zstd")),
    "pictures": Sequence(Image()),
    "outlines": Sequence(Sequence(Tensor("float32", (None, 2)))),
    "cuts": Sequence(Mask("bool")),
    "far": Link(Image()),
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
        case Text(max_bytes=int(n)):
            return rng.choice(["", "a", "éü", "x" * n, "nul\0in"[:n].rstrip("\0")])
        case Text():
            return rng.choice(["", "a", "Zürich \U0001f600", "x" * rng.randrange(900)])
        case Json():
            return rng.choice([{}, [1, 2.5, None], {"é": {"b": [True, "t"]}}, "s", -(1 << 40)])
        case Image():
            return _picture(rng)
        case Bytes():
            return rng.randbytes(rng.choice([0, 1, 10, 900, 7000]))
        case BBox(dtype=dtype):
            numbers = [rng.random() / 4 for _ in range(4 * rng.randrange(4))]
            boxes = np.asarray(numbers).reshape(-1, 4) * (1 if dtype == "float16" else 1000)
            boxes[:, 2:] += boxes[:, :2]
            return boxes.astype(dtype)
        case Mask():
            return _mask(type, rng)
        case Keypoints(n=n):
            return _array("float32", (rng.randrange(3), n or 1, rng.choice([2, 3])), rng)
        case Video():
            return _film(rng.randrange(2))
        case Audio():
            return _voice(rng.randint(1, 30))
        case Sequence(of=of):
            return [_present(of, rng) for _ in range(rng.choice([0, 1, 3]))]
        case Link():
            return _reference(rng)


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


def _mask(type: Mask, rng: random.Random) -> Any:
    shape = rng.randint(0, 9), rng.randint(1, 9), *([rng.randrange(3)] if type.instances else [])
    allowed = [0, 1, 255] if type.names else [0, 1] if type.dtype == "bool" else [0, 7, 65535]
    values = [rng.choice(allowed) for _ in range(int(np.prod(shape)))]
    return np.asarray(values).astype(type.dtype).reshape(shape)


@functools.cache
def _film(seed: int) -> bytes:
    frames = np.random.default_rng(seed).integers(0, 255, (2 + seed, 8, 16, 3), np.uint8)
    return bytes(VideoCodec((5, 1)).encode(frames).payload)


def _voice(n: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{2 * n}h", *range(2 * n)))
    return out.getvalue()


def _reference(rng: random.Random) -> Reference:
    length = rng.choice([None, 0, 10**12])
    etag, creds_key = (rng.choice([None, name]) for name in ('"é"', "ours"))
    url = rng.choice(["file:///far/a.tar", "s3://bucket/of/b.png"])
    return Reference(url, rng.choice([0, 512, 1 << 40]), length, etag, creds_key)


def _picture(rng: random.Random) -> bytes:
    out = io.BytesIO()
    mode = rng.choice(["L", "RGB"])
    size = rng.randint(1, 9), rng.randint(1, 9)
    Pillow.new(mode, size, rng.randrange(250)).save(out, rng.choice(["PNG", "JPEG"]))
    return out.getvalue()


def canonical(value: Any, type: ColumnType) -> Any:
    """A value as something that compares with ``==``, bit for bit: from input, engine or reader."""
    if value is None:
        return None
    if isinstance(type, Text):
        return str(value)
    if isinstance(type, Sequence):
        return [canonical(item, type.of) for item in value]
    if isinstance(type, Link):
        names = "url", "offset", "length", "etag", "creds_key"
        return {name: getattr(value, name) for name in names}
    name = _dtype_of(type)
    if name is None:
        return value
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    array = np.asarray(value)
    if array.dtype.itemsize != dtype.itemsize or array.dtype.kind in "OU":
        array = np.asarray(value, dtype)
    return array.shape, array.tobytes()


def _dtype_of(type: ColumnType) -> str | None:
    if isinstance(type, ClassLabel):
        return "int32"
    if isinstance(type, Keypoints):
        return "float32"
    return type.dtype if isinstance(type, Tensor | Embedding | BBox | Mask) else None


def is_encoded(type: ColumnType) -> bool:
    """Whether samples are compared as they are stored, not as they decode."""
    while isinstance(type, Sequence):
        type = type.of
    return isinstance(type, Image | Video | Audio)
