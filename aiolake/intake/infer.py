"""Column types from values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from aiolake.types import Bytes, ColumnType, Image, Json, Tensor, Text

__all__ = ["type_of_texts", "type_of_values", "types_of_rows"]

_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\x00", b"MM\x00*", b"BM")
_LONGEST_INTEGER = 19


def type_of_texts(texts: Iterable[str]) -> ColumnType:
    """The narrowest type that holds every text of a CSV column: int64, float64, bool or Text.

    Empty ones say nothing. Numbers with leading zeros are text: they are codes, not numbers.
    """
    found = [text for text in texts if text]
    if not found:
        return Text()
    if all(text.lower() in ("true", "false") for text in found):
        return Tensor("bool")
    if any(_is_code(text) for text in found):
        return Text()
    if all(_is_int(text) for text in found):
        return Tensor("int64")
    if all(_is_float(text) for text in found):
        return Tensor("float64")
    return Text()


def _is_code(text: str) -> bool:
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits.isdecimal()


def _is_int(text: str) -> bool:
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST_INTEGER):
        return False
    return -(1 << 63) <= int(text) < 1 << 63


def _is_float(text: str) -> bool:
    if "_" in text or not text.isascii():
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def type_of_values(values: Iterable[Any]) -> ColumnType:
    """The type that holds every value of a column; ``None`` says nothing.

    Whole numbers are int64 and others float64; bytes that begin as a picture does are an Image;
    arrays a Tensor whose dimensions are None where they differ; lists, dicts and mixtures Json.
    """
    found = [value for value in values if value is not None]
    if not found:
        return Text()
    if all(isinstance(value, bool | np.bool_) for value in found):
        return Tensor("bool")
    if all(isinstance(value, np.ndarray) for value in found):
        return _array_type(found)
    if all(isinstance(value, np.generic) for value in found):
        return Tensor(np.result_type(*found).name)
    if any(isinstance(value, bool) for value in found):
        return Json()
    if all(isinstance(value, int) for value in found):
        return Tensor("int64")
    if all(isinstance(value, int | float) for value in found):
        return Tensor("float64")
    if all(isinstance(value, str) for value in found):
        return Text()
    if all(isinstance(value, bytes | bytearray | memoryview) for value in found):
        return Image() if all(_is_picture(value) for value in found) else Bytes()
    if any(value.__class__.__module__.startswith("PIL.") for value in found):
        return Image("png")
    return Json()


def _is_picture(value: Any) -> bool:
    start = bytes(value[:16])
    return start.startswith(_MAGICS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _array_type(arrays: Sequence[Any]) -> ColumnType:
    dtype = np.result_type(*arrays).name
    if len({array.ndim for array in arrays}) > 1:
        return Json()
    sizes = zip(*(array.shape for array in arrays), strict=True)
    return Tensor(dtype, tuple(each[0] if len(set(each)) == 1 else None for each in sizes))


def types_of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, ColumnType]:
    """The columns of rows, in the order they first come in."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: type_of_values(row.get(name) for row in rows) for name in names}
