"""An independent reader of format v1, from docs/spec/v1.md alone: numpy, zstandard and the stdlib.

Here are objects; ``reader_values.py`` knows what they hold. ``open_dataset(directory)`` verifies
every checksum of what it reads, and every statistic; anything wrong is a ``Damaged``.
"""

from __future__ import annotations

import base64
import json
import os
import re
import struct
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from tests.format.reader_values import (
    Cursor,
    Damaged,
    Json,
    check_statistics,
    decode,
    fixed,
    read_page,
    read_short,
    unpacked,
    unzip,
)

__all__ = ["Column", "Damaged", "Dataset", "Reference", "crc32c", "open_dataset"]

LAST = 999_999_999_999
ID = re.compile(r"[a-z2-7]{26}")
IN_PARTS, REFERRED = 0xFFFF, 0xFFFE
TO_END = GONE = (1 << 64) - 1
MASK = (1 << 64) - 1


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """RFC 3720's CRC, a byte at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def check(data: bytes, size: int, crc: int, where: str) -> bytes:
    """The data, once their length and checksum are right."""
    if len(data) != size or crc32c(data) != crc:
        raise Damaged(f"{where}: {len(data)} bytes do not match length {size} and crc {crc:08x}")
    return data


@dataclass(frozen=True)
class Reference:
    """Where a sample of a column of links is; a length of None is to the object's end."""

    url: str
    offset: int
    length: int | None
    etag: str | None
    creds_key: str | None


@dataclass(frozen=True)
class Column:
    """A column's values: ``values[i]`` is an array, text, JSON value, bytes, list or None."""

    type: Json
    metadata: Json
    values: list[Any]


@dataclass(frozen=True)
class Block:
    """A manifest block: (chunk, offset, length, crc) of entries and of parts."""

    chunks: list[str]
    entries: list[tuple[int, int, int, int]]
    shapes: list[tuple[int, ...]]
    flags: list[bool]
    parts: list[tuple[int, int, int, int]]
    sources: dict[int, list[Any]]


def places(cursor: Cursor, n: int) -> list[tuple[int, int, int, int]]:
    """(chunk, offset, length, crc) of entries or parts."""
    columns = [cursor.array(dtype, n).tolist() for dtype in ("<u2", "<u8", "<u8", "<u4")]
    return list(zip(*columns, strict=True))


def read_block(data: bytes) -> Block:
    """Section 7."""
    if data[:1] not in (b"\0", b"\1"):
        raise Damaged("not a manifest block")
    cursor = Cursor(unzip(data[1:]) if data[0] else data[1:])
    n, n_chunks, flags, ndim = struct.unpack("<IHBB", cursor.take(8))
    named = [struct.unpack("<Q26s", cursor.take(34)) for _ in range(n_chunks)]
    entries = places(cursor, n)
    shapes = cursor.array("<u4", n * ndim).reshape(n, ndim)
    bits = cursor.array("u1", -(-n // 8)) if flags & 1 else np.zeros(n, np.uint8)
    parts = places(cursor, struct.unpack("<I", cursor.take(4))[0]) if flags & 2 else []
    sources = _sources(cursor, entries) if flags & 4 else {}
    if cursor.at != len(cursor.data) or n > 4096 or flags > 7:
        raise Damaged("a manifest block holds more than it should")
    return Block(
        [object_key("chunks", base, id.decode("ascii")) for base, id in named],
        entries,
        [tuple(shape) for shape in shapes.tolist()],
        np.unpackbits(bits, count=n, bitorder="little").astype(bool).tolist(),
        parts,
        sources,
    )


def _sources(cursor: Cursor, entries: list[tuple[int, int, int, int]]) -> dict[int, list[Any]]:
    """What each entry that is a reference refers to."""
    referring = [i for i, entry in enumerate(entries) if entry[0] == REFERRED]
    numbers = cursor.array("<u4", struct.unpack("<I", cursor.take(4))[0]).tolist()
    known = json.loads(cursor.take(struct.unpack("<I", cursor.take(4))[0]))
    return {i: known[number] for i, number in zip(referring, numbers, strict=True)}


def object_key(kind: str, base: int, id: str) -> str:
    """Section 2."""
    if not ID.fullmatch(id):
        raise Damaged(f"{id!r} is no id")
    return f"{kind}/{base:012d}/{id}"


def pairs(runs: list[int]) -> list[tuple[int, int]]:
    """Runs as (first, count)."""
    return list(zip(runs[::2], runs[1::2], strict=True))


class Dataset:
    """One snapshot; ``column(name)`` reads a column, ``names`` are the columns in order."""

    def __init__(self, root: Path, entry: Json) -> None:
        self.root, self.entry = root, entry
        self.snapshot: Json = entry["snapshot"]
        listed = self.snapshot.get("listed_description")
        described = _blob(root, listed) if listed else self.snapshot["description"]
        columns = described["schema"]["columns"]
        self.columns = {column["name"]: column for column in columns}
        self._by_id = {column["id"]: column["name"] for column in columns}
        self.key: str | None = self._by_id.get(described.get("key"))
        self.row_metadata: str | None = self._by_id.get(described.get("row_metadata"))
        self.names = [name for name in self.columns if name != self.row_metadata]
        self.metadata: Json = described.get("metadata", {})
        rows = self.snapshot["rows"]
        runs = [*(_blob(root, rows["listed"]) if "listed" in rows else []), *rows.get("tail", [])]
        self.row_ids = [id for first, count in pairs(runs) for id in range(first, first + count)]
        if len(self.row_ids) != rows.get("n", 0) or len(set(self.row_ids)) != len(self.row_ids):
            raise Damaged("the rows are not as many as the snapshot says, or one is there twice")

    def column(self, name: str) -> Column:
        """Every value of a column, in the order of the rows."""
        column = self.columns[name]
        type = column["type"]
        owner: dict[int, tuple[int, int]] = {}
        pieces = self.pieces(column["id"])
        for number, piece in enumerate(pieces):
            row = 0
            for first, count in pairs(piece["r"]):
                owner.update((first + i, (number, row + i)) for i in range(count))
                row += count
        missing = [id for id in self.row_ids if id not in owner]
        if missing:
            raise Damaged(f"no piece of {name!r} covers rows {missing[:5]}")
        used = {owner[id][0] for id in self.row_ids}
        read = {number: self._values(pieces[number], type) for number in used}
        values = [read[owner[id][0]][owner[id][1]] for id in self.row_ids]
        return Column(type, column.get("metadata", {}), values)

    def get(self, key: str | bytes | int) -> int | None:
        """The position of the row that has a key, section 6.1."""
        id = self._keys().get(hash_of(key), GONE)
        return self.row_ids.index(id) if id in self.row_ids else None

    def pieces(self, column: int) -> list[Json]:
        """A column's pieces, oldest first."""
        found: list[Json] = []
        for ref in self.snapshot.get("lists", []):
            found += _list(self.root, ref, column)
        return found + [p for p in self.snapshot.get("pieces", []) if p["c"] == column]

    def _keys(self) -> dict[tuple[int, int], int]:
        index, found = self.snapshot["keys"], {}
        for run in index.get("runs", []):
            key = object_key("lists", run["base"], run["id"])
            data, n_blocks = _read(self.root, key), -(-run["n"] // 1024)
            table = check(data[: 20 * n_blocks], 20 * n_blocks, run["crc"], key)
            firsts = np.frombuffer(table, "<u8", 2 * n_blocks).reshape(2, -1).T.tolist()
            crcs = np.frombuffer(table, "<u4", n_blocks, 16 * n_blocks).tolist()
            for i, crc in enumerate(crcs):
                n = min(1024, run["n"] - 1024 * i)
                at = 20 * n_blocks + 24 * 1024 * i
                records = records_of(check(data[at : at + 24 * n], 24 * n, crc, key))
                if next(iter(records)) != tuple(firsts[i]):
                    raise Damaged(f"{key} has another first record than its table says")
                found.update(records)
        found.update(records_of(base64.b64decode(index.get("inline", ""))))
        return found

    def _values(self, piece: Json, type: Json) -> list[Any]:
        """The values of all rows of a piece."""
        total = sum(count for _, count in pairs(piece["r"]))
        if "v" in piece:
            return [_constant(piece["v"], type)] * total
        values: list[Any] = []
        for number, block in enumerate(self._blocks(piece)):
            before = len(values)
            for i in range(len(block.entries)):
                values += self._entry(block, i, piece.get("p", 1), total - len(values), type)
            if "rows" in piece.get("m", {}):
                (rows,) = struct.unpack_from("<I", base64.b64decode(piece["m"]["rows"]), number * 4)
                if len(values) - before != rows:
                    raise Damaged("a block holds other rows than its manifest says")
        if len(values) != total:
            raise Damaged("the entries of a piece hold other rows than it covers")
        if "s" in piece:
            self._check_statistics(piece, type, values)
        return values

    def _entry(self, block: Block, i: int, per: int, left: int, type: Json) -> list[Any]:
        """The values of the rows of one entry: one, or those of a page."""
        flag, shape, length = block.flags[i], block.shapes[i], block.entries[i][2]
        if type["type"] == "link":
            return [None if flag else self._reference(block, i)]
        if fixed(type):
            n = min(per, left)
            return read_page(unpacked(self._payload(block, i), type), n, flag, type)
        if per == 0 and shape[0] > 1:
            n = shape[0]
            if not length:
                return [None] * n
            return read_short(unpacked(self._payload(block, i), type), n, flag, type)
        if flag:
            return [None]
        return [decode(self._payload(block, i), () if per == 0 else shape, type)]

    def _reference(self, block: Block, i: int) -> Reference:
        _, offset, length, _ = block.entries[i]
        url, etag, creds_key = block.sources[i]
        return Reference(url, offset, None if length == TO_END else length, etag, creds_key)

    def _check_statistics(self, piece: Json, type: Json, values: list[Any]) -> None:
        """Section 4.8: of the piece, and of its zones."""
        stated = piece["s"]
        check_statistics(stated, values, type)
        if "zones" not in stated:
            return
        zones = stated["zones"]
        table = base64.b64decode(zones["inline"]) if "t" in piece else self._behind(piece, zones)
        columns = json.loads(unzip(check(table, zones["length"], zones["crc"], "zones")))
        for i, at in enumerate(range(0, len(values), zones["rows"])):
            zone = {name: column[i] for name, column in columns.items()}
            check_statistics(zone, values[at : at + zones["rows"]], type)

    def _behind(self, piece: Json, zones: Json) -> bytes:
        ref = piece["m"]
        at = sum(size for size, _ in struct.iter_unpack("<II", base64.b64decode(ref["blocks"])))
        return _read(self.root, object_key("manifests", ref["base"], ref["id"]))[
            at : at + zones["length"]
        ]

    def _blocks(self, piece: Json) -> list[Block]:
        if "t" in piece:
            return [read_block(base64.b64decode(piece["t"]))]
        ref = piece["m"]
        data = _read(self.root, object_key("manifests", ref["base"], ref["id"]))
        blocks, at = [], 0
        for size, crc in struct.iter_unpack("<II", base64.b64decode(ref["blocks"])):
            blocks.append(read_block(check(data[at : at + size], size, crc, "a manifest block")))
            at += size
        return blocks

    def _payload(self, block: Block, i: int) -> bytes:
        """The stored bytes of an entry."""
        chunk, offset, length, crc = block.entries[i]
        if chunk != IN_PARTS:
            return self._range(block, chunk, offset, length, crc) if length else b""
        data = b""
        while len(data) < length:
            data += self._range(block, *block.parts[offset])
            offset += 1
        if len(data) != length:
            raise Damaged("the parts of a payload do not make up its length")
        return data

    def _range(self, block: Block, chunk: int, offset: int, length: int, crc: int) -> bytes:
        key = block.chunks[chunk]
        with open(self.root / key, "rb") as file:
            file.seek(offset)
            return check(file.read(length), length, crc, f"{key} at {offset}")


def hash_of(key: str | bytes | int) -> tuple[int, int]:
    """A key's hash, high and low, section 6.1."""
    if not isinstance(key, int):
        data = key.encode() if isinstance(key, str) else key
        high, low = struct.unpack("<QQ", blake2b(data, digest_size=16).digest())
        return high, low
    x = low = key & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31, low


def records_of(block: bytes) -> dict[tuple[int, int], int]:
    """A block of records: from hash to row id."""
    high, low, row = np.frombuffer(block, "<u8").reshape(3, -1).tolist()
    hashes = list(zip(high, low, strict=True))
    if hashes != sorted(set(hashes)):
        raise Damaged("the records of a block do not ascend")
    return dict(zip(hashes, row, strict=True))


def _constant(constant: Json, type: Json) -> Any:
    if "payload" not in constant:
        return None
    payload = base64.b64decode(constant["payload"])
    if fixed(type):
        return read_page(unpacked(payload, type), 1, False, type)[0]
    return decode(payload, tuple(constant.get("shape", [])), type)


def _read(root: Path, key: str) -> bytes:
    try:
        return (root / key).read_bytes()
    except FileNotFoundError as error:
        raise Damaged(f"{key} is missing") from error


def _blob(root: Path, ref: Json) -> Any:
    key = object_key("lists", ref["base"], ref["id"])
    return json.loads(unzip(check(_read(root, key), ref["size"], ref["crc"], key)))


def _list(root: Path, ref: Json, column: int) -> list[Json]:
    key = object_key("lists", ref["base"], ref["id"])
    data = _read(root, key)
    header = check(data[: ref["header"]], ref["header"], ref["crc"], key)
    if len(data) != ref["size"] or struct.unpack("<I", header[:4])[0] != len(header) - 4:
        raise Damaged(f"{key} is not of the length its reference says")
    table = json.loads(unzip(header[4:]))
    if ref.get("segments", table) != table:
        raise Damaged(f"{key} has other segments than its reference says")
    found: list[Json] = []
    for id, start, stop, crc, low, high in table:
        if id == column:
            body = data[len(header) + start : len(header) + stop]
            found += json.loads(unzip(check(body, stop - start, crc, key)))
            if any(not low <= f < f + n <= high for p in found for f, n in pairs(p["r"])):
                raise Damaged(f"{key}: a piece lies outside its segment's row ids")
    return found


def read_entry(root: Path, n: int) -> Json:
    """Log entry n, section 3.1."""
    digits = f"{LAST - n:012d}"
    key = f"log/{digits[:9]}/{digits[9:]}"
    data = _read(root, key)
    if len(data) > 65536 or data[-10:] != b"\n%08x\n" % crc32c(data[:-10]):
        raise Damaged(f"{key} does not match its checksum")
    entry: Json = json.loads(data[:-10])
    if entry["aiolake"] != 1 or entry["requires"].get("read"):
        raise Damaged(f"{key} is of a format or has features that are not known here")
    if entry["n"] != n:
        raise Damaged(f"{key} holds entry {entry['n']}")
    return entry


def head(root: Path) -> Json:
    """The newest entry; directories list every entry, section 3.2."""
    names = [
        first + second
        for first in os.listdir(root / "log")
        if re.fullmatch(r"\d{9}", first)
        for second in os.listdir(root / "log" / first)
        if re.fullmatch(r"\d{3}", second)
    ]
    entry = read_entry(root, LAST - int(min(names)))
    if entry["operation"]["kind"] == "closed":
        raise Damaged("the dataset was deleted")
    return entry


def names_of(root: Path, entry: Json, kind: str) -> dict[str, int]:
    """The branches or tags an entry names, section 4.5."""
    refs = entry["refs"]
    table = dict(_blob(root, refs["listed"]).get(kind, {})) if "listed" in refs else {}
    table.update(refs.get(kind, {}))
    return {name: n for name, n in table.items() if n is not None}


def open_dataset(
    directory: str | os.PathLike[str],
    *,
    branch: str = "main",
    tag: str | None = None,
    snapshot: int | None = None,
) -> Dataset:
    """Open a local dataset at a branch's head, a tag or a snapshot, section 10."""
    root = Path(directory)
    newest = head(root)
    branches, tags = (names_of(root, newest, kind) for kind in ("branches", "tags"))
    n = snapshot or (tags[tag] if tag else branches[branch])
    state = newest["state"]
    held = n >= state["expire_below"] or n in (*branches.values(), *tags.values())
    if not state["first"] <= n <= newest["n"] or not held:
        raise Damaged(f"snapshot {n} may not be opened")
    entry = read_entry(root, n)
    if entry["snapshot"] is None or entry["dataset"] != newest["dataset"]:
        raise Damaged(f"entry {n} is no snapshot of this dataset")
    return Dataset(root, entry)
