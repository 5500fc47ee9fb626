"""A log entry: one JSON document and its crc32c, and the values inside it.

Source: docs/spec/v1.md, "The log".
"""

from __future__ import annotations

from operator import add
from typing import Any, Literal, TypeAlias

import msgspec

from aiolake.errors import CorruptDataError, FormatError, UnsupportedVersionError
from aiolake.format.checksum import crc32c
from aiolake.format.keys import KeyIndex
from aiolake.format.numbers import Count, Crc, Id, LogNumber
from aiolake.format.statistics import Statistics
from aiolake.types import Constant, Schema

__all__ = [
    "FORMAT_VERSION",
    "KNOWN_FEATURES",
    "MAX_ENTRY_BYTES",
    "Blob",
    "Description",
    "Effects",
    "Entry",
    "ListRef",
    "LogState",
    "ManifestRef",
    "Operation",
    "Piece",
    "Refs",
    "Requires",
    "RowRuns",
    "RunsValue",
    "Segment",
    "Snapshot",
    "decode_entry",
    "encode_entry",
]

FORMAT_VERSION = 1
MAX_ENTRY_BYTES = 64 * 1024
MAX_ROW_ID = 1 << 62
MAX_PAGE_ROWS = 1 << 16
KNOWN_FEATURES: frozenset[str] = frozenset()
"""Required features this release understands; the names reserved for later are in the spec."""


FlatRuns: TypeAlias = tuple[Count, ...]
"""Runs of row ids: ``first, count, first, count, ...``."""


def check_flat_runs(flat: FlatRuns) -> None:
    """Refuse runs that are none: an odd number of values, or a run of no rows.

    Raises:
        ValueError: They are none; decoding turns it into its own error.
    """
    if len(flat) % 2 or 0 in flat[1::2] or (flat and min(flat) < 0):
        raise ValueError("runs are pairs of a first row id and a count from 1")
    if flat and max(max(map(add, flat[::2], flat[1::2])), sum(flat[1::2])) > MAX_ROW_ID:
        raise ValueError("row ids are below 2**62, and each is there once")


class Blob(msgspec.Struct, frozen=True):
    """A value that is too long for an entry and lies in ``lists/`` as zstd-compressed JSON."""

    base: LogNumber
    id: Id
    size: Count
    crc: Crc


RunsValue: TypeAlias = Blob | FlatRuns
"""Runs of row ids, or where they lie."""


class ManifestRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """A manifest object.

    Attributes:
        base: It is ``manifests/<base>/<id>``.
        id: See ``base``.
        blocks: Packed (u32 length, u32 crc32c) of its blocks in order.
        rows: Packed u32 of the rows of each block, where pages vary in length; else empty.
    """

    base: LogNumber
    id: Id
    blocks: bytes
    rows: bytes = b""

    def __post_init__(self) -> None:
        if len(self.blocks) % 8 or len(self.rows) not in (0, len(self.blocks) // 2):
            raise ValueError("a manifest's block index is cut short")


class Piece(msgspec.Struct, frozen=True, omit_defaults=True, rename={
    "column": "c", "rows": "r", "page_rows": "p", "nbytes": "b", "inline": "t", "manifest": "m",
    "constant": "v", "stats": "s",
}):  # fmt: skip
    """A run of one column's rows in a snapshot.

    Exactly one of ``inline``, ``manifest`` and ``constant`` is set.

    Attributes:
        column: Column id.
        rows: Row-id runs it covers, flat.
        page_rows: Rows per manifest entry: 1 for one entry a row, more for pages, 0 where each
            entry says how many it has.
        nbytes: Stored payload bytes behind it.
        inline: One manifest block.
        manifest: Where its blocks are.
        constant: Every row holds this value.
        stats: What its values are like, where that is known; a constant needs none.
    """

    column: int
    rows: FlatRuns
    page_rows: Count = 1
    nbytes: Count = 0
    inline: bytes | None = None
    manifest: ManifestRef | None = None
    constant: Constant | None = None
    stats: Statistics | None = None

    def __post_init__(self) -> None:
        check_flat_runs(self.rows)
        held = (self.inline is None) + (self.manifest is None) + (self.constant is None)
        if held != 2:
            raise ValueError("a piece has one of an inline manifest, a manifest and a constant")
        if self.page_rows > MAX_PAGE_ROWS:
            raise ValueError(f"a page has at most {MAX_PAGE_ROWS} rows, not {self.page_rows}")
        if self.manifest is not None and bool(self.manifest.rows) != (self.page_rows == 0):
            raise ValueError("a manifest counts the rows of its blocks where pages vary in length")

    @property
    def n_rows(self) -> int:
        """How many rows it covers."""
        return sum(self.rows[1::2])


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """One column's part of a list object: bytes ``[start, stop)``, zstd-compressed JSON pieces.

    Its pieces lie within the row ids ``[low, high)``.
    """

    column: int
    start: Count
    stop: Count
    crc: Crc
    low: Count
    high: Count


def check_segments(segments: tuple[Segment, ...], nbytes: int) -> None:
    """Refuse segments that are not ranges of ``nbytes`` bytes, or not one to a column.

    Raises:
        ValueError: They are not; decoding turns it into its own error.
    """
    last = -1
    for segment in segments:
        if not segment.start <= segment.stop <= nbytes or segment.column <= last:
            raise ValueError("the segments of a list contradict each other")
        last = segment.column


class ListRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """A list of pieces in ``lists/``.

    Attributes:
        base: Its base.
        id: Its id.
        size: Bytes of the whole object.
        header: Bytes of its header, which holds the segments.
        crc: crc32c of the header.
        n: Pieces in it.
        low: Its pieces lie within the row ids ``[low, high)``.
        high: See ``low``.
        segments: The header's content, where there are at most 64 columns.
    """

    base: LogNumber
    id: Id
    size: Count
    header: Count
    crc: Crc
    n: Count
    low: Count
    high: Count
    segments: tuple[Segment, ...] | None = None

    def __post_init__(self) -> None:
        if self.segments is not None:
            check_segments(self.segments, self.size - self.header)


class RowRuns(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows of a snapshot in order: those of ``listed``, then those of ``tail`` (flat runs)."""

    n: Count = 0
    listed: Blob | None = None
    tail: FlatRuns = ()

    def __post_init__(self) -> None:
        check_flat_runs(self.tail)


class Description(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a snapshot's columns are, and what else was settled for all of them.

    Attributes:
        schema: The columns.
        metadata: The dataset's own metadata (JSON values).
        key: The id of the column whose values name rows, or ``None``.
        on_duplicate: What becomes of a row whose key another has: it is refused, or replaces it.
        row_metadata: The id of the column of the rows' metadata, which is not among the columns
            users see; or ``None``.
    """

    schema: Schema
    metadata: dict[str, Any] = {}
    key: Count | None = None
    on_duplicate: Literal["refuse", "replace"] = "refuse"
    row_metadata: Count | None = None


class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of a branch after a commit.

    Attributes:
        branch: The branch the commit was made on.
        parent: The snapshot before it, or ``None``.
        message: The author's words.
        author: Who committed, or ``""``.
        description: Columns and metadata; ``None`` where ``listed_description`` says where
            they lie.
        listed_description: See ``description``.
        rows: Its rows in order.
        lists: Lists of pieces, oldest first.
        pieces: Pieces newer than those in the lists, oldest first; the later wins.
        keys: The index of the key column, where there is one.
    """

    branch: str
    parent: int | None
    rows: RowRuns
    description: Description | None = None
    listed_description: Blob | None = None
    message: str = ""
    author: str = ""
    lists: tuple[ListRef, ...] = ()
    pieces: tuple[Piece, ...] = ()
    keys: KeyIndex | None = None

    def __post_init__(self) -> None:
        if (self.description is None) == (self.listed_description is None):
            raise ValueError("a snapshot has one of a description and where it lies")


class Effects(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operation touched: all that another one needs to know to rebase over it.

    Attributes:
        appended: Rows appended.
        receipts: Ids of the workers' receipts that were merged.
        updated: Row ids whose values changed.
        updated_columns: Columns of those values.
        deleted: Row ids removed.
        added: Ids of columns added.
        renamed: Ids of columns renamed.
        dropped: Ids of columns dropped.
        metadata: Metadata keys changed: ``/<key>``, or ``<column id>/<key>``.
        optimized: Pieces replaced.
        restored: The snapshot whose content the branch took over.
        merged: The snapshot whose rows were appended.
        branches: Branches created, moved or deleted.
        tags: Tags created or deleted.
    """

    appended: Count = 0
    updated: RunsValue = ()
    updated_columns: tuple[int, ...] = ()
    deleted: RunsValue = ()
    added: tuple[int, ...] = ()
    renamed: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    metadata: tuple[str, ...] = ()
    optimized: Count = 0
    restored: int | None = None
    merged: int | None = None
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    receipts: Blob | tuple[Id, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.updated, self.deleted):
            if not isinstance(value, Blob):
                check_flat_runs(value)


class Operation(msgspec.Struct, frozen=True):
    """What an entry does: ``create, commit, optimize, restore, merge, branch, tag, expire, gc,
    closed`` or ``noop``, and its effects.
    """

    kind: str
    effects: Effects


class LogState(msgspec.Struct, frozen=True):
    """What holds for the log as a whole after an entry.

    Attributes:
        first: The entry that created this dataset.
        next_row_id: The next row's id; never reset.
        next_column_id: The next column's id; never reset.
        expire_below: Snapshots below it may be opened only while a branch or tag holds them.
        collect_below: Objects with a smaller base may have been deleted.
    """

    first: LogNumber
    next_row_id: Count = 0
    next_column_id: Count = 0
    expire_below: LogNumber = 0
    collect_below: LogNumber = 0


class Refs(msgspec.Struct, frozen=True, omit_defaults=True):
    """The table of names: each branch's and tag's snapshot.

    Attributes:
        branches: Name to snapshot; ``None`` takes back a name of ``listed``.
        tags: Likewise.
        listed: A ``Refs`` in ``lists/`` that these names lie over.
    """

    branches: dict[str, int | None] = {}
    tags: dict[str, int | None] = {}
    listed: Blob | None = None


class Requires(msgspec.Struct, frozen=True, omit_defaults=True):
    """Features one must know to read, and to write."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, rename={"format": "aiolake"}):
    """One record of the log.

    Attributes:
        format: The format's version.
        requires: Required features.
        dataset: The dataset's id.
        n: Its number, from 1.
        write_id: Who wrote it: unique to the attempt's transaction.
        time: UTC, ISO 8601 with microseconds and ``Z``; never before the entry's before it.
        operation: What it does.
        state: What holds for the log after it.
        refs: The table of names after it.
        snapshot: For a commit, the branch's new state.
    """

    format: int
    requires: Requires
    dataset: str
    n: int
    write_id: str
    time: str
    operation: Operation
    state: LogState
    refs: Refs
    snapshot: Snapshot | None


class _Versioned(msgspec.Struct, rename={"format": "aiolake"}):
    format: int
    requires: Requires = Requires()


NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not the JSON of a value."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)
_versioned = msgspec.json.Decoder(_Versioned)
_TRAILER = 10


def encode_entry(entry: Entry) -> bytes:
    """The stored bytes: JSON, newline, 8 hex digits of its crc32c, newline."""
    body = _encoder.encode(entry)
    return b"%s\n%08x\n" % (body, crc32c(body))


def decode_entry(data: Any, key: str) -> Entry:
    """Read an entry's bytes.

    Raises:
        CorruptDataError: Cut short, or the checksum differs.
        UnsupportedVersionError: A newer format, or a feature this release does not know.
        FormatError: Not an entry.
    """
    raw = bytes(data)
    body, trailer = raw[:-_TRAILER], raw[-_TRAILER:]
    if len(raw) <= _TRAILER or trailer != b"\n%08x\n" % crc32c(body):
        raise CorruptDataError(
            f"log entry {key!r} is cut short or does not match its checksum; restore the object "
            "from a copy",
            key=key,
            start=0,
            stop=len(raw),
        )
    try:
        return _decode_checked(body, key)
    except NOT_JSON as error:
        raise FormatError(f"{key!r} is no aiolake log entry: {error}", key=key) from error


def _decode_checked(body: bytes, key: str) -> Entry:
    try:
        entry = _decoder.decode(body)
    except NOT_JSON:
        _check_version(_versioned.decode(body), key)  # what is newer may look otherwise
        raise
    _check_version(entry, key)
    return entry


def _check_version(found: Entry | _Versioned, key: str) -> None:
    if found.format != FORMAT_VERSION:
        raise UnsupportedVersionError(
            f"{key!r} is of format {found.format}; this release reads format {FORMAT_VERSION}: "
            "upgrade aiolake",
            key=key,
            format=found.format,
        )
    unknown = sorted(set(found.requires.read) - KNOWN_FEATURES)
    if unknown:
        raise UnsupportedVersionError(
            f"{key!r} needs features this release cannot read ({', '.join(unknown)}): "
            "upgrade aiolake",
            key=key,
            features=unknown,
        )


def unwritable_features(entry: Entry) -> tuple[str, ...]:
    """Features a writer must know and this release does not."""
    return tuple(sorted(set(entry.requires.write) - KNOWN_FEATURES))
