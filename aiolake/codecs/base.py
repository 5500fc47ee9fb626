"""What the codecs of variable-size samples have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

__all__ = [
    "Buffer",
    "Encoded",
    "EntryCodec",
    "collate_entries",
    "decodes_to_view",
    "describe",
    "gives_payload",
]

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes-like values; a ``memoryview`` is C-contiguous, of format ``B``."""


class Encoded(msgspec.Struct, frozen=True):
    """One sample as it is stored.

    Attributes:
        payload: The bytes. Those of an uncompressed ``Tensor`` are a view of the caller's array:
            copy them before the caller may change it.
        shape: As many numbers as the codec's ``ndim``; they are kept beside the payload.
    """

    payload: bytes | memoryview
    shape: tuple[int, ...]


@runtime_checkable
class EntryCodec(Protocol):
    """A codec of samples that are stored one by one. Pure and safe to use from any thread."""

    @property
    def ndim(self) -> int:
        """How many shape numbers an entry keeps."""
        ...

    def encode(self, value: object) -> Encoded:
        """Turn a sample (not ``None``) into bytes.

        Raises:
            InvalidInputError: The value is not of the column's type; the message says what was
                expected and what was given, and leaves column and row to the caller.
        """
        ...

    def decode(self, payload: Buffer, shape: tuple[int, ...]) -> object:
        """Turn stored bytes into what users read.

        Raises:
            FormatError: The bytes are not what ``encode`` writes.
        """
        ...

    def raw(self, payload: Buffer, shape: tuple[int, ...]) -> object:
        """What ``decode=False`` reads: bytes as the user gave them; a ``Tensor``'s array."""
        ...


def gives_payload(codec: EntryCodec) -> bool:
    """Whether ``raw`` is the payload itself, so that a batch of them needs no call for each."""
    return getattr(codec, "raw_is_payload", False)


def decodes_to_view(codec: object) -> bool:
    """Whether decoding takes next to no time, whatever the size."""
    return getattr(codec, "decodes_to_view", False)


def collate_entries(values: Sequence[object]) -> list[object]:
    """The batch of a variable-size column: a list whatever its samples, ``None`` staying so.

    A batch's form follows the schema, so samples that happen to be alike are not stacked.
    """
    return list(values)


def describe(value: object) -> str:
    """A short text for error messages: type, and dtype and shape or length where there are any."""
    name = type(value).__name__
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is not None and isinstance(shape, tuple):
        return f"{name} of {dtype} with shape {tuple(shape)}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} {name}"
    try:
        shown = repr(value)
    except Exception:  # A user's own, or an integer of more digits than Python prints.
        shown = "..."
    return f"{name} {shown if len(shown) <= 60 else shown[:57] + '...'}"
