"""Keys of rows: which values may be one, and their hashes.

Source: docs/spec/v1.md, "Keys".
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aiolake.codecs.fixed import FixedCodec, FixedRows
from aiolake.codecs.registry import codec_of
from aiolake.codecs.short import ByteCodec, ByteRows
from aiolake.dtypes import dtype_kind
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Bytes, ColumnType, Tensor, Text

__all__ = ["MAX_KEY_NBYTES", "KeyValues", "encode_keys", "hash_keys", "is_key_type", "key_values"]

MAX_KEY_NBYTES = 1024

KeyValues: TypeAlias = "npt.NDArray[Any] | list[bytes]"
"""Integers as an array, or each key's bytes."""
Hash: TypeAlias = npt.NDArray[np.uint64]


def is_key_type(type: ColumnType) -> bool:
    """Whether a column of this type may be the key: text, bytes, or one integer."""
    if isinstance(type, Tensor):
        return type.shape == () and dtype_kind(type.dtype) in ("i", "u")
    return isinstance(type, Text | Bytes)


def key_values(rows: FixedRows | ByteRows) -> KeyValues:
    """The keys that encoded rows of a key column have.

    Raises:
        InvalidInputError: A key is None or too long; ``row`` is its index.
    """
    if isinstance(rows, ByteRows):
        if len(rows.missing):
            raise _no_key(rows.missing[0])
        return _checked(rows.values)
    if rows.valid is not None and not rows.valid.all():
        raise _no_key(int(np.argmin(rows.valid)))
    if rows.array.dtype.kind in "iu":
        return np.asarray(rows.array)
    return _checked(rows.array.tolist())


def _no_key(row: int) -> InvalidInputError:
    return InvalidInputError("a key is None; every row of this dataset has one", row=row)


def _checked(values: list[bytes]) -> list[bytes]:
    for row, value in enumerate(values):
        if len(value) > MAX_KEY_NBYTES:
            raise InvalidInputError(
                f"a key of {len(value):,} bytes is over {MAX_KEY_NBYTES:,}; use a digest of it",
                row=row,
            )
    return values


def encode_keys(type: ColumnType, values: Sequence[object]) -> KeyValues:
    """Keys as users give them.

    Raises:
        InvalidInputError: One is not of the key column's type; ``row`` is its index.
    """
    codec = codec_of(type)
    if not is_key_type(type) or not isinstance(codec, FixedCodec | ByteCodec):
        raise FormatError(f"the key column is stored as {type!r}, whose values are no keys")
    return key_values(codec.encode_rows(values))


def hash_keys(values: KeyValues) -> tuple[Hash, Hash]:
    """The hashes of keys, as two columns."""
    if isinstance(values, np.ndarray):
        low = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64).view(np.uint64)
        return _mixed(low), low
    digests = b"".join(blake2b(value, digest_size=16).digest() for value in values)
    table = np.frombuffer(digests, "<u8").reshape(-1, 2).astype(np.uint64)
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


def _mixed(x: Hash) -> Hash:
    """The finalizer of splitmix64: a bijection, so that integers never collide."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
