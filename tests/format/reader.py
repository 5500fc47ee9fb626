"""An independent reader of format v1, from docs/spec/v1.md alone: numpy, zstandard and the stdlib.

``open_dataset(directory)`` verifies every checksum of what it reads; anything wrong is a
``Damaged``.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

LAST = 999_999_999_999
ID = re.compile(r"[a-z2-7]{26}")
IN_PARTS = 0xFFFF
Json = dict[str, Any]
Array = np.ndarray[Any, np.dtype[Any]]


class Damaged(Exception):
    """The bytes are not what the specification says."""


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


def unzip(data: bytes) -> bytes:
    """The content of exactly one zstd frame that states its size."""
    try:
        return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Damaged(f"not one zstd frame: {error}") from error


@dataclass(frozen=True)
class Sample:
    """One stored sample of a column of entries: its payload, decompressed, and shape numbers."""

    payload: bytes
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Column:
    """A column's values: ``values[i]`` is an array, text, JSON value, bytes, number or None."""

    type: Json
    metadata: Json
    values: list[Any]
    samples: list[Sample | None]


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, nbytes: int) -> bytes:
        self.at += nbytes
        if self.at > len(self.data):
            raise Damaged("a manifest block ends early")
        return self.data[self.at - nbytes : self.at]

    def array(self, dtype: str, n: int) -> Array:
        return np.frombuffer(self.take(n * np.dtype(dtype).itemsize), dtype)

    def places(self, n: int) -> list[tuple[int, int, int, int]]:
        columns = [self.array(dtype, n).tolist() for dtype in ("<u2", "<u8", "<u8", "<u4")]
        return list(zip(*columns, strict=True))


@dataclass(frozen=True)
class Block:
    """A manifest block: (chunk, offset, length, crc) of entries and of parts."""

    chunks: list[str]
    entries: list[tuple[int, int, int, int]]
    shapes: list[tuple[int, ...]]
    flags: list[bool]
    parts: list[tuple[int, int, int, int]]


def read_block(data: bytes) -> Block:
    """Section 7."""
    if data[:1] not in (b"\0", b"\1"):
        raise Damaged("not a manifest block")
    cursor = _Cursor(unzip(data[1:]) if data[0] else data[1:])
    n, n_chunks, flags, ndim = struct.unpack("<IHBB", cursor.take(8))
    named = [struct.unpack("<Q26s", cursor.take(34)) for _ in range(n_chunks)]
    entries = cursor.places(n)
    shapes = cursor.array("<u4", n * ndim).reshape(n, ndim)
    bits = cursor.array("u1", -(-n // 8)) if flags & 1 else np.zeros(n, np.uint8)
    parts = cursor.places(struct.unpack("<I", cursor.take(4))[0]) if flags & 2 else []
    if cursor.at != len(cursor.data) or n > 4096 or flags > 3:
        raise Damaged("a manifest block holds more than it should")
    return Block(
        [object_key("chunks", base, id.decode("ascii")) for base, id in named],
        entries,
        [tuple(shape) for shape in shapes.tolist()],
        np.unpackbits(bits, count=n, bitorder="little").astype(bool).tolist(),
        parts,
    )


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
        self.columns = {column["name"]: column for column in described["schema"]["columns"]}
        self.names = list(self.columns)
        self.metadata: Json = described.get("metadata", {})
        rows = self.snapshot["rows"]
        runs = [*(_blob(root, rows["listed"]) if "listed" in rows else []), *rows.get("tail", [])]
        self.row_ids = [id for first, count in pairs(runs) for id in range(first, first + count)]
        if len(self.row_ids) != rows.get("n", 0):
            raise Damaged("the rows are not as many as the snapshot says")

    def column(self, name: str) -> Column:
        """Every value of a column, in the order of the rows."""
        column = self.columns[name]
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
        wanted: dict[int, set[int]] = {}
        for id in self.row_ids:
            wanted.setdefault(owner[id][0], set()).add(owner[id][1])
        read = {n: self._rows(pieces[n], column["type"], rows) for n, rows in wanted.items()}
        cells = [read[owner[id][0]][owner[id][1]] for id in self.row_ids]
        return Column(
            column["type"],
            column.get("metadata", {}),
            [value for value, _ in cells],
            [sample for _, sample in cells],
        )

    def pieces(self, column: int) -> list[Json]:
        """A column's pieces, oldest first."""
        found: list[Json] = []
        for ref in self.snapshot.get("lists", []):
            found += _list(self.root, ref, column)
        return found + [p for p in self.snapshot.get("pieces", []) if p["c"] == column]

    def _rows(
        self, piece: Json, type: Json, wanted: set[int]
    ) -> dict[int, tuple[Any, Sample | None]]:
        """Value and sample of the rows wanted of a piece, by the row's number in it."""
        paged = type["type"] in ("class_label", "embedding") or None not in type.get(
            "shape", [None]
        )
        if "v" in piece:
            cell = _constant(piece["v"], type, paged)
            return dict.fromkeys(wanted, cell)
        blocks = self._blocks(piece)
        if piece.get("p", 1) == 0:
            return self._short_rows(blocks, piece, type, wanted)
        total = sum(count for _, count in pairs(piece["r"]))
        per = piece.get("p", 1)
        cells: dict[int, tuple[Any, Sample | None]] = {}
        for number in sorted({row // per for row in wanted}):
            block = blocks[number // 4096]
            i = number % 4096
            if not paged:
                sample = (
                    None
                    if block.flags[i]
                    else Sample(self._payload(block, i, type), block.shapes[i])
                )
                cells[number] = (None if sample is None else decode(sample, type), sample)
                continue
            n_rows = min(per, total - number * per)
            values = read_page(self._payload(block, i, type), n_rows, block.flags[i], type)
            cells.update((number * per + k, (value, None)) for k, value in enumerate(values))
        return cells

    def _short_rows(
        self, blocks: list[Block], piece: Json, type: Json, wanted: set[int]
    ) -> dict[int, tuple[Any, Sample | None]]:
        """Section 8.5: entries of one value, and pages of several."""
        cells: dict[int, tuple[Any, Sample | None]] = {}
        first = 0
        for number, block in enumerate(blocks):
            before = first
            for i, (n_rows,) in enumerate(block.shapes):
                if any(row in wanted for row in range(first, first + n_rows)):
                    found = self._short_page(block, i, n_rows, type)
                    cells.update((first + k, cell) for k, cell in enumerate(found))
                first += n_rows
            if "m" in piece:
                (rows,) = struct.unpack_from("<I", base64.b64decode(piece["m"]["rows"]), number * 4)
                if first - before != rows:
                    raise Damaged("a block holds other rows than its manifest says")
        if first != sum(count for _, count in pairs(piece["r"])):
            raise Damaged("the entries of a piece hold other rows than it covers")
        return cells

    def _short_page(
        self, block: Block, i: int, n_rows: int, type: Json
    ) -> list[tuple[Any, Sample | None]]:
        if block.flags[i] and block.entries[i][2] == 0:
            return [(None, None)] * n_rows
        data = self._payload(block, i, type)
        values: list[bytes | None] = [data]
        if n_rows > 1:
            ends = struct.unpack_from(f"<{n_rows}H", data)
            at = 2 * n_rows
            bits = data[at + ends[-1] :]
            if len(bits) != (-(-n_rows // 8) if block.flags[i] else 0) or ends != tuple(
                sorted(ends)
            ):
                raise Damaged("a page of short values contradicts itself")
            valid = [not bits or bits[k // 8] >> k % 8 & 1 for k in range(n_rows)]
            spans = zip((0, *ends), ends, valid, strict=False)
            values = [data[at + a : at + b] if ok else None for a, b, ok in spans]
        samples = [None if value is None else Sample(value, ()) for value in values]
        return [(None if s is None else decode(s, type), s) for s in samples]

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

    def _payload(self, block: Block, i: int, type: Json) -> bytes:
        chunk, offset, length, crc = block.entries[i]
        if chunk == IN_PARTS:
            data = b""
            while len(data) < length:
                data += self._range(block, *block.parts[offset])
                offset += 1
        else:
            data = self._range(block, chunk, offset, length, crc) if length else b""
        if len(data) != length:
            raise Damaged("the parts of a payload do not make up its length")
        return unpacked(data, type)

    def _range(self, block: Block, chunk: int, offset: int, length: int, crc: int) -> bytes:
        key = block.chunks[chunk]
        with open(self.root / key, "rb") as file:
            file.seek(offset)
            return check(file.read(length), length, crc, f"{key} at {offset}")


def unpacked(payload: bytes, type: Json) -> bytes:
    """A payload without its compression."""
    return unzip(payload) if type.get("compression") == "zstd" else payload


def _constant(constant: Json, type: Json, paged: bool) -> tuple[Any, Sample | None]:
    if "payload" not in constant:
        return None, None
    payload = unpacked(base64.b64decode(constant["payload"]), type)
    if paged:
        return read_page(payload, 1, False, type)[0], None
    sample = Sample(payload, tuple(constant.get("shape", [])))
    return decode(sample, type), sample


def dtype_of(type: Json) -> np.dtype[Any]:
    """A stored dtype; those numpy lacks as unsigned integers of their size."""
    name = type.get("dtype", "int32")
    if name in ("int2", "int4", "uint2", "uint4") or re.match("float[468]_", name):
        return np.dtype("u1")
    return np.dtype("<u2" if name == "bfloat16" else name).newbyteorder("<")


def read_page(page: bytes, n_rows: int, bitmap: bool, type: Json) -> list[Any]:
    """The rows of a decompressed page: arrays (0-dimensional for scalars), None for nulls."""
    shape: list[int] = [type["n"]] if "n" in type else type.get("shape", [])
    dtype = dtype_of(type)
    nbytes = n_rows * math.prod(shape) * dtype.itemsize
    if len(page) != nbytes + (-(-n_rows // 8) if bitmap else 0):
        raise Damaged(f"a page of {n_rows} rows is {len(page)} bytes long")
    rows = np.frombuffer(page[:nbytes], dtype).reshape(n_rows, *shape)
    bits = np.frombuffer(page[nbytes:], np.uint8)
    valid = np.unpackbits(bits, count=n_rows, bitorder="little") if bitmap else np.ones(n_rows)
    return [np.asarray(row) if ok else None for row, ok in zip(rows, valid.tolist(), strict=True)]


def decode(sample: Sample, type: Json) -> Any:
    """A sample of a column of entries; pictures stay encoded."""
    if type["type"] == "text":
        return sample.payload.decode("utf-8")
    if type["type"] == "json":
        return json.loads(sample.payload)
    if type["type"] == "tensor":
        if len(sample.payload) != math.prod(sample.shape) * dtype_of(type).itemsize:
            raise Damaged("a sample is not of its shape's size")
        return np.frombuffer(sample.payload, dtype_of(type)).reshape(sample.shape)
    return sample.payload


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
