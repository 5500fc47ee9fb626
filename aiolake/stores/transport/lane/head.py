"""Heads of requests and responses. Pure; what is unusual is refused, for another client to read.

Source: RFC 9112, sections 3 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from aiolake.errors import InvalidInputError

__all__ = [
    "END",
    "MOST_HEAD_NBYTES",
    "Head",
    "UnusualError",
    "asked_nbytes",
    "read_head",
    "request_bytes",
]

END = b"\r\n\r\n"
MOST_HEAD_NBYTES = 64 << 10

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_HEAD = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)(?: [^\r\n]*+)?((?:\r\n" + _TOKEN + rb":[^\r\n]*+)*+)")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|connection):[ \t]*([^\r\n]*)")
_MOST_DIGITS = 15
_SPAN = re.compile(r"bytes=(\d+)-(\d+)")
_BODILESS = (204, 304)


class UnusualError(Exception):
    """An answer that this client does not read."""


class Headers(Mapping[str, str]):
    """The headers of a response, by names in lower case; of several of one name the last.

    They are taken apart when the first is asked for: an answer that is as expected needs none.

    Args:
        lines: Each begins with a line break; checked.
    """

    __slots__ = ("_lines", "_parsed")

    def __init__(self, lines: bytes) -> None:
        self._lines = lines
        self._parsed: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._parsed is None:
            self._parsed = {}
            for line in self._lines.decode("latin-1").split("\r\n")[1:]:
                name, _, value = line.partition(":")
                self._parsed[name.lower()] = value.strip(" \t")
        return self._parsed

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Head(msgspec.Struct, frozen=True):
    """The head of a response.

    Attributes:
        status: 200 to 599.
        headers: As ``Headers``.
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


def asked_nbytes(headers: Mapping[str, str]) -> int:
    """How many bytes a request asks for by its ``Range``; 0 where that is not known."""
    span = headers.get("range") or headers.get("Range") or ""
    match = _SPAN.fullmatch(span)
    return 0 if match is None else int(match[2]) - int(match[1]) + 1


def read_head(data: bytes, method: str) -> Head:
    """The head of a response.

    Args:
        data: All of it, without the empty line that ends it.
        method: Of the request: an answer to HEAD has no body, whatever its length says.

    Raises:
        UnusualError: It is not plain HTTP/1.1, or not to be trusted.
    """
    match = _HEAD.fullmatch(data)
    if match is None:
        raise UnusualError(f"not the head of an answer of HTTP/1.1: {data[:80]!r}")
    code, lines = match.groups()
    status = int(code)
    framing: dict[bytes, bytes] = {}
    for name, value in _FRAMING.findall(lines.lower()):
        value = value.rstrip(b" \t")
        if framing.setdefault(name, value) != value:
            raise UnusualError(f"two different {name.decode()}")
    bodiless = method == "HEAD" or status in _BODILESS
    length = 0 if bodiless else _length(framing)
    return Head(status, Headers(lines), length, framing.get(b"connection") != b"close")


def _length(framing: Mapping[bytes, bytes]) -> int | None:
    coding, length = framing.get(b"transfer-encoding"), framing.get(b"content-length")
    if coding is not None:
        if coding != b"chunked" or length is not None:
            raise UnusualError("a transfer coding other than chunked, or with a length")
        return None
    if length is None or not length.isdigit() or len(length) > _MOST_DIGITS:
        raise UnusualError("no length")
    return int(length)
