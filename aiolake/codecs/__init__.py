"""Bytes and arrays, purely: how the samples of each column type are stored.

``codec_of(type)`` gives a ``FixedCodec`` (pages of rows) or an ``EntryCodec`` (one entry a
sample); a ``ByteCodec`` is one whose short samples lie in pages too. Pillow, simplejpeg and
ml_dtypes are loaded by the first sample that needs them.
"""

from aiolake.codecs.base import (
    Buffer,
    Encoded,
    EntryCodec,
    collate_entries,
    decodes_to_view,
    gives_payload,
)
from aiolake.codecs.convert import without_mask
from aiolake.codecs.fixed import FixedCodec, FixedRows, collate
from aiolake.codecs.geometry import convert_boxes
from aiolake.codecs.keys import (
    MAX_KEY_NBYTES,
    KeyValues,
    encode_keys,
    hash_keys,
    is_key_type,
    key_values,
)
from aiolake.codecs.link import LinkCodec, LinkRows
from aiolake.codecs.references import References
from aiolake.codecs.registry import codec_of
from aiolake.codecs.short import ByteCodec, BytePage, ByteRows
from aiolake.codecs.text import decode_json, encode_json

__all__ = [
    "MAX_KEY_NBYTES",
    "Buffer",
    "ByteCodec",
    "BytePage",
    "ByteRows",
    "Encoded",
    "EntryCodec",
    "FixedCodec",
    "FixedRows",
    "KeyValues",
    "LinkCodec",
    "LinkRows",
    "References",
    "codec_of",
    "collate",
    "collate_entries",
    "convert_boxes",
    "decode_json",
    "decodes_to_view",
    "encode_json",
    "encode_keys",
    "gives_payload",
    "hash_keys",
    "is_key_type",
    "key_values",
    "without_mask",
]
