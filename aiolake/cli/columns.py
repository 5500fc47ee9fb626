"""Column types as the command line takes them: ``image=Image``, ``x=Tensor(float32, (None, 3))``.

A column is a name, ``=`` and a type as Python writes it; names in it need no quotation marks.
Nothing is executed: only the types there are, texts, numbers, tuples and lists are understood.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from typing import Any

from aiolake import types
from aiolake.errors import InvalidInputError
from aiolake.types import ColumnType
from aiolake.types.union import TYPES

__all__ = ["parse_columns", "parse_type"]

_NAMES = {type.__name__: type for type in TYPES}


def parse_columns(given: Iterable[str]) -> dict[str, ColumnType]:
    """The columns that texts like ``name=Type`` mean, in order.

    Raises:
        InvalidInputError: One is not of this form, names no type, or names a column twice.
    """
    columns: dict[str, ColumnType] = {}
    for text in given:
        name, equals, type = text.partition("=")
        if not equals:
            raise InvalidInputError(f"{text!r} is no column; write name=Type, as in image=Image")
        if name in columns:
            raise InvalidInputError(f"column {name!r} is given twice", column=name)
        columns[name] = parse_type(type)
    return columns


def parse_type(text: str) -> ColumnType:
    """The column type a text means.

    Raises:
        InvalidInputError: It means none; says what is known.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidInputError(f"{text!r} is no column type; {_known()}") from error
    made = _made(tree, text)
    ((_, checked),) = types.parse_schema({"column": made})
    return checked


def _made(tree: ast.expr, text: str) -> Any:
    match tree:
        case ast.Name(id=name):
            return _called(name, text)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords):
            named = {_keyword(each, text): _value(each.value, text) for each in keywords}
            return _called(name, text, [_value(each, text) for each in arguments], named)
    raise InvalidInputError(f"{text!r} is no column type; {_known()}")


def _keyword(keyword: ast.keyword, text: str) -> str:
    if keyword.arg is None:
        raise InvalidInputError(f"{text!r} is no column type; {_known()}")
    return keyword.arg


def _value(tree: ast.expr, text: str) -> Any:
    """A literal; a bare name is a type if there is one, else text."""
    match tree:
        case ast.Name(id=name) if name not in _NAMES:
            return name
        case ast.Name() | ast.Call():
            return _made(tree, text)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_value(item, text) for item in items)
        case ast.BinOp(left=ast.Name(id=left), op=ast.Sub(), right=ast.Name(id=right)):
            return f"{left}-{right}"
    try:
        return ast.literal_eval(tree)
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        shown = ast.get_source_segment(text, tree) or text
        raise InvalidInputError(f"{shown!r} in {text!r} is no value; quote texts") from error


def _called(
    name: str, text: str, values: list[Any] | None = None, named: dict[str, Any] | None = None
) -> Any:
    type = _NAMES.get(name)
    if type is None:
        near = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InvalidInputError(f"there is no column type {name!r}; {hint}{_known()}")
    values = values or []
    if name == "ClassLabel" and values and all(isinstance(value, str) for value in values):
        values = [tuple(values)]
    try:
        return type(*values, **(named or {}))
    except TypeError as error:
        raise InvalidInputError(f"{text!r}: {error}; see help(aiolake.{name})") from error


def _known() -> str:
    return (
        f"types are {', '.join(sorted(_NAMES))}, as in image=Image, "
        "'label=ClassLabel(cat, dog)', 'vector=Embedding(768)', 'x=Tensor(float32, (None, 3))'"
    )
