"""What every store refuses before it asks anybody. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aiolake.errors import InvalidInputError
from aiolake.stores.base import Range

__all__ = ["MAX_LIMIT", "NameLimit", "Unit", "check_key", "check_limit", "check_range", "keys_of"]

MAX_LIMIT = 1000
_MAX_KEY_BYTES = 1024
_MAX_NAME = 1024
_MOST_BYTES_OF_A_CHARACTER = 4
_MAX_PART_BYTES = 255
_SHOWN = 60
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


class Unit(enum.Enum):
    """What a service counts the length of names in."""

    BYTES = "bytes of UTF-8"
    CHARACTERS = "characters"

    def measure(self, text: str) -> int:
        """How long a text is."""
        return len(text.encode(errors="surrogatepass")) if self is Unit.BYTES else len(text)


@dataclass(frozen=True, slots=True)
class NameLimit:
    """How long the names of objects may be: prefix and key together, 1,024 at most.

    Attributes:
        prefix: Of all keys of a store; ends in ``/`` unless empty.
        url: The store's, for messages.
        unit: What is counted.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html and
        https://cloud.google.com/storage/docs/objects#naming (bytes),
        https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
        (characters).
    """

    prefix: str
    url: str
    unit: Unit = Unit.BYTES

    def check(self, key: str) -> None:
        """Refuse a key, or the beginning of one, that is too long behind the prefix.

        Raises:
            InvalidInputError: Says how long both are together, and what to shorten.
        """
        if (len(self.prefix) + len(key)) * _MOST_BYTES_OF_A_CHARACTER > _MAX_NAME:
            n = self.unit.measure(self.prefix + key)
            if n > _MAX_NAME:
                raise self._too_long(key, n)

    def _too_long(self, key: str, n: int) -> InvalidInputError:
        shown = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..."
        n_prefix = self.unit.measure(self.prefix)
        return InvalidInputError(
            f"{shown!r} is too long a key in {self.url}: the prefix of the address ({n_prefix:,}) "
            f"and the key ({n - n_prefix:,}) have {n:,} {self.unit.value} together, and a name may "
            f"have {_MAX_NAME:,}; shorten the prefix, or the key, by {n - _MAX_NAME:,} or more",
            key=key,
            url=self.url,
        )


def check_range(key: str, start: int, stop: int) -> None:
    """Refuse a byte range that is negative or ends before it starts."""
    if not 0 <= start <= stop:
        raise InvalidInputError(
            f"bytes [{start}, {stop}) of {key!r} are no range: 0 <= start <= stop is needed",
            key=key,
        )


def keys_of(ranges: Sequence[Range]) -> set[str]:
    """The keys of ranges to be begun, of which none may be empty.

    Raises:
        InvalidInputError: One is: HTTP has no empty ranges.
    """
    for key, start, stop in ranges:
        if not 0 <= start < stop:
            raise InvalidInputError(
                f"bytes [{start}, {stop}) of {key!r} cannot be asked for: 0 <= start < stop is "
                "needed",
                key=key,
            )
    return {key for key, _, _ in ranges}


def check_limit(limit: int) -> None:
    """Refuse a page size outside 1 to 1,000."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInputError(f"a listing's limit is 1 to {MAX_LIMIT}, got {limit}")
