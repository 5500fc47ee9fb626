"""CSV and JSONL tables of values and of paths to files."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.intake.folder import PICTURES
from aiolake.intake.infer import type_of_texts, types_of_rows
from aiolake.intake.source import (
    BadItem,
    Item,
    check_columns_fit,
    check_picture,
    media_columns,
    read_file,
    shown_path,
)
from aiolake.types import ClassLabel, ColumnType, Image, Json, Tensor, Text

__all__ = ["TABLES", "TableReader", "TableSource"]

TABLES = frozenset((".csv", ".tsv", ".jsonl", ".ndjson"))
_SAMPLED_ROWS = 1_000


class TableSource:
    """The lines of a table; paths in it are relative to its folder.

    Args:
        path: A ``.csv`` or ``.tsv`` file whose first line names the columns, or a ``.jsonl`` or
            ``.ndjson`` file with an object on each line. UTF-8, with or without a byte order mark.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._ending = os.path.splitext(path)[1].lower()
        self._columns: list[str] = []
        self._sample: list[Item] = []
        self.n_foreign = 0

    @property
    def what(self) -> str:
        """See ``Source``."""
        return f"the table {shown_path(self._path)}"

    @property
    def identity(self) -> str | None:
        """See ``Source``."""
        return self._path

    @property
    def total(self) -> int | None:
        """See ``Source``."""
        return None

    @property
    def _is_csv(self) -> bool:
        return self._ending in (".csv", ".tsv")

    def scan(self) -> None:
        """See ``Source``: reads the first 1,000 lines.

        Raises:
            NotFoundError: There is no such file.
            InvalidInputError: It has no lines, or bad column names.
        """
        if not os.path.isfile(self._path):
            raise NotFoundError(f"there is no file {shown_path(self._path)!r}")
        try:
            self._sample = list(islice(self.items(), _SAMPLED_ROWS))
        except OSError as error:
            raise InvalidInputError(f"{self.what} cannot be read: {error}") from error
        if not self._is_csv:
            rows = [item.value for item in self._sample if item.error is None]
            self._columns = list(types_of_rows(rows))
        if not self._sample:
            raise InvalidInputError(f"{self.what} holds no rows")
        if not self._columns:
            raise InvalidInputError(
                f"{self.what} holds no object on its first lines: {self._sample[0].name}: "
                f"{self._sample[0].error}"
            )

    def schema(self, given: Mapping[str, ColumnType]) -> dict[str, ColumnType]:
        """See ``Source``: types from the first 1,000 lines; a column of paths to pictures is Image.

        Raises:
            InvalidInputError: A given column is not in the table.
        """
        unknown = [name for name in given if name not in self._columns]
        if unknown:
            raise InvalidInputError(
                f"{self.what} has no column {unknown[0]!r}; it has: {', '.join(self._columns)}",
                column=unknown[0],
            )
        good = [item.value for item in self._sample if item.error is None]
        inferred = _types_of_lines(self._columns, good) if self._is_csv else _types_of_objects(good)
        return {name: given.get(name, inferred[name]) for name in self._columns}

    def reader(
        self, columns: Mapping[str, ColumnType], *, max_file_bytes: int, decode: bool
    ) -> TableReader:
        """See ``Source``."""
        check_columns_fit(columns, self._columns, self.what)
        return TableReader(
            folder=os.path.dirname(self._path),
            columns=dict(columns),
            order=tuple(self._columns) if self._is_csv else None,
            files=tuple(media_columns(columns)),
            max_file_bytes=max_file_bytes,
            decode=decode,
        )

    def items(self) -> Iterator[Item]:
        """See ``Source``."""
        # Bytes that are no UTF-8 come out as surrogates, which no text column takes: the row is
        # bad, not the file.
        with open(self._path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from (self._lines(file) if self._is_csv else _json_lines(file))

    def _lines(self, file: Any) -> Iterator[Item]:
        lines = csv.reader(file, delimiter="\t" if self._ending == ".tsv" else ",", strict=True)
        self._columns = self._checked_names(next(lines, []))
        number = 0
        while True:
            error: str | None = None
            try:
                fields = next(lines)
            except StopIteration:
                return
            except csv.Error as failure:
                fields, error = [], f"no CSV: {failure}"
            if not fields and error is None:
                continue
            if error is None and len(fields) != len(self._columns):
                error = f"{len(fields)} fields, and the table has {len(self._columns)} columns"
            mark = "\x1f".join(fields).encode("utf-8", "surrogatepass")
            yield Item(number, f"line {lines.line_num}", mark, fields, error)
            number += 1

    def _checked_names(self, names: list[str]) -> list[str]:
        if any("\udc80" <= char <= "\udcff" for name in names for char in name):
            raise InvalidInputError(
                f"{self.what}: its first line is not UTF-8; write the table anew as UTF-8, as with "
                "iconv -f UTF-16 (or LATIN1) -t UTF-8"
            )
        if len(set(names)) != len(names) or "" in names:
            raise InvalidInputError(
                f"{self.what}: the first line names the columns, each once; got {names!r:.200}"
            )
        return names


def _json_lines(file: Any) -> Iterator[Item]:
    number = 0
    for at, line in enumerate(file, 1):
        if not line.strip():
            continue
        mark = line.strip().encode("utf-8", "surrogatepass")
        yield Item(number, f"line {at}", mark, *_json_object(line))
        number += 1


def _json_object(line: str) -> tuple[Any, str | None]:
    """The object of a line, and why it has none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return None, f"no JSON: {error}"
    return value, None if isinstance(value, dict) else f"not an object but {value!r:.40}"


def _types_of_lines(names: list[str], lines: list[list[str]]) -> dict[str, ColumnType]:
    columns = list(zip(*lines, strict=True)) if lines else [()] * len(names)
    return {
        name: _media_or(type_of_texts(texts), texts)
        for name, texts in zip(names, columns, strict=True)
    }


def _types_of_objects(rows: list[dict[str, Any]]) -> dict[str, ColumnType]:
    types = types_of_rows(rows)
    return {name: _media_or(type, [row.get(name) for row in rows]) for name, type in types.items()}


def _media_or(type: ColumnType, values: Any) -> ColumnType:
    """Image for texts that all end as names of pictures do."""
    found = [value for value in values if value]
    if not isinstance(type, Text) or not found:
        return type
    ends = (os.path.splitext(value)[1].lower() in PICTURES for value in found)
    return Image() if all(ends) else type


class TableReader(msgspec.Struct, frozen=True, kw_only=True):
    """Turns lines into rows, and reads the files they name; see ``Reader``."""

    folder: str
    columns: dict[str, ColumnType]
    order: tuple[str, ...] | None
    files: tuple[str, ...]
    max_file_bytes: int
    decode: bool = False

    def read(self, item: Item, room: int) -> tuple[dict[str, Any], int]:
        """See ``Reader``."""
        values = self._texts(item.value) if self.order else self._values(item.value)
        row: dict[str, Any] = {}
        nbytes = 0
        for name, type in self.columns.items():
            value = values[name]
            if value is not None and name in self.files:
                value = self._file(name, type, value, room - nbytes)
                nbytes += len(value)
            row[name] = value
        return row, nbytes + len(item.mark)

    def _texts(self, fields: list[str]) -> dict[str, Any]:
        assert self.order is not None
        return {
            name: _value(name, self.columns[name], text)
            for name, text in zip(self.order, fields, strict=True)
        }

    def _values(self, found: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in found if name not in self.columns]
        if unknown:
            raise BadItem(f"unknown column {unknown[0]!r}")
        return {name: found.get(name) for name in self.columns}

    def _file(self, name: str, type: ColumnType, path: Any, room: int) -> bytes:
        if not isinstance(path, str):
            raise BadItem(f"column {name!r}: expected the path of a file, got {path!r:.80}")
        whole = os.path.join(self.folder, path)
        try:
            data = read_file(whole, room, self.max_file_bytes)
            check_picture(type, data, decode=self.decode)
        except BadItem as error:
            raise BadItem(f"column {name!r}, file {shown_path(path)}: {error}") from error
        return data


def _value(name: str, type: ColumnType, text: str) -> Any:
    """The value that a text stands for; an empty one is None, but in a text column."""
    if isinstance(type, Text):
        return text
    if not text:
        return None
    try:
        return _parse(type)(text)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadItem(f"column {name!r}: {text!r:.80} is no {_meant(type)}") from error


@cache
def _parse(type: ColumnType) -> Callable[[str], Any]:
    if isinstance(type, ClassLabel):
        names = frozenset(type.names)
        return lambda text: text if text in names or not text.isdecimal() else int(text)
    if isinstance(type, Tensor) and not type.shape:
        return _scalar(type.dtype)
    if media_columns({"": type}):
        return str
    if isinstance(type, Json):
        return json.loads
    return _json_array


def _scalar(dtype: str) -> Callable[[str], Any]:
    if dtype == "bool":
        return lambda text: {"true": True, "false": False, "1": True, "0": False}[_lower(text)]
    if "int" in dtype:
        return int
    if dtype.startswith("complex"):
        return complex
    if dtype.startswith(("datetime64", "timedelta64")):
        return lambda text: np.asarray(text, dtype)[()]
    return float


def _lower(text: str) -> str:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text.lower()


def _json_array(text: str) -> Any:
    value = json.loads(text)
    return np.asarray(value) if isinstance(value, list) else value


def _meant(type: ColumnType) -> str:
    return type.dtype if isinstance(type, Tensor) else type.__class__.__name__
