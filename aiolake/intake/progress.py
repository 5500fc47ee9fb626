"""How far a source has come: a value in the dataset's metadata, written with the rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from aiolake.errors import FormatError, InvalidInputError
from aiolake.intake.source import Item

__all__ = ["ListDigest", "Progress", "check_same_list", "progress_key", "progress_of"]

PREFIX = "ingest/"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier runs did with a source.

    Attributes:
        source: What it is, for people.
        n_items: Its first so many items are done.
        digest: Of their marks.
        n_rows: The rows they gave.
        n_skipped: How many gave none.
        total: How many items there were, where it was known.
    """

    source: str
    n_items: int
    digest: str
    n_rows: int
    n_skipped: int
    total: int | None = None


class ListDigest:
    """The digest of a growing list of items."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)

    def add(self, items: Iterable[Item]) -> None:
        """Go on by some items."""
        for item in items:
            self._hash.update(b"%d:" % len(item.mark))
            self._hash.update(item.mark)

    def text(self) -> str:
        """The digest so far, 32 hexadecimal digits."""
        return self._hash.hexdigest()


def progress_key(identity: str) -> str:
    """The metadata key of a source's progress; the path itself is not stored."""
    name = identity.encode("utf-8", "surrogateescape")
    return PREFIX + blake2b(name, digest_size=8).hexdigest()


def progress_of(metadata: Mapping[str, Any], identity: str | None) -> Progress | None:
    """What a dataset's metadata say of a source, if it began before."""
    if identity is None:
        return None
    key = progress_key(identity)
    if key not in metadata:
        return None
    try:
        return msgspec.convert(metadata[key], Progress)
    except msgspec.ValidationError as error:
        raise FormatError(
            f"the dataset's metadata key {key!r} is no progress of an ingestion: {error}; remove "
            "it with tx.remove_metadata, or ingest with resume=False"
        ) from error


def check_same_list(before: Progress, n_items: int, digest: str, what: str) -> None:
    """Refuse to go on in another list than the one that was begun.

    Args:
        before: What earlier runs did.
        n_items: How many of the items they did are there now.
        digest: Of those.
        what: The source.

    Raises:
        InvalidInputError: Items that are done were removed, renamed or changed, or others came
            between them.
    """
    if n_items == before.n_items and digest == before.digest:
        return
    raise InvalidInputError(
        f"{what} has changed: an earlier run did its first {before.n_items:,} sources, and they "
        "are not the first any more (some were removed, renamed or changed, or new ones come "
        "before them), so that going on would lose or double rows; put the new ones into a source "
        "of their own, or ingest everything again with resume=False"
    )
