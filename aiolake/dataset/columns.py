"""Columns and metadata: as given, and as a transaction changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiolake.chunks.write import Target, constant_of
from aiolake.errors import InvalidInputError
from aiolake.types import (
    Column,
    ColumnType,
    Constant,
    Schema,
    check_column_names,
    parse_schema,
)
from aiolake.versions.delta import REMOVED, NewColumn

__all__ = ["ColumnChanges", "check_metadata", "schema_of"]


class ColumnChanges:
    """The columns as a transaction has changed them so far; ids below 0 are provisional.

    Args:
        columns: Those of the base.

    Attributes:
        targets: The columns as they are now, by name, in order.
        metadata: Changes of the dataset's metadata; ``REMOVED`` takes a key away.
        column_metadata: Likewise of columns, by column id and key.
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self.targets = {c.name: Target(c.id, c.name, c.type) for c in columns}
        self.metadata: dict[str, Any] = {}
        self.column_metadata: dict[tuple[int, str], Any] = {}
        self._added: dict[int, NewColumn] = {}
        self._renamed: dict[int, str] = {}
        self._dropped: list[int] = []

    @property
    def now(self) -> list[Target]:
        """The columns as they are now, in order."""
        return list(self.targets.values())

    @property
    def added(self) -> tuple[NewColumn, ...]:
        """Columns added that are still there."""
        return tuple(new for id, new in self._added.items() if id not in self._dropped)

    @property
    def renamed(self) -> dict[int, str]:
        """New name by column id, of columns that are still there."""
        return {id: name for id, name in self._renamed.items() if id not in self._dropped}

    @property
    def dropped(self) -> tuple[int, ...]:
        """Ids of the base's columns that were dropped."""
        return tuple(id for id in self._dropped if id >= 0)

    def find(self, name: str) -> Target:
        """The column of a name.

        Raises:
            InvalidInputError: There is none; names those there are.
        """
        target = self.targets.get(name)
        if target is None:
            known = ", ".join(self.targets)
            raise InvalidInputError(f"there is no column {name!r}; there are: {known}", column=name)
        return target

    def add(
        self, name: str, type: ColumnType | type, default: Any, metadata: Mapping[str, Any] | None
    ) -> tuple[Target, Constant]:
        """Add a column; returns it, and what rows hold that do not know it."""
        ((name, parsed),) = parse_schema({name: type})
        if name in self.targets:
            raise InvalidInputError(f"there is a column {name!r} already", column=name)
        check_column_names([*self.targets, name])
        target = Target(-1 - len(self._added), name, parsed)
        constant = constant_of(target, default)
        checked = check_metadata(metadata or {})
        self._added[target.id] = NewColumn(target.id, name, parsed, constant, checked)
        self.targets[name] = target
        return target, constant

    def rename(self, old: str, new: str) -> None:
        """Give a column another name."""
        target = self.find(old)
        if new in self.targets:
            raise InvalidInputError(f"there is a column {new!r} already", column=new)
        names = [new if name == old else name for name in self.targets]
        check_column_names(names)
        self.targets = {
            (new if name == old else name): (Target(t.id, new, t.type) if name == old else t)
            for name, t in self.targets.items()
        }
        self._renamed[target.id] = new

    def drop(self, name: str) -> None:
        """Remove a column."""
        target = self.find(name)
        if len(self.targets) == 1:
            raise InvalidInputError(f"{name!r} is the last column; a dataset has at least one")
        del self.targets[name]
        self._renamed.pop(target.id, None)
        self._dropped.append(target.id)

    def set_metadata(self, values: Mapping[str, Any], column: str | None) -> None:
        """Set or (with ``REMOVED``) remove metadata keys, of the dataset or of a column."""
        if column is None:
            self.metadata.update(values)
            return
        id = self.find(column).id
        self.column_metadata.update({(id, key): value for key, value in values.items()})

    def remove_metadata(self, names: Iterable[str], column: str | None) -> None:
        """Take metadata keys away."""
        self.set_metadata(dict.fromkeys(names, REMOVED), column)


def check_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as it will be stored: text keys, JSON values."""
    from aiolake.codecs import decode_json, encode_json

    if not isinstance(values, Mapping) or not all(isinstance(key, str) and key for key in values):
        raise InvalidInputError("metadata is a mapping of text keys to JSON values")
    stored = {key: decode_json(encode_json(value)) for key, value in values.items()}
    return dict(stored)


def schema_of(columns: Mapping[str, ColumnType | type]) -> Schema:
    """The schema of a new dataset, ids from 0."""
    pairs = parse_schema(columns)
    return Schema(tuple(Column(i, name, type) for i, (name, type) in enumerate(pairs)))
