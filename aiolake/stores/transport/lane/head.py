"""Heads of requests and responses. Pure; what is unusual is refused, for another client to read.

Source: RFC 9112, sections 3 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from aiolake.errors import InvalidInputError

__all__ = ["END", "MOST_HEAD_NBYTES", "Head", "UnusualError", "read_head", "request_bytes"]

END = b"\r\n\r\n"
MOST_HEAD_NBYTES = 64 << 10

_STATUS = re.compile(r"HTTP/1\.1 ([2-5]\d\d)(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH = re.compile(r"\d{1,15}")
_BODILESS = (204, 304)


class UnusualError(Exception):
    """An answer that this client does not read."""


class Head(msgspec.Struct, frozen=True):
    """The head of a response.

    Attributes:
        status: 200 to 599.
        headers: By names in lower case; of several of one name the last.
        length: Bytes of the body; ``None`` for one in chunks.
        keeps: Whether the connection may be used again.
    """

    status: int
    headers: Mapping[str, str]
    length: int | None
    keeps: bool


def request_bytes(method: str, target: str, authority: str, headers: Mapping[str, str]) -> bytes:
    """A request without a body, ready to be sent.

    Raises:
        InvalidInputError: A line break, or what is not Latin-1, within the target or a header.
    """
    all_headers = {"Host": authority, "Accept-Encoding": "identity", **headers}
    lines = [f"{name}: {value}\r\n" for name, value in all_headers.items()]
    text = f"{method} {target} HTTP/1.1\r\n{''.join(lines)}"
    if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1:
        raise InvalidInputError("a line break within a request's target or header is refused")
    try:
        return f"{text}\r\n".encode("latin-1")
    except UnicodeEncodeError as error:
        raise InvalidInputError("a request's target and headers are Latin-1 text") from error


def read_head(data: bytes, method: str) -> Head:
    """The head of a response.

    Args:
        data: All of it, without the empty line that ends it.
        method: Of the request: an answer to HEAD has no body, whatever its length says.

    Raises:
        UnusualError: It is not plain HTTP/1.1, or not to be trusted.
    """
    first, *lines = data.decode("latin-1").split("\r\n")
    status_line = _STATUS.fullmatch(first)
    if status_line is None:
        raise UnusualError(f"status line {first[:80]!r}")
    status = int(status_line.group(1))
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or _NAME.fullmatch(name) is None or "\n" in value or "\r" in value:
            raise UnusualError("a header of another form")
        name, value = name.lower(), value.strip(" \t")
        if name in ("content-length", "transfer-encoding") and headers.get(name, value) != value:
            raise UnusualError(f"two different {name}")
        headers[name] = value
    length = 0 if method == "HEAD" or status in _BODILESS else _length(headers)
    return Head(status, headers, length, headers.get("connection", "").lower() != "close")


def _length(headers: Mapping[str, str]) -> int | None:
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise UnusualError("a transfer coding other than chunked, or with a length")
        return None
    if length is None or _LENGTH.fullmatch(length) is None:
        raise UnusualError("no length")
    return int(length)
