"""``aiolake cat``: one stored value on standard output."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output, is_terminal
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.render.text import as_json, cell, is_encoded, printable
from aiolake.types import ClassLabel, ColumnType, Json, Link, Sequence, Text

__all__ = ["cat"]


async def cat(
    address: str,
    row: Annotated[int, Parameter(allow_leading_hyphen=True)],
    column: str,
    /,
    *,
    links: tuple[str, ...] = (),
    common: Common = DEFAULTS,
) -> Exit:
    """Write one value to standard output: a picture's bytes as stored, text, JSON, numbers.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot).
        row: Which row; a negative number counts from the end.
        column: Which column.
        links: Follow links that begin with this; may be given more than once.
        common: Options of every command.
    """
    async with opened(address, creds=common.creds, links=links) as dataset:
        type = _followed(dataset.schema[column].type)
        found = await dataset.read(row, columns=[column], decode=not is_encoded(type))
    value = found[column]
    if common.json:
        Output(as_json=True).document(as_json(type, value))
    elif value is None:
        raise NotFoundError(f"row {row} of column {column!r} is None; there is nothing to write")
    elif isinstance(value, bytes | bytearray | memoryview):
        _write_bytes(type, bytes(value))
    else:
        _write_text(text_of(type, value))
    return Exit.OK


def _followed(type: ColumnType) -> ColumnType:
    """What a column's values are, where they lie elsewhere too."""
    return type.of if isinstance(type, Link) else type


def text_of(type: ColumnType, value: Any) -> str:
    """A value in full, as text."""
    match type:
        case Text():
            return str(value)
        case Json():
            return json.dumps(value, ensure_ascii=False, indent=2)
        case Sequence():
            return json.dumps(as_json(type, value), ensure_ascii=False, indent=2)
        case ClassLabel():
            return cell(type, value)
    array = np.asarray(value)
    if not array.ndim:
        return str(array[()])
    return np.array2string(array, threshold=sys.maxsize, separator=", ")


def _write_bytes(type: ColumnType, data: bytes) -> None:
    if is_terminal(sys.stdout):
        raise InvalidInputError(
            f"the value is binary ({cell(type, data)}) and this is a terminal; add '> FILE'"
        )
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _write_text(text: str) -> None:
    shown = printable(text, keep="\n\t") if is_terminal(sys.stdout) else text
    print(shown, end="" if shown.endswith("\n") else "\n", flush=True)
