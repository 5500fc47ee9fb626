"""Column types and the schema: pure values that are JSON on storage.

A type says what a column's samples are. Types are frozen, hashable, checked when made (and when
read from JSON) and know nothing of bytes: ``aiolake.codecs`` does.

Source: docs/spec/v1.md, "Schema".
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeAlias

import msgspec

from aiolake.dtypes import canonical_dtype, dtype_kind, dtype_nbytes
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.keys import check_column_name

if TYPE_CHECKING:
    from aiolake.dtypes import DTypeName

__all__ = [
    "MAX_COLUMNS",
    "Bytes",
    "ClassLabel",
    "Column",
    "ColumnType",
    "Compression",
    "Constant",
    "Embedding",
    "Image",
    "Json",
    "Schema",
    "Tensor",
    "Text",
    "check_column_names",
    "is_fixed",
    "parse_schema",
    "summary",
]

Compression: TypeAlias = Literal["none", "zstd"]

MAX_COLUMNS = 10_000
MAX_NDIM = 32
MAX_ROW_NBYTES = 1 << 62


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3)
    return f" (near: {', '.join(map(repr, close))})" if close else ""


def _check_compression(value: object) -> None:
    if value not in ("none", "zstd"):
        raise InvalidInputError(f"compression is 'none' or 'zstd', got {value!r}")


def _is_int(value: object) -> bool:
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
        _check_compression(self.compression)
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
    """

    format: Literal["jpeg", "png"] = "jpeg"
    quality: int = 95

    def __post_init__(self) -> None:
        if self.format not in ("jpeg", "png"):
            raise InvalidInputError(f"an image's format is 'jpeg' or 'png', got {self.format!r}")
        if not _is_int(self.quality) or not 1 <= self.quality <= 100:
            raise InvalidInputError(f"an image's quality is 1 to 100, got {self.quality!r}")


class ClassLabel(msgspec.Struct, frozen=True, tag_field="type", tag="class_label"):
    """One of some names, stored as its number (int32, so that names can be added later).

    Attributes:
        names: The names in the order of their numbers; distinct, not empty.
    """

    names: tuple[str, ...]

    if TYPE_CHECKING:

        def __init__(self, names: Iterable[str]) -> None: ...

    def __post_init__(self) -> None:
        unordered = isinstance(self.names, str | set | frozenset | Mapping)
        if unordered or not isinstance(self.names, Iterable):
            raise InvalidInputError(
                "label names are a sequence of text in the order of their numbers, as a list; "
                f"got {self.names!r:.200}"
            )
        names = tuple(str(name) if isinstance(name, str) else name for name in self.names)
        if not names:
            raise InvalidInputError("a ClassLabel needs at least one name")
        for name in names:
            _check_label(name)
        if len(set(names)) != len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise InvalidInputError(f"label name {twice!r} occurs twice")
        msgspec.structs.force_setattr(self, "names", names)


def _check_label(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidInputError(f"a label's name is text and not empty, got {name!r}")
    if any("\ud800" <= char <= "\udfff" for char in name):
        raise InvalidInputError(f"label name {name!r} holds a lone surrogate, which is no text")


class _Compressible(msgspec.Struct, frozen=True, tag_field="type"):
    compression: Compression = "none"

    def __post_init__(self) -> None:
        _check_compression(self.compression)


class Text(_Compressible, frozen=True, tag="text"):
    """Unicode text, stored as UTF-8; ``compression`` is ``"none"`` or ``"zstd"`` per sample."""


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


ColumnType: TypeAlias = Tensor | Image | ClassLabel | Text | Json | Bytes | Embedding
"""Every type a column may have; in JSON the field ``type`` tells them apart."""

_TYPES = (Tensor, Image, ClassLabel, Text, Json, Bytes, Embedding)
_PLAIN_TYPES = (Image, Text, Json, Bytes)


def is_fixed(type: ColumnType) -> bool:
    """Whether every sample takes the same number of bytes, and the column is stored as pages."""
    if isinstance(type, Tensor):
        return None not in type.shape
    return isinstance(type, ClassLabel | Embedding)


def summary(type: ColumnType) -> str:
    """A type as a short text for people, long label lists cut."""
    if isinstance(type, ClassLabel) and len(type.names) > 4:
        shown = ", ".join(map(repr, type.names[:3]))
        return f"ClassLabel({shown}, ... {len(type.names):,} names)"
    values = {name: getattr(type, name) for name in type.__struct_fields__}
    if values.get("compression") == "none":
        del values["compression"]
    inner = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return f"{type.__class__.__name__}({inner})"


class Constant(msgspec.Struct, frozen=True, omit_defaults=True):
    """One encoded value that stands for many rows.

    Attributes:
        payload: The stored bytes of a sample, or of one row of a fixed-shape column; ``None`` for
            a null.
        shape: The shape numbers an entry of the column would hold.
    """

    payload: bytes | None = None
    shape: tuple[int, ...] = ()


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column of a snapshot.

    Attributes:
        id: Given at commit from the log-wide counter, never reused; names may change.
        name: ``/`` separates groups.
        type: What its samples are.
        metadata: JSON of the user's.
        default: What rows hold that were appended without knowing the column.
    """

    id: int
    name: str
    type: ColumnType
    # Any: msgspec cannot express a recursive JSON alias.
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    default: Constant = Constant()

    def __post_init__(self) -> None:
        if not _is_int(self.id) or self.id < 0:
            raise InvalidInputError(f"a column's id is not negative, got {self.id!r}")
        check_column_name(self.name)
        if not isinstance(self.type, _TYPES):
            raise InvalidInputError(f"{self.type!r} is no column type", column=self.name)


class Schema(msgspec.Struct, frozen=True, dict=True, repr_omit_defaults=True):
    """The columns of a snapshot, in order; a mapping from name to column.

    Iterating gives names. ``schema["image"].type`` is a column's type.
    """

    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        check_column_names(column.name for column in self.columns)
        if len({column.id for column in self.columns}) != len(self.columns):
            raise InvalidInputError("two columns of the schema have the same id")

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(self._by_name)

    def __getitem__(self, name: str) -> Column:
        column = self._by_name.get(name)
        if column is None:
            raise NotFoundError(self._unknown(name), column=name)
        return column

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self.columns)

    def select(self, names: Iterable[str]) -> Schema:
        """The schema of some columns, in the order named.

        Raises:
            InvalidInputError: An unknown or repeated name; near names are listed.
        """
        if isinstance(names, str):
            raise InvalidInputError(f"columns are a list of names: [{names!r}], not text")
        if not isinstance(names, Iterable):
            raise InvalidInputError(f"columns are a list of names, got {names!r}")
        wanted = tuple(names)
        for name in wanted:
            if not isinstance(name, str) or name not in self._by_name:
                raise InvalidInputError(self._unknown(name), column=name)
        return Schema(tuple(self._by_name[name] for name in wanted))

    def _unknown(self, name: object) -> str:
        near = _near(name, self._by_name) if isinstance(name, str) else ""
        shown = ", ".join(self.names[:10]) + (", ..." if len(self) > 10 else "")
        return f"there is no column {name!r}{near}; columns are: {shown or 'none'}"

    def __repr__(self) -> str:
        inner = ", ".join(f"{column.name}: {summary(column.type)}" for column in self.columns)
        return f"Schema({inner})"

    def __str__(self) -> str:
        width = max((len(name) for name in self.names), default=0)
        return "\n".join(f"{c.name:<{width}}  {summary(c.type)}" for c in self.columns)


def check_column_names(names: Iterable[str]) -> None:
    """Refuse names that cannot stand side by side in one schema.

    Raises:
        InvalidInputError: A malformed or repeated name, a column that is also a group (``a`` beside
            ``a/b``), or more than 10,000 columns.
    """
    seen: set[str] = set()
    for name in names:
        check_column_name(name)
        if name in seen:
            raise InvalidInputError(f"column {name!r} is named twice", column=name)
        seen.add(name)
    if len(seen) > MAX_COLUMNS:
        raise InvalidInputError(f"a dataset has at most {MAX_COLUMNS:,} columns, got {len(seen):,}")
    for name in seen:
        group = next((group for group in _groups(name) if group in seen), None)
        if group is not None:
            raise InvalidInputError(
                f"{group!r} is a column and cannot be the group of {name!r} too", column=name
            )


def _groups(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[:stop]) for stop in range(1, len(parts)))


def parse_schema(columns: Mapping[str, ColumnType | type]) -> tuple[tuple[str, ColumnType], ...]:
    """Check the columns a user wants and return them as pairs of name and type.

    Args:
        columns: Names and types. ``Image``, ``Text``, ``Json`` and ``Bytes`` may be given without
            parentheses.

    Raises:
        InvalidInputError: No columns, a bad name, or something that is no column type.
    """
    if not isinstance(columns, Mapping):
        raise InvalidInputError(f"a schema maps names to column types, got {columns!r}")
    if not columns:
        raise InvalidInputError("a schema needs at least one column, as in {'image': Image()}")
    check_column_names(columns)
    return tuple((name, _parse_type(name, given)) for name, given in columns.items())


def _parse_type(name: str, given: object) -> ColumnType:
    if isinstance(given, _TYPES):
        return given
    for plain in _PLAIN_TYPES:
        if given is plain:
            return plain()
    raise InvalidInputError(
        f"column {name!r}: {given!r} is no column type; use Tensor('float32', (3,)), Image(), "
        "ClassLabel(names), Text(), Json(), Bytes() or Embedding(n)",
        column=name,
    )
