"""Which codec a column type has."""

from __future__ import annotations

import functools

from aiolake.codecs.base import EntryCodec
from aiolake.codecs.dtypes import dtype_of
from aiolake.codecs.fixed import FixedCodec
from aiolake.codecs.fixed_text import FixedTextCodec, fixed_text_codec
from aiolake.codecs.geometry import BoxCodec, KeypointsCodec
from aiolake.codecs.image import ImageCodec
from aiolake.codecs.label import label_codec
from aiolake.codecs.link import LinkCodec
from aiolake.codecs.mask import MaskCodec
from aiolake.codecs.picture import Reading
from aiolake.codecs.sequence import sequence_codec
from aiolake.codecs.tensor import TensorCodec
from aiolake.codecs.text import BytesCodec, JsonCodec, TextCodec
from aiolake.types import (
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
    Sequence,
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
        case Image():
            reading = Reading(type.orientation == "exif", type.mode)
            return ImageCodec(type.format, type.quality, reading)
        case Text():
            return _text_codec(type)
        case Json(compression=compression):
            return JsonCodec(compression)
        case Bytes(compression=compression):
            return BytesCodec(compression)
        case Sequence(of=of):
            return sequence_codec(codec_of(of))
        case Link(of=of):
            return LinkCodec(codec_of(of))
        case BBox():
            return BoxCodec(type)
        case Mask():
            return MaskCodec(type)
        case Keypoints():
            return KeypointsCodec(type)
        case Video(rate=rate):
            from aiolake.codecs.media.video import VideoCodec

            return VideoCodec(rate)
        case Audio(sample_rate=sample_rate, format=format):
            from aiolake.codecs.media.audio import AudioCodec

            return AudioCodec(sample_rate, format)


def _text_codec(type: Text) -> FixedTextCodec | TextCodec:
    if type.max_bytes is None:
        return TextCodec(type.compression)
    return fixed_text_codec(type.max_bytes, type.compression)


def _tensor_codec(type: Tensor) -> FixedCodec | TensorCodec:
    dtype = dtype_of(type.dtype)
    if is_fixed(type):
        row_shape = tuple(size for size in type.shape if size is not None)
        return FixedCodec(dtype, row_shape, type.compression)
    return TensorCodec(dtype, type.shape, type.compression)
