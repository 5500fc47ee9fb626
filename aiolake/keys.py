"""Names of objects under a dataset's root, and rules for names that users give. Pure.

Source: docs/spec/v1.md, "Keys".
"""

from __future__ import annotations

import operator
import re
import secrets
import unicodedata
from typing import SupportsIndex

from aiolake.errors import InvalidInputError

__all__ = [
    "CHECKS",
    "CHUNKS",
    "HINT",
    "LISTS",
    "LOG",
    "LONGEST",
    "MANIFESTS",
    "MAX_ENTRY",
    "base_of_key",
    "check_column_name",
    "check_message",
    "check_ref_name",
    "check_snapshot",
    "entry_key",
    "entry_number",
    "is_id",
    "is_ours",
    "new_id",
    "object_key",
]

LOG = "log/"
HINT = "log/hint"
LISTS = "lists"
MANIFESTS = "manifests"
CHUNKS = "chunks"
CHECKS = "doctor/"
"""What ``aiolake doctor`` writes, and who may not delete leaves; of no dataset."""
MAX_ENTRY = 999_999_999_999

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_ENTRY = re.compile(r"^log/([0-9]{9})/([0-9]{3})\Z")
_OBJECT = re.compile(r"^(lists|manifests|chunks)/([0-9]{12})/([a-z2-7]{26})\Z")
_ID = re.compile(r"^[a-z2-7]{26}\Z")
_REF = re.compile(r"^[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*\Z")
MAX_MESSAGE_BYTES = 4096


def new_id() -> str:
    """26 random lower-case base32 characters (130 bits), from the system's random source."""
    value = secrets.randbits(130)
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(0, 130, 5))


def is_id(text: str) -> bool:
    """Whether a text is of the form of an object's or dataset's id."""
    return _ID.match(text) is not None


def entry_key(n: int) -> str:
    """The key of log entry ``n`` (1 to 999 999 999 999): the newest sorts first."""
    if not 1 <= n <= MAX_ENTRY:
        raise InvalidInputError(f"a log entry's number is 1 to {MAX_ENTRY}, got {n}")
    digits = f"{MAX_ENTRY - n:012d}"
    return f"{LOG}{digits[:9]}/{digits[9:]}"


def entry_number(key: str) -> int | None:
    """The number of the log entry a key names, or ``None`` for a key of another form."""
    match = _ENTRY.match(key)
    n = MAX_ENTRY - int(match.group(1) + match.group(2)) if match else 0
    return n or None


def object_key(kind: str, base: int, id: str) -> str:
    """The key of a list, manifest or chunk made by a transaction that started from ``base``."""
    return f"{kind}/{base:012d}/{id}"


LONGEST = object_key(MANIFESTS, 0, "a" * 26)
"""No key of a dataset is longer."""


def base_of_key(key: str) -> int | None:
    """The base a list's, manifest's or chunk's key names, or ``None`` for another key."""
    match = _OBJECT.match(key)
    return int(match.group(2)) if match else None


def is_ours(key: str) -> bool:
    """Whether a key is of a form that a dataset's objects have; others belong to somebody else."""
    return key == HINT or entry_number(key) is not None or base_of_key(key) is not None


def check_ref_name(name: str, what: str) -> str:
    """A branch's or tag's name: 1-128 of ``A-Za-z0-9._/-``, no empty part, no ``..``.

    A name of digits only is refused: it would be read as a snapshot's number.
    """
    ok = isinstance(name, str) and 1 <= len(name) <= 128 and _REF.match(name) is not None
    if not ok or ".." in name or name in (".",) or name.isdecimal():
        raise InvalidInputError(
            f"{name!r} is no name for a {what}: use 1 to 128 of A-Z a-z 0-9 . _ / -, without "
            "empty parts or '..', and not digits alone",
            name=name,
        )
    return name


def check_snapshot(number: SupportsIndex) -> int:
    """A snapshot's number, any whole number as an ``int``."""
    if not isinstance(number, bool):
        try:
            return operator.index(number)
        except TypeError:
            pass
    raise InvalidInputError(
        f"a snapshot is named by its number, got {number!r}; ds.history.list(), "
        "ds.branches.list() and ds.tags.list() give the numbers",
        snapshot=number,
    )


def check_column_name(name: str) -> str:
    """A column's name: ``/`` separates groups; no empty part, ``.``, ``..``, control character."""
    if not isinstance(name, str) or not name or len(name.encode(errors="surrogatepass")) > 1024:
        raise InvalidInputError(f"{name!r} is no column name: use 1 to 1,024 bytes of text")
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise InvalidInputError(
            f"{name!r} is no column name: '/' separates groups, and no part may be empty, '.' "
            "or '..'",
            column=name,
        )
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
        raise InvalidInputError(f"{name!r} is no column name: it holds a control character")
    return name


def check_message(message: str) -> str:
    """A commit's message: text of at most 4 KiB."""
    ok = isinstance(message, str) and len(message.encode(errors="replace")) <= MAX_MESSAGE_BYTES
    if not ok or any("\ud800" <= char <= "\udfff" for char in message):
        raise InvalidInputError(
            f"a message or an author is text of at most {MAX_MESSAGE_BYTES} bytes, without lone "
            f"surrogates; got {message!r:.80}"
        )
    return message
