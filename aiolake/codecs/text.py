"""Text, JSON and opaque bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from aiolake.codecs.base import Buffer, describe
from aiolake.codecs.pages import cut_text, split_pages
from aiolake.codecs.short import ByteCodec, BytePage, ByteRows
from aiolake.errors import FormatError, InvalidInputError

__all__ = ["BytesCodec", "JsonCodec", "TextCodec", "decode_json", "encode_json", "to_utf8"]


@dataclass(frozen=True, slots=True)
class BytesCodec(ByteCodec):
    """A codec of opaque bytes."""

    def plain(self, value: object) -> bytes:
        """``bytes``, ``bytearray`` or ``memoryview``; copied unless they are ``bytes``."""
        if not isinstance(value, bytes | bytearray | memoryview):
            raise InvalidInputError(f"expected bytes, got {describe(value)}")
        return bytes(value)


@dataclass(frozen=True, slots=True)
class TextCodec(ByteCodec):
    """A codec of text, as UTF-8."""

    def plain(self, value: object) -> bytes:
        """``str`` without lone surrogates; see ``to_utf8``."""
        return to_utf8(value)

    def encode_rows(self, values: Iterable[object]) -> ByteRows:
        """As of any codec of bytes; all at once where every value is text."""
        if isinstance(values, list):
            try:
                return ByteRows(list(map(str.encode, values)))
            except (TypeError, UnicodeEncodeError):
                pass  # One is None or no text: which, the slow way knows.
        return ByteCodec.encode_rows(self, values)

    def value(self, data: bytes) -> str:
        """The text."""
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"a stored text is not UTF-8: {error}") from error

    def values_of_pages(
        self, payloads: Sequence[Buffer], n_rows: npt.NDArray[np.int64]
    ) -> Sequence[object]:
        """The texts of pages without Nones, decoded together."""
        return cut_text(*split_pages(list(map(self._unpacked, payloads)), n_rows))

    def all_values(self, page: BytePage) -> list[object]:
        """The texts of a page; where all are ASCII, cut from it as one text."""
        content = page.content()
        if not content.isascii():
            return ByteCodec.all_values(self, page)
        text, ends = str(content, "ascii"), page.ends()
        values: list[object] = [
            text[start:stop] for start, stop in zip((0, *ends), ends, strict=False)
        ]
        for i in page.missing():
            values[i] = None
        return values


@dataclass(frozen=True, slots=True)
class JsonCodec(ByteCodec):
    """A codec of JSON values."""

    in_bulk: ClassVar[bool] = False

    def plain(self, value: object) -> bytes:
        """A JSON value, see ``encode_json``."""
        return encode_json(value)

    def value(self, data: bytes) -> Any:
        """The value: dict, list, str, int, float, bool or None."""
        return decode_json(data)


def to_utf8(value: object) -> bytes:
    """A text's UTF-8: of ``str``, numpy's ``str_``, and ``bytes_`` that hold UTF-8.

    Raises:
        InvalidInputError: No text, a lone surrogate, or ``bytes_`` in another encoding.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.bytes_):
        return _check_utf8(bytes(value))
    if not isinstance(value, str):
        hint = "; decode it: value.decode()" if isinstance(value, bytes | bytearray) else ""
        raise InvalidInputError(f"expected text (str), got {describe(value)}{hint}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"the text holds a lone surrogate at character {error.start}, which UTF-8 cannot "
            "store; use Bytes for text that is not Unicode"
        ) from error


def _check_utf8(data: bytes) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{describe(data)} are not UTF-8: {error}") from error
    return data


def encode_json(value: object) -> bytes:
    """JSON text that reads back as the same value.

    Dicts with text keys, lists, tuples (read back as lists), text, integers, finite floats, truth
    values and None; numpy scalars become the Python number.

    Raises:
        InvalidInputError: Anything JSON cannot say (NaN, infinity, a lone surrogate, other keys,
            arrays, times, bytes); the message says where in the value it is.
    """
    try:
        text = msgspec.json.encode(value, enc_hook=_number)
        if msgspec.json.decode(text) == value:
            return text
        # msgspec writes NaN as null and keys, bytes and times as text: look for what changed.
        return msgspec.json.encode(_plain(value, "$"))
    except RecursionError as error:
        raise InvalidInputError("the JSON value is nested too deeply, or holds itself") from error
    except (TypeError, ValueError, NotImplementedError) as error:
        if isinstance(error, InvalidInputError):
            raise
        _plain(value, "$")
        raise InvalidInputError(f"the value is no JSON: {error}") from error


def decode_json(text: Buffer) -> Any:
    """The value of a JSON text.

    Raises:
        FormatError: It is not JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"a stored value is not JSON: {error}") from error


def _number(value: object) -> object:
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, np.str_):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def _plain(value: object, where: str) -> object:
    """A copy of dicts, lists and scalars only, or the error that says what is not."""
    if value is None or isinstance(value, bool | int | str):
        return _scalar(value, where)
    if isinstance(value, dict):
        return {_key(k, where): _plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{where}[{i}]") for i, inner in enumerate(value)]
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInputError(f"JSON cannot hold {value} (at {where}); use None or a text")
        return float(value)
    raise InvalidInputError(
        f"JSON cannot hold {describe(value)} (at {where}); use dicts, lists, text, numbers"
    )


def _scalar(value: bool | int | str | None, where: str) -> object:
    if isinstance(value, str) and not _is_unicode(value):
        raise InvalidInputError(f"text with a lone surrogate (at {where}) is not Unicode")
    return str(value) if isinstance(value, np.str_) else value


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise InvalidInputError(f"JSON keys are text, got {describe(key)} (in {where})")
    if not _is_unicode(key):
        raise InvalidInputError(f"a key with a lone surrogate (in {where}) is not Unicode")
    return key


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
