"""What every store refuses before it asks anybody. Pure."""

from __future__ import annotations

import re

from aiolake.errors import InvalidInputError

__all__ = ["MAX_LIMIT", "check_key", "check_limit", "check_range"]

MAX_LIMIT = 1000
_MAX_KEY_BYTES = 1024
_MAX_PART_BYTES = 255
_ORDINARY = re.compile(r"[a-z0-9]{1,32}(/[a-z0-9]{1,32}){0,3}")


def check_key(key: str) -> str:
    """A key every kind of store can hold, or InvalidInputError.

    1 to 1,024 bytes of UTF-8 text; parts between ``/`` of at most 255 bytes (a file's name), none
    of them empty, ``.`` or ``..``; no NUL.
    """
    problem = _problem(key)
    if problem is not None:
        raise InvalidInputError(f"{key!r} cannot be an object's key: {problem}", key=key)
    return key


def _problem(key: str) -> str | None:
    if _ORDINARY.fullmatch(key):
        return None
    if "\x00" in key:
        return "it holds a NUL character"
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8 text"
    if len(encoded) > _MAX_KEY_BYTES:
        return f"it is longer than {_MAX_KEY_BYTES} bytes"
    return next(filter(None, map(_part_problem, encoded.split(b"/"))), None)


def _part_problem(part: bytes) -> str | None:
    if part == b"":
        return "it is empty, or begins or ends with '/', or holds '//'"
    if part in (b".", b".."):
        return f"a part of it is {part.decode()!r}"
    if len(part) > _MAX_PART_BYTES:
        return f"a part of it is longer than {_MAX_PART_BYTES} bytes"
    return None


def check_range(key: str, start: int, stop: int) -> None:
    """Refuse a byte range that is negative or ends before it starts."""
    if not 0 <= start <= stop:
        raise InvalidInputError(
            f"bytes [{start}, {stop}) of {key!r} are no range: 0 <= start <= stop is needed",
            key=key,
        )


def check_limit(limit: int) -> None:
    """Refuse a page size outside 1 to 1,000."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInputError(f"a listing's limit is 1 to {MAX_LIMIT}, got {limit}")
