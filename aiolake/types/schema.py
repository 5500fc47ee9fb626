"""Columns and the schema they make."""

from __future__ import annotations

import difflib
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from functools import cached_property
from typing import Any

import msgspec

from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.keys import check_column_name
from aiolake.types.plain import is_int
from aiolake.types.union import TYPES, ColumnType, as_type, summary

__all__ = ["MAX_COLUMNS", "Column", "Constant", "Schema", "check_column_names", "parse_schema"]

MAX_COLUMNS = 10_000


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3)
    return f" (near: {', '.join(map(repr, close))})" if close else ""


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
        if not is_int(self.id) or self.id < 0:
            raise InvalidInputError(f"a column's id is not negative, got {self.id!r}")
        check_column_name(self.name)
        if not isinstance(self.type, TYPES):
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

    def keys(self) -> KeysView[str]:
        """The columns' names, in order, as of a dict."""
        return self._by_name.keys()

    def values(self) -> ValuesView[Column]:
        """The columns, in order, as of a dict."""
        return self._by_name.values()

    def items(self) -> ItemsView[str, Column]:
        """Pairs of name and column, in order, as of a dict."""
        return self._by_name.items()

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
        columns: Names and types. Those that need no arguments, such as ``Image`` and ``Text``, may
            be given without parentheses.

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
    type = as_type(given)
    if type is not None:
        return type
    raise InvalidInputError(
        f"column {name!r}: {given!r} is no column type; use Tensor('float32', (3,)), Image(), "
        "ClassLabel(names), Text(), Json(), Bytes(), Embedding(n), Sequence(of), BBox(), Mask(), "
        "Keypoints(), Video() or Audio()",
        column=name,
    )
