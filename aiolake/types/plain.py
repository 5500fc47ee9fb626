"""Types of one value or array a row: numbers, pictures, labels, text, JSON, bytes, vectors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, SupportsIndex, TypeAlias

import msgspec

from aiolake.dtypes import canonical_dtype, dtype_kind, dtype_nbytes
from aiolake.errors import InvalidInputError

if TYPE_CHECKING:
    from aiolake.dtypes import DTypeName

__all__ = [
    "Bytes",
    "ClassLabel",
    "Compression",
    "Embedding",
    "Image",
    "Json",
    "Orientation",
    "PictureMode",
    "Tensor",
    "Text",
    "check_compression",
    "check_names",
    "is_int",
]

Compression: TypeAlias = Literal["none", "zstd"]
Orientation: TypeAlias = Literal["stored", "exif"]
PictureMode: TypeAlias = Literal["L", "RGB", "RGBA"]

MAX_NDIM = 32
MAX_ROW_NBYTES = 1 << 62
MAX_TEXT_BYTES = 4096


def check_compression(value: object) -> None:
    """Refuse anything but the compressions there are."""
    if value not in ("none", "zstd"):
        raise InvalidInputError(f"compression is 'none' or 'zstd', got {value!r}")


def is_int(value: object) -> bool:
    """Whether a value is an ``int`` and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def _check_dimension(size: object) -> int | None:
    if size is None:
        return None
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise InvalidInputError(f"a dimension is a number or None (ragged), got {size!r}")
    number = int(size.__index__())
    if number < 0:
        raise InvalidInputError(f"a dimension is not negative, got {number}; ragged is None")
    return number


def _check_shape(shape: object) -> tuple[int | None, ...]:
    if hasattr(shape, "__index__"):
        return (_check_dimension(shape),)
    if not isinstance(shape, Sequence) or isinstance(shape, str | bytes):
        raise InvalidInputError(f"a shape is a tuple of numbers and None, got {shape!r}")
    if len(shape) > MAX_NDIM:
        raise InvalidInputError(f"a shape has at most {MAX_NDIM} dimensions, got {len(shape)}")
    return tuple(_check_dimension(size) for size in shape)


class Tensor(msgspec.Struct, frozen=True, tag_field="type", tag="tensor"):
    """Numbers, times or truth values of one dtype.

    Attributes:
        dtype: The canonical name; anything numpy-like is accepted and made canonical.
        shape: The shape of one sample; ``None`` is a ragged dimension (the rank is fixed), ``()``
            a scalar.
        compression: ``"zstd"`` compresses pages, or each sample of a ragged column.
    """

    dtype: str
    shape: tuple[int | None, ...] = ()
    compression: Compression = "none"

    if TYPE_CHECKING:

        def __init__(
            self,
            dtype: DTypeName,
            shape: Sequence[SupportsIndex | None] | SupportsIndex = (),
            compression: Compression = "none",
        ) -> None: ...

    def __post_init__(self) -> None:
        name = canonical_dtype(self.dtype)
        shape = _check_shape(self.shape)
        check_compression(self.compression)
        if math.prod(size for size in shape if size is not None) * dtype_nbytes(name) > (
            MAX_ROW_NBYTES
        ):
            raise InvalidInputError(f"a sample of shape {shape} is larger than 2**62 bytes")
        msgspec.structs.force_setattr(self, "dtype", name)
        msgspec.structs.force_setattr(self, "shape", shape)


class Image(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """Pictures. Encoded bytes are kept byte for byte, whatever their format; arrays are encoded.

    Attributes:
        format: What arrays are encoded as.
        quality: Of JPEG encoding, 1 to 100.
        orientation: ``"exif"`` turns and mirrors a picture as its EXIF data say when it is read;
            ``"stored"`` does not.
        mode: What every picture is converted to when it is read: ``"L"`` (gray, 1 channel),
            ``"RGB"`` (3) or ``"RGBA"`` (4), all of uint8; ``None`` leaves each as it is.
    """

    format: Literal["jpeg", "png"] = "jpeg"
    quality: int = 95
    orientation: Orientation = "stored"
    mode: PictureMode | None = None

    def __post_init__(self) -> None:
        if self.format not in ("jpeg", "png"):
            raise InvalidInputError(f"an image's format is 'jpeg' or 'png', got {self.format!r}")
        if not is_int(self.quality) or not 1 <= self.quality <= 100:
            raise InvalidInputError(f"an image's quality is 1 to 100, got {self.quality!r}")
        if self.orientation not in ("stored", "exif"):
            raise InvalidInputError(
                f"an image's orientation is 'stored' or 'exif', got {self.orientation!r}"
            )
        if self.mode not in (None, "L", "RGB", "RGBA"):
            raise InvalidInputError(
                f"an image's mode is 'L', 'RGB', 'RGBA' or None (as it is), got {self.mode!r}"
            )


class ClassLabel(msgspec.Struct, frozen=True, tag_field="type", tag="class_label"):
    """One of some names, stored as its number (int32, so that names can be added later).

    Attributes:
        names: The names in the order of their numbers; distinct, not empty.
    """

    names: tuple[str, ...]

    if TYPE_CHECKING:

        def __init__(self, names: Iterable[str]) -> None: ...

    def __post_init__(self) -> None:
        names = check_names(self.names, "label names")
        if not names:
            raise InvalidInputError("a ClassLabel needs at least one name")
        msgspec.structs.force_setattr(self, "names", names)


def check_names(names: object, what: str) -> tuple[str, ...]:
    """Names of numbers as a tuple: texts, distinct, none of them empty.

    Raises:
        InvalidInputError: They are not.
    """
    unordered = isinstance(names, str | bytes | set | frozenset | Mapping)
    if unordered or not isinstance(names, Iterable):
        raise InvalidInputError(
            f"{what} are a sequence of text in the order of their numbers, as a list; "
            f"got {names!r:.200}"
        )
    found = tuple(str(name) if isinstance(name, str) else name for name in names)
    for name in found:
        _check_name(name)
    if len(set(found)) != len(found):
        twice = next(name for i, name in enumerate(found) if name in found[:i])
        raise InvalidInputError(f"{what}: {twice!r} occurs twice")
    return found


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidInputError(f"a name is text and not empty, got {name!r}")
    if any("\ud800" <= char <= "\udfff" for char in name):
        raise InvalidInputError(f"name {name!r} holds a lone surrogate, which is no text")


class _Compressible(msgspec.Struct, frozen=True, tag_field="type"):
    compression: Compression = "none"

    def __post_init__(self) -> None:
        check_compression(self.compression)


class Text(_Compressible, frozen=True, tag="text"):
    """Unicode text, stored as UTF-8.

    Attributes:
        compression: ``"zstd"`` compresses each sample, or pages of text of fixed size.
        max_bytes: Where given, every row takes so many bytes, many rows to a page, and a batch is
            one array: for codes and short names. 1 to 4,096; texts that need more are refused.
    """

    max_bytes: int | None = None

    def __post_init__(self) -> None:
        check_compression(self.compression)
        n = self.max_bytes
        if n is None:
            return
        index = None if isinstance(n, bool) else getattr(n, "__index__", None)
        if index is None or not 1 <= index() <= MAX_TEXT_BYTES:
            raise InvalidInputError(
                f"a Text's max_bytes is 1 to {MAX_TEXT_BYTES:,}, or None for any length; got {n!r}"
            )
        msgspec.structs.force_setattr(self, "max_bytes", int(index()))


class Json(_Compressible, frozen=True, tag="json"):
    """JSON values, stored as JSON; ``compression`` is ``"none"`` or ``"zstd"`` per sample."""


class Bytes(_Compressible, frozen=True, tag="bytes"):
    """Opaque bytes; ``compression`` is ``"none"`` or ``"zstd"`` per sample."""


class Embedding(msgspec.Struct, frozen=True, tag_field="type", tag="embedding"):
    """Vectors of one length.

    Attributes:
        n: How many numbers a vector has, at least 1.
        dtype: An integer or float dtype.
    """

    n: int
    dtype: str = "float32"

    if TYPE_CHECKING:

        def __init__(self, n: SupportsIndex, dtype: DTypeName = "float32") -> None: ...

    def __post_init__(self) -> None:
        name = canonical_dtype(self.dtype)
        n = None if isinstance(self.n, bool) else getattr(self.n, "__index__", None)
        if n is None or not 1 <= n() <= 1 << 32:
            raise InvalidInputError(f"an Embedding's n is a whole number from 1, got {self.n!r}")
        msgspec.structs.force_setattr(self, "n", n())
        if dtype_kind(name) not in ("i", "u", "f"):
            raise InvalidInputError(f"an Embedding holds integers or floats, not {name}")
        msgspec.structs.force_setattr(self, "dtype", name)
