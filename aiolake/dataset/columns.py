"""Columns and metadata: as given, and as a transaction changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from aiolake.chunks.write import Target, constant_of
from aiolake.errors import InvalidInputError
from aiolake.format.entry import Description
from aiolake.types import (
    Column,
    ColumnType,
    Constant,
    Json,
    Schema,
    check_column_names,
    parse_schema,
    summary,
)
from aiolake.versions.delta import REMOVED, NewColumn

__all__ = ["ROW_METADATA", "ColumnChanges", "check_metadata", "describe"]

ROW_METADATA = "_metadata"
"""The name under which rows' metadata are given and read."""


class ColumnChanges:
    """The columns as a transaction has changed them so far; ids below 0 are provisional.

    Args:
        description: Those of the base.

    Attributes:
        targets: The columns as they are now, by name, in order.
        metadata: Changes of the dataset's metadata; ``REMOVED`` takes a key away.
        column_metadata: Likewise of columns, by column id and key.
    """

    def __init__(self, description: Description) -> None:
        self.targets = {
            column.name: _target(column, description) for column in description.schema.columns
        }
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
        if target.optional:
            raise InvalidInputError(f"{old!r} is the rows' metadata; it keeps its name", column=old)
        if new in self.targets:
            raise InvalidInputError(f"there is a column {new!r} already", column=new)
        names = [new if name == old else name for name in self.targets]
        check_column_names(names)
        self.targets = {
            (new if name == old else name): (
                msgspec.structs.replace(t, name=new) if name == old else t
            )
            for name, t in self.targets.items()
        }
        self._renamed[target.id] = new

    def drop(self, name: str) -> None:
        """Remove a column."""
        target = self.find(name)
        if target.is_key or target.optional:
            what = "the key" if target.is_key else "the rows' metadata"
            raise InvalidInputError(
                f"{name!r} is {what} of this dataset and cannot be dropped; copy the other "
                "columns into a dataset without it",
                column=name,
            )
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


def _target(column: Column, description: Description) -> Target:
    return Target(
        column.id,
        column.name,
        column.type,
        is_key=column.id == description.key,
        optional=column.id == description.row_metadata,
    )


def describe(
    columns: Mapping[str, ColumnType | type],
    *,
    metadata: Mapping[str, Any] | None = None,
    column_metadata: Mapping[str, Mapping[str, Any]] | None = None,
    key: str | None = None,
    on_duplicate: str = "refuse",
    row_metadata: bool = False,
) -> Description:
    """What a new dataset is, column ids from 0.

    Raises:
        InvalidInputError: A bad column, a key that none can be, or metadata of no column.
    """
    pairs = list(parse_schema(columns))
    names = [name for name, _ in pairs]
    about = _column_metadata(column_metadata or {}, names)
    if row_metadata:
        if ROW_METADATA in names:
            raise InvalidInputError(
                f"row_metadata=True adds the hidden column {ROW_METADATA!r}; rename yours",
                column=ROW_METADATA,
            )
        pairs.append((ROW_METADATA, Json()))
    schema = Schema(
        tuple(Column(i, name, type, about.get(name, {})) for i, (name, type) in enumerate(pairs))
    )
    if on_duplicate not in ("refuse", "replace"):
        raise InvalidInputError(f"on_duplicate is 'refuse' or 'replace', got {on_duplicate!r}")
    if key is None and on_duplicate != "refuse":
        raise InvalidInputError("on_duplicate= is for datasets with a key; give key='a column'")
    return Description(
        schema,
        check_metadata(metadata or {}),
        key=None if key is None else _key_id(schema, key, names),
        on_duplicate="replace" if on_duplicate == "replace" else "refuse",
        row_metadata=len(pairs) - 1 if row_metadata else None,
    )


def _column_metadata(
    given: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"column_metadata maps columns to metadata, got {given!r:.80}")
    for name in given:
        if name not in names:
            raise InvalidInputError(
                f"column_metadata is given for {name!r}, which is no column; columns are: "
                f"{', '.join(names)}",
                column=name,
            )
    return {name: check_metadata(values) for name, values in given.items()}


def _key_id(schema: Schema, key: object, names: Sequence[str]) -> int:
    from aiolake.codecs import is_key_type

    if not isinstance(key, str) or key not in names:
        raise InvalidInputError(
            f"key={key!r} is no column; columns are: {', '.join(names)}", column=key
        )
    column = schema[key]
    if not is_key_type(column.type):
        raise InvalidInputError(
            f"column {key!r} is {summary(column.type)}, which cannot be the key: a key is Text, "
            "Bytes or a Tensor of one integer",
            column=key,
        )
    return column.id
