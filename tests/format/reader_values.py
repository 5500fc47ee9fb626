"""The values of format v1, from docs/spec/v1.md alone: from bytes to what users read."""

from __future__ import annotations

import json
import math
import re
import struct
from typing import Any

import numpy as np
import zstandard

Json = dict[str, Any]
Array = np.ndarray[Any, np.dtype[Any]]


class Damaged(Exception):
    """The bytes are not what the specification says."""


def unzip(data: bytes) -> bytes:
    """The content of exactly one zstd frame that states its size."""
    try:
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Damaged(f"not one zstd frame: {error}") from error


class Cursor:
    """Takes bytes and arrays off a buffer."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, nbytes: int) -> bytes:
        """The next bytes."""
        self.at += nbytes
        if self.at > len(self.data):
            raise Damaged("a block or a payload ends early")
        return self.data[self.at - nbytes : self.at]

    def array(self, dtype: str, n: int) -> Array:
        """The next values."""
        return np.frombuffer(self.take(n * np.dtype(dtype).itemsize), dtype)


def fixed(type: Json) -> bool:
    """Whether a column is stored as pages of rows of one size, section 8.1."""
    if type["type"] == "text":
        return type["max_bytes"] is not None
    return type["type"] in ("class_label", "embedding") or (
        type["type"] == "tensor" and None not in type["shape"]
    )


def unpacked(payload: bytes, type: Json) -> bytes:
    """A payload without its compression."""
    return unzip(payload) if type.get("compression") == "zstd" else payload


def dtype_of(type: Json) -> np.dtype[Any]:
    """A stored dtype; those numpy lacks as unsigned integers of their size."""
    if type["type"] == "text":
        return np.dtype(f"S{type['max_bytes']}")
    default = "float32" if type["type"] == "keypoints" else "int32"
    name = type.get("dtype", default)
    if name in ("int2", "int4", "uint2", "uint4") or re.match("float[468]_", name):
        return np.dtype("u1")
    return np.dtype("<u2" if name == "bfloat16" else name).newbyteorder("<")


def read_page(page: bytes, n_rows: int, bitmap: bool, type: Json) -> list[Any]:
    """The rows of an unpacked page: arrays (0-dimensional for scalars), texts, None."""
    shape: list[int] = [type["n"]] if type["type"] == "embedding" else type.get("shape", [])
    dtype = dtype_of(type)
    nbytes = n_rows * math.prod(shape) * dtype.itemsize
    if len(page) != nbytes + (-(-n_rows // 8) if bitmap else 0):
        raise Damaged(f"a page of {n_rows} rows is {len(page)} bytes long")
    rows = np.frombuffer(page[:nbytes], dtype).reshape(n_rows, *shape)
    bits = np.frombuffer(page[nbytes:], np.uint8)
    valid = np.unpackbits(bits, count=n_rows, bitorder="little") if bitmap else np.ones(n_rows)
    if type["type"] == "class_label" and any(row >= len(type["names"]) for row in rows):
        raise Damaged("a label has no name")
    values = [bytes(row).decode() if type["type"] == "text" else np.asarray(row) for row in rows]
    return [value if ok else None for value, ok in zip(values, valid.tolist(), strict=True)]


def read_short(page: bytes, n_rows: int, bitmap: bool, type: Json) -> list[Any]:
    """The values of an unpacked page of short values, section 8.5."""
    ends = struct.unpack_from(f"<{n_rows}H", page)
    at = 2 * n_rows
    bits = page[at + ends[-1] :]
    if len(bits) != (-(-n_rows // 8) if bitmap else 0) or list(ends) != sorted(ends):
        raise Damaged("a page of short values contradicts itself")
    valid = [not bits or bits[k // 8] >> k % 8 & 1 for k in range(n_rows)]
    spans = zip((0, *ends), ends, valid, strict=False)
    return [plain(page[at + a : at + b], type) if ok else None for a, b, ok in spans]


def plain(data: bytes, type: Json) -> Any:
    """The value of unpacked bytes of text, JSON or bytes."""
    if type["type"] == "text":
        return data.decode("utf-8")
    return json.loads(data) if type["type"] == "json" else data


def decode(payload: bytes, shape: tuple[int, ...], type: Json) -> Any:
    """A stored sample of a column of entries, section 8.3; media stay encoded."""
    match type["type"]:
        case "text" | "json" | "bytes":
            return plain(unpacked(payload, type), type)
        case "tensor" | "bbox" | "keypoints":
            return _array(unpacked(payload, type), dtype_of(type), shape)
        case "mask" if type["dtype"] == "bool":
            bits = np.frombuffer(unzip(payload), np.uint8)
            pixels = np.unpackbits(bits, count=math.prod(shape), bitorder="little")
            return pixels.astype(bool).reshape(shape)
        case "mask":
            return _array(unzip(payload), dtype_of(type), shape)
        case "sequence":
            return _items(payload, shape[0], type["of"])
        case "image" | "video" | "audio":
            return payload
    raise Damaged(f"there is no type {type['type']!r}")


def _array(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise Damaged("a sample is not of its shape's size")
    return np.frombuffer(data, dtype).reshape(shape)


SHAPE_NUMBERS = {"image": 3, "bbox": 2, "keypoints": 3, "video": 6, "audio": 3, "sequence": 1}


def _items(payload: bytes, n: int, of: Json) -> list[Any]:
    """Section 8.4."""
    if not n:
        return []
    if fixed(of):
        return read_page(unpacked(payload, of), n, False, of)
    ndim = SHAPE_NUMBERS.get(of["type"], len(of.get("shape", [])))
    if of["type"] == "mask":
        ndim = 3 if of["instances"] else 2
    cursor = Cursor(payload)
    width = cursor.take(1)[0]
    lengths = cursor.array(f"<u{width}", n).tolist()
    shapes = cursor.array("<u4", n * ndim).reshape(n, ndim).tolist()
    items = [decode(cursor.take(k), tuple(s), of) for k, s in zip(lengths, shapes, strict=True)]
    if cursor.at != len(payload):
        raise Damaged("the items of a sequence do not make up its payload")
    return items


def check_statistics(stated: Json, values: list[Any], type: Json) -> None:
    """Section 4.8: counts are exact; bounds are, or lie outside where they are cut."""
    there = [value for value in values if value is not None]
    if stated.get("nulls", 0) != len(values) - len(there):
        raise Damaged("statistics count other nulls")
    if _is_foreign(type):
        return
    numbers = [_number(value) for value in there] if _has_order(type) else []
    ordered = [number for number in numbers if number is not None]
    if stated.get("nans", 0) != len(numbers) - len(ordered):
        raise Damaged("statistics count other values that are no numbers")
    cut = stated.get("cut", 0)
    least, most = (_bound(stated.get(name), type) for name in ("min", "max"))
    if not ordered:
        right = least is None and most is None
    elif least is None or (most is None and not cut & 2):
        right = False
    else:
        right = least < min(ordered) if cut & 1 else least == min(ordered)
        if most is not None:
            right &= most > max(ordered) if cut & 2 else most == max(ordered)
    if not right:
        raise Damaged(f"statistics say {least!r} to {most!r} ({cut}) of other values")


def _has_order(type: Json) -> bool:
    scalar = type["type"] == "tensor" and type["shape"] == [] and "complex" not in type["dtype"]
    return scalar or type["type"] in ("text", "class_label")


def _is_foreign(type: Json) -> bool:
    """Whether numpy lacks the dtype, and cannot order its values."""
    return bool(type["type"] == "tensor" and dtype_of(type).name != type["dtype"])


def _number(value: Any) -> Any:
    """A value as statistics say it; None for what is no number and no time."""
    if isinstance(value, str):
        return value
    if value.dtype.kind in "mM":
        number = int(value.view("<i8"))
        return None if number == -(1 << 63) else number
    return None if value != value else value.item()


def _bound(given: Any, type: Json) -> Any:
    return float(given) if given in ("inf", "-inf") and type["type"] != "text" else given
