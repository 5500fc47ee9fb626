"""Which codec a column type has."""

from __future__ import annotations

import functools

from aiolake.codecs.base import EntryCodec
from aiolake.codecs.dtypes import dtype_of
from aiolake.codecs.fixed import FixedCodec
from aiolake.codecs.image import ImageCodec
from aiolake.codecs.label import label_codec
from aiolake.codecs.tensor import TensorCodec
from aiolake.codecs.text import BytesCodec, JsonCodec, TextCodec
from aiolake.types import (
    Audio,
    Bytes,
    ClassLabel,
    ColumnType,
    Embedding,
    Image,
    Json,
    Tensor,
    Text,
    Video,
    is_fixed,
)

__all__ = ["codec_of"]


@functools.lru_cache(maxsize=256)
def codec_of(type: ColumnType) -> FixedCodec | EntryCodec:
    """The codec of a column type: a ``FixedCodec`` exactly where ``is_fixed(type)``."""
    match type:
        case Tensor():
            return _tensor_codec(type)
        case Embedding(n=n, dtype=dtype):
            return FixedCodec(dtype_of(dtype), (n,))
        case ClassLabel(names=names):
            return label_codec(names)
        case Image(format=format, quality=quality):
            return ImageCodec(format, quality)
        case Text(compression=compression):
            return TextCodec(compression)
        case Json(compression=compression):
            return JsonCodec(compression)
        case Bytes(compression=compression):
            return BytesCodec(compression)
        case Video(rate=rate):
            from aiolake.codecs.media.video import VideoCodec

            return VideoCodec(rate)
        case Audio(sample_rate=sample_rate, format=format):
            from aiolake.codecs.media.audio import AudioCodec

            return AudioCodec(sample_rate, format)


def _tensor_codec(type: Tensor) -> FixedCodec | TensorCodec:
    dtype = dtype_of(type.dtype)
    if is_fixed(type):
        row_shape = tuple(size for size in type.shape if size is not None)
        return FixedCodec(dtype, row_shape, type.compression)
    return TensorCodec(dtype, type.shape, type.compression)
