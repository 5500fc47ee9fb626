"""Names of the dtypes that are stored. Pure text: numpy is not needed to know a schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from aiolake.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np

    DTypeName: TypeAlias = str | type[Any] | np.dtype[Any]
    """What a user may write for a dtype: ``"float32"``, ``"<f4"``, ``np.float32``, ``float``."""

__all__ = ["canonical_dtype", "dtype_kind", "dtype_nbytes", "is_small_dtype"]

_BY_CODE = {
    "?": "bool", "b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64",
    "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64",
    "f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64", "c16": "complex128",
}  # fmt: skip
_BY_ALIAS = {
    "bool_": "bool", "int": "int64", "float": "float64", "complex": "complex128",
    "half": "float16", "single": "float32", "double": "float64", "byte": "int8", "ubyte": "uint8",
    "csingle": "complex64", "cdouble": "complex128",
}  # fmt: skip
_SMALL = (
    "bfloat16", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e3m4", "float8_e4m3",
    "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
    "float8_e8m0fnu", "int2", "int4", "uint2", "uint4",
)  # fmt: skip
_NAMES = frozenset(_BY_CODE.values()) | frozenset(_SMALL)
# Compiled when first used: that takes longer than the rest of the module.
_UNIT = r"(?:(datetime64|M8)|(timedelta64|m8))\[(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\]"
_REFUSED = (
    (r"(object_?|O\d*|void\d*|V\d*|\[.*)", "use one column per field, Json or Bytes"),
    (
        r"(c?longdouble|float(96|128)|complex(192|256)|[gG]|f(12|16)|c(24|32))",
        "its bytes differ between platforms; use float64 or complex128",
    ),
    (r"(str_?|bytes_?|[USaT]\d*|StringDType.*|str\d+|bytes\d+)", "use Text or Bytes"),
    (
        r"(datetime64|timedelta64|M8|m8)(\[.*\])?",
        "name one plain unit, as in 'datetime64[us]'",
    ),
)


def canonical_dtype(dtype: DTypeName) -> str:
    """The name a dtype is stored under, such as ``"float32"`` or ``"datetime64[us]"``.

    Byte order is dropped: everything is stored little-endian. ``ml_dtypes`` names are accepted;
    those of less than 8 bits take one byte a value.

    Raises:
        InvalidInputError: Not a dtype, or one that is not stored (object, structured, longdouble,
            strings, times without a unit).
    """
    text = _dtype_text(dtype)
    code = text[1:] if text[:1] in ("<", ">", "=", "|") else text
    unit = re.fullmatch(_UNIT, code)
    if unit:
        return f"{'datetime64' if unit[1] else 'timedelta64'}[{unit[3]}]"
    name = _BY_CODE.get(code) or _BY_ALIAS.get(text) or text
    if name in _NAMES:
        return name
    raise InvalidInputError(_refusal(code), dtype=text)


def _dtype_text(dtype: object) -> str:
    if isinstance(dtype, str):
        return dtype
    text = getattr(dtype, "__name__" if isinstance(dtype, type) else "name", None)
    return text if isinstance(text, str) else repr(dtype)


def _refusal(text: str) -> str:
    for pattern, advice in _REFUSED:
        if re.fullmatch(pattern, text):
            return f"dtype {text!r} is not stored: {advice}"
    return f"{text!r} is no dtype; try 'float32', 'int64' or 'bool'"


def dtype_kind(name: str) -> str:
    """``b``, ``i``, ``u``, ``f``, ``c``, ``M`` or ``m`` of a canonical name; ``?`` of another."""
    for prefix, kind in _KINDS:
        if name.startswith(prefix):
            return kind
    return "?"


_KINDS = (
    ("bool", "b"), ("int", "i"), ("uint", "u"), ("float", "f"), ("bfloat", "f"), ("complex", "c"),
    ("datetime64", "M"), ("timedelta64", "m"),
)  # fmt: skip


def is_small_dtype(name: str) -> bool:
    """Whether the dtype comes from ``ml_dtypes`` rather than from numpy."""
    return name in _SMALL


def dtype_nbytes(name: str) -> int:
    """Bytes one value of a canonical dtype takes; at least one."""
    digits = re.search(r"\d+", name)
    bits = 64 if name.endswith("]") else int(digits[0]) if digits else 8
    return max(1, bits // 8)
