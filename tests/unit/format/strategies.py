"""Random values of the format, and damaged bytes."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from aiolake import ColumnType, Image, Json, Tensor, Text
from aiolake.format.entry import (
    Blob,
    Description,
    Effects,
    Entry,
    ListRef,
    LogState,
    ManifestRef,
    Operation,
    Piece,
    Refs,
    Requires,
    RowRuns,
    Segment,
    Snapshot,
)
from aiolake.format.manifest import IN_PARTS, Block, Parts
from aiolake.types import Column, Constant, Schema

numbers = st.integers(0, 1 << 40)
crcs = st.integers(0, (1 << 32) - 1)
ids = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)
runs = st.lists(st.tuples(numbers, st.integers(1, 1 << 20)), max_size=4).map(
    lambda pairs: tuple(value for pair in pairs for value in pair)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
blobs = st.builds(Blob, numbers.map(lambda n: n % 10**12), ids, numbers, crcs)
constants = st.builds(
    Constant, st.none() | st.binary(max_size=9), st.lists(crcs, max_size=3).map(tuple)
)
manifest_refs = st.builds(
    ManifestRef, numbers.map(lambda n: n % 10**12), ids, st.binary(max_size=3).map(lambda b: b * 8)
)


def _piece(column: int, rows: tuple[int, ...], page_rows: int, where: dict[str, Any]) -> Piece:
    return Piece(column=column, rows=rows, page_rows=page_rows, **where)


wheres = (
    st.binary(max_size=20).map(lambda inline: {"inline": inline})
    | manifest_refs.map(lambda ref: {"manifest": ref})
    | constants.map(lambda constant: {"constant": constant})
)
pieces = st.builds(_piece, st.integers(0, 5), runs, st.integers(1, 4096), wheres)


@st.composite
def _list_refs(draw: st.DrawFn) -> ListRef:
    header = draw(numbers)
    stops = sorted(draw(st.lists(numbers, max_size=3)))
    segments = tuple(
        Segment(column, start, stop, draw(crcs), draw(numbers), draw(numbers))
        for column, (start, stop) in enumerate(zip([0, *stops], stops, strict=False))
    )
    return ListRef(
        base=draw(numbers.map(lambda n: n % 10**12)),
        id=draw(ids),
        size=header + (stops[-1] if stops else 0),
        header=header,
        crc=draw(crcs),
        n=draw(numbers),
        low=draw(numbers),
        high=draw(numbers),
        segments=draw(st.none() | st.just(segments)),
    )


list_refs = _list_refs()
types: st.SearchStrategy[ColumnType] = st.sampled_from(
    [Tensor("float32", (2, None)), Tensor("datetime64[us]"), Image(), Text("zstd"), Json()]
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    given_names = draw(st.lists(names, max_size=4, unique=True))
    columns = (
        Column(
            i,
            name,
            draw(types),
            draw(st.dictionaries(texts, json_values, max_size=2)),
            draw(constants),
        )
        for i, name in enumerate(given_names)
    )
    return Schema(tuple(columns))


metadata = st.dictionaries(texts, json_values, max_size=3)
descriptions = st.builds(Description, schemas(), metadata)
tables = st.dictionaries(names, st.none() | numbers, max_size=3)
refs = st.builds(Refs, tables, tables, st.none() | blobs)
row_runs = st.builds(RowRuns, numbers, st.none() | blobs, runs)
runs_values = blobs | runs
effects = st.builds(
    Effects,
    appended=numbers,
    updated=runs_values,
    updated_columns=st.lists(numbers, max_size=2).map(tuple),
    deleted=runs_values,
    restored=st.none() | numbers,
    branches=st.lists(names, max_size=2).map(tuple),
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    listed = draw(st.none() | blobs)
    return Snapshot(
        branch=draw(names),
        parent=draw(st.none() | numbers),
        rows=draw(row_runs),
        description=None if listed else draw(descriptions),
        listed_description=listed,
        message=draw(texts),
        author=draw(texts),
        lists=tuple(draw(st.lists(list_refs, max_size=2))),
        pieces=tuple(draw(st.lists(pieces, max_size=3))),
    )


log_numbers = st.integers(0, 10**12 - 1)
entries = st.builds(
    Entry,
    format=st.just(1),
    requires=st.just(Requires()) | st.just(Requires(write=("later",))),
    dataset=ids,
    n=log_numbers,
    write_id=ids,
    time=st.just("2026-11-22T11:05:34.951385Z"),
    operation=st.builds(Operation, st.sampled_from(["commit", "gc", "noop"]), effects),
    state=st.builds(LogState, log_numbers, numbers, numbers, log_numbers, log_numbers),
    refs=refs,
    snapshot=st.none() | snapshots(),
)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    """Manifest blocks whose entries are null, empty, whole or in parts."""
    rng = random.Random(draw(st.integers(0, 1 << 32)))
    n = draw(st.integers(0, 40))
    ndim = draw(st.integers(0, 3))
    chunks = tuple(draw(st.lists(st.tuples(log_numbers, ids), min_size=1, max_size=3)))
    rows: list[tuple[int, int, int, int]] = []
    parts: list[tuple[int, int, int, int]] = []
    for _ in range(n):
        kind = rng.choice(["whole", "empty", "parts"])
        if kind == "parts":
            sizes = [rng.randint(1, 1 << 23) for _ in range(rng.randint(1, 3))]
            row = IN_PARTS, len(parts), sum(sizes), 0
            parts += [
                (rng.randrange(len(chunks)), rng.getrandbits(40), size, rng.getrandbits(32))
                for size in sizes
            ]
        else:
            nbytes = rng.randint(1, 1 << 23) if kind == "whole" else 0
            row = rng.randrange(len(chunks)), rng.getrandbits(40), nbytes, rng.getrandbits(32)
        rows.append(row)
    null = np.asarray([rng.random() < 0.5 for _ in range(n)], bool)
    chunk, offset, length, crc = _columns(rows)
    return Block(
        chunks=chunks,
        chunk=chunk,
        offset=offset,
        length=length,
        crc=crc,
        shape=np.asarray([rng.getrandbits(32) for _ in range(n * ndim)], np.uint32).reshape(
            n, ndim
        ),
        null=null if draw(st.booleans()) else None,
        parts=Parts(*_columns(parts)) if parts else None,
    )


def _columns(rows: list[tuple[int, int, int, int]]) -> list[Any]:
    table = list(zip(*rows, strict=True)) or [(), (), (), ()]
    dtypes = np.uint16, np.uint64, np.uint64, np.uint32
    return [np.asarray(values, dtype) for values, dtype in zip(table, dtypes, strict=True)]


def flipped(data: bytes, bit: int) -> bytes:
    """The data with one bit the other way; ``bit`` counts round."""
    out = bytearray(data)
    out[bit // 8 % len(out)] ^= 1 << bit % 8
    return bytes(out)
