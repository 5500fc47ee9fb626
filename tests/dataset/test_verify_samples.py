"""``verify(depth="samples")``: damage that no checksum shows is found and named."""

from __future__ import annotations

import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import aiolake
from aiolake import Options
from aiolake.codecs.fixed import FixedCodec
from aiolake.dataset.verify import Depth
from aiolake.errors import CorruptDataError, InvalidInputError, NotFoundError
from aiolake.format.entry import Entry, Piece, decode_entry, encode_entry
from aiolake.format.keys import GONE, decode_records, encode_records
from aiolake.format.manifest import Block, decode_block, encode_block
from aiolake.keys import entry_key
from tests.dataset.helpers import png

SCHEMA: dict[str, aiolake.ColumnType] = {
    "name": aiolake.Text(),
    "photo": aiolake.Image(),
    "label": aiolake.ClassLabel(["cat", "dog", "grue"]),
    "score": aiolake.Tensor("float32"),
    "points": aiolake.Tensor("int16", (None, 2)),
    "mask": aiolake.Mask(names=["sky", "sea"], ignore=9),
    "tags": aiolake.Sequence(aiolake.Text()),
    "kinds": aiolake.Sequence(aiolake.ClassLabel(["a", "b"])),
    "sound": aiolake.Audio(),
    "facts": aiolake.Json(),
    "joints": aiolake.Keypoints(2),
    "far": aiolake.Link(aiolake.Image),
    "always": aiolake.Text(),
}
N_ROWS = 6
HEAD = 3
HEAD_KEY = entry_key(HEAD)


def a_sound(n: int) -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\1\2" * n)
    return out.getvalue()


def row_of(i: int) -> dict[str, Any]:
    return {
        "name": f"row {i}",
        "photo": png(4, 5, i),
        "label": i % 3,
        "score": i / 2,
        "points": np.full((i + 1, 2), i, np.int16),
        "mask": np.full((3, 4), i % 2, np.uint8),
        "tags": ["x", "y" * i],
        "kinds": [0, 1],
        "sound": a_sound(10 + i),
        "facts": {"i": i},
        "joints": np.zeros((1, 2, 3), np.float32),
        "far": f"file:///pictures/{i}.png",
    }


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    """A dataset in whose newest entry everything lies but the payloads."""
    path = tmp_path / "ds"
    types = {name: type for name, type in SCHEMA.items() if name != "always"}
    options = Options(durability="os")
    async with aiolake.create_dataset(path, types, key="name", options=options) as ds:
        async with ds.transaction() as tx:
            await tx.append([row_of(i) for i in range(N_ROWS)])
        async with ds.transaction() as tx:
            tx.add_column("always", aiolake.Text(), default="yes")
    return path


def none(name: str) -> dict[str, Any]:
    return {**dict.fromkeys(SCHEMA), "name": name}


def edit(root: Path, change: Callable[[Entry], Entry], n: int = HEAD) -> None:
    """Replace an entry by another, whose checksum is right."""
    path = root / entry_key(n)
    path.chmod(0o644)
    path.write_bytes(encode_entry(change(decode_entry(path.read_bytes(), "an entry"))))


def of_snapshot(**changes: Any) -> Callable[[Entry], Entry]:
    def change(entry: Entry) -> Entry:
        assert entry.snapshot is not None
        made = {name: fn(entry.snapshot) for name, fn in changes.items()}
        return msgspec.structs.replace(
            entry, snapshot=msgspec.structs.replace(entry.snapshot, **made)
        )

    return change


def of_piece(name: str, change: Callable[[Piece], Piece | None]) -> Callable[[Entry], Entry]:
    """Change, or take away, the piece of a column."""

    def changed(snapshot: Any) -> tuple[Piece, ...]:
        column = snapshot.description.schema[name].id
        found = [change(p) if p.column == column else p for p in snapshot.pieces]
        return tuple(piece for piece in found if piece is not None)

    return of_snapshot(pieces=changed)


def of_block(change: Callable[[Block], Block]) -> Callable[[Piece], Piece]:
    def changed(piece: Piece) -> Piece:
        block = change(decode_block(piece.inline, "a block"))
        return msgspec.structs.replace(piece, inline=encode_block(block))

    return changed


def of_shape(at: tuple[int, int], value: int) -> Callable[[Piece], Piece]:
    def change(block: Block) -> Block:
        shape = block.shape.copy()
        shape[at] = value
        return msgspec.structs.replace(block, shape=shape)

    return of_block(change)


def of_stats(**changes: Any) -> Callable[[Piece], Piece]:
    def change(piece: Piece) -> Piece:
        stats = msgspec.structs.replace(piece.stats, **changes)  # type: ignore[type-var]
        return msgspec.structs.replace(piece, stats=stats)

    return change


def of_type(name: str, type: aiolake.ColumnType) -> Callable[[Entry], Entry]:
    def change(snapshot: Any) -> Any:
        columns = snapshot.description.schema.columns
        made = tuple(
            msgspec.structs.replace(column, type=type) if column.name == name else column
            for column in columns
        )
        return msgspec.structs.replace(snapshot.description, schema=aiolake.Schema(made))

    return of_snapshot(description=change)


def of_keys(change: Callable[[Any], Any]) -> Callable[[Entry], Entry]:
    def changed(snapshot: Any) -> Any:
        records = change(decode_records(snapshot.keys.inline))
        return msgspec.structs.replace(snapshot.keys, inline=encode_records(records))

    return of_snapshot(keys=changed)


def swapped(records: Any) -> Any:
    row = records.row.copy()
    row[[0, 1]] = row[[1, 0]]
    return msgspec.structs.replace(records, row=row)


def with_a_stranger(records: Any) -> Any:
    """One more key that leads to a row which has another."""
    high, low = (
        np.append(column, column[-1:] + np.uint64(1)) for column in (records.high, records.low)
    )
    return type(records)(high, low, np.append(records.row, records.row[:1]))


def with_one_gone(records: Any) -> Any:
    row = records.row.copy()
    row[2] = GONE
    return msgspec.structs.replace(records, row=row)


def of_rows(
    change: Callable[[tuple[int, ...]], tuple[int, ...]], n: int
) -> Callable[[Entry], Entry]:
    return of_snapshot(
        rows=lambda snapshot: msgspec.structs.replace(
            snapshot.rows, tail=change(snapshot.rows.tail), n=n
        )
    )


def without(piece: Piece) -> None:
    return None


def bad_constant(piece: Piece) -> Piece:
    constant = msgspec.structs.replace(piece.constant, payload=b"\xff")  # type: ignore[type-var]
    return msgspec.structs.replace(piece, constant=constant)


def bad_reference(block: Block) -> Block:
    (first, *rest) = block.sources
    bad = msgspec.structs.replace(first, url="no/address")
    return msgspec.structs.replace(block, sources=(bad, *rest))


DAMAGE: dict[str, tuple[Callable[[Entry], Entry], str]] = {
    "a picture's shape": (of_piece("photo", of_shape((2, 0), 9)), "'photo', row id 2: .*9"),
    "an array's shape": (of_piece("points", of_shape((1, 0), 5)), "'points', row id 1: .*bytes"),
    "a mask's shape": (of_piece("mask", of_shape((0, 0), 7)), "'mask', row id 0: "),
    "a sound's length": (of_piece("sound", of_shape((3, 0), 99)), "'sound', row id 3: .*99"),
    "a sequence's length": (of_piece("tags", of_shape((4, 0), 3)), "'tags', row id 4: .*items"),
    "a label": (of_type("label", aiolake.ClassLabel(["cat"])), "'label', row id .*label 1 has no"),
    "a label in a sequence": (
        of_type("kinds", aiolake.Sequence(aiolake.ClassLabel(["a"]))), "'kinds', .*label 1 has no"
    ),
    "a mask's number": (of_type("mask", aiolake.Mask(names=["sky"])), "mask number 1 has no name"),
    "a column of another type": (of_type("photo", aiolake.Text()), "its column needs 6 of 0"),
    "a constant": (of_piece("always", bad_constant), "UTF-8"),
    "a reference": (of_piece("far", of_block(bad_reference)), "no/address"),
    "nulls": (of_piece("facts", of_stats(nulls=2)), "'facts': its statistics say 2 nulls"),
    "the least": (of_piece("score", of_stats(min=-1.0)), "'score': .*least value of -1.0.* 0.0"),
    "the greatest": (of_piece("score", of_stats(max=7.5)), "'score': .*greatest value of 7.5"),
    "a text's bound": (of_piece("name", of_stats(max="row 4")), "'name': .*greatest .*'row 4'"),
    "a bound that is no bound": (of_piece("name", of_stats(cut=1)), "'name': .*least"),
    "bounds of the unbounded": (of_piece("points", of_stats(min=1)), "nothing to bound"),
    "a column without a piece": (of_piece("score", without), "no piece of column 'score' covers"),
    "a row twice": (of_rows(lambda tail: (*tail, 2, 1), N_ROWS + 1), "row id 2 is there twice"),
    "the number of rows": (of_rows(lambda tail: tail, 9), "9 rows, and its runs have 6"),
    "keys of other rows": (of_keys(swapped), "leads from another key to row id"),
    "a key too many": (of_keys(with_a_stranger), "leads from another key to row id"),
    "a missing key": (of_keys(with_one_gone), "does not find the keys of 1 rows"),
    "too few keys": (of_keys(lambda records: records.take(slice(1, None))), "fewer records than"),
    "no index": (of_snapshot(keys=lambda snapshot: None), "come together, and one is missing"),
}  # fmt: skip


async def test_a_sound_dataset_is_sound(root: Path) -> None:
    async with aiolake.open_dataset(root) as ds:
        found = await aiolake.verify(ds, depth="samples")
        assert found.problems == ()
        # A constant is one sample; the index of keys and the references are none.
        assert (found.n_samples, found.n_references) == (N_ROWS * 12 + 1, N_ROWS)
        assert (await aiolake.verify(ds)).n_samples == 0


@pytest.mark.parametrize("what", DAMAGE)
async def test_what_no_checksum_shows_is_found_and_named(root: Path, what: str) -> None:
    change, message = DAMAGE[what]
    edit(root, change)
    async with aiolake.open_dataset(root) as ds:
        shallow = await aiolake.verify(ds)
        found = await aiolake.verify(ds, depth="samples")
    assert shallow.problems == ()
    assert len(found.problems) >= 1
    assert_matches(message, [problem.message for problem in found.problems])
    assert all(problem.key for problem in found.problems)


def assert_matches(message: str, found: list[str]) -> None:
    import re

    assert any(re.search(message, each, re.S) for each in found), found


async def test_a_null_row_with_bytes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a careless writer leaves behind a bitmap."""
    page_payload = FixedCodec.page_payload

    def careless(self: FixedCodec, rows: Any, start: int, stop: int) -> Any:
        page = bytearray(page_payload(self, rows, start, stop))
        page[0] |= 1
        return bytes(page)

    monkeypatch.setattr(FixedCodec, "page_payload", careless)
    async with aiolake.open_dataset(root) as ds:
        async with ds.transaction() as tx:
            await tx.append([none("none"), {**none("some"), "score": 1.0}])
        found = await aiolake.verify(ds, depth="samples")
    assert_matches("'score', row id 6: .*null row", [each.message for each in found.problems])


async def test_damage_of_bytes_is_named_once(root: Path) -> None:
    chunk = next(path for path in root.glob("chunks/*/*"))
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.chmod(0o644)
    chunk.write_bytes(data)
    async with aiolake.open_dataset(root) as ds:
        found = await aiolake.verify(ds, depth="samples")
    assert len(found.problems) == 1
    assert found.problems[0].start is not None


async def test_zones_are_held_against_the_values(tmp_path: Path) -> None:
    rows = 4096 * 3 + 5
    types: dict[str, aiolake.ColumnType] = {"x": aiolake.Tensor("int64"), "t": aiolake.Text()}
    async with aiolake.create_dataset(tmp_path, types, options=Options(durability="os")) as ds:
        async with ds.transaction() as tx:
            await tx.append(
                columns={
                    "x": np.arange(rows),
                    "t": [f"{i:06} " + "é" * (i % 40) for i in range(rows)],
                }
            )
        assert (await aiolake.verify(ds, depth="samples")).problems == ()

    def rewritten(piece: Piece) -> Piece:
        from aiolake.format.statistics import decode_zones, encode_zones

        assert piece.stats is not None
        assert piece.stats.zones is not None
        zones = list(decode_zones(piece.stats.zones.inline, 4, "zones"))
        zones[2] = msgspec.structs.replace(zones[2], max=5)
        ref, table = encode_zones(zones, 4096)
        inline = msgspec.structs.replace(ref, inline=table)
        return msgspec.structs.replace(
            piece, stats=msgspec.structs.replace(piece.stats, zones=inline)
        )

    edit(tmp_path, of_piece("x", rewritten), n=2)
    async with aiolake.open_dataset(tmp_path) as ds:
        assert (await aiolake.verify(ds)).problems == ()
        (problem,) = (await aiolake.verify(ds, depth="samples")).problems
    assert "statistics of zone 2 say a greatest value of 5" in problem.message


async def test_many_keys_are_checked_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.dataset.keycheck._PART_RECORDS", 1000)
    types: dict[str, aiolake.ColumnType] = {"id": aiolake.Tensor("int64")}
    async with aiolake.create_dataset(tmp_path, types, key="id") as ds:
        for first in (0, 5000):
            async with ds.transaction() as tx:
                await tx.append(columns={"id": np.arange(first, first + 5000)})
        async with ds.transaction() as tx:
            await tx.update([7], {"id": [-7]})
            await tx.delete([9])
        assert (await aiolake.verify(ds, depth="samples")).problems == ()


async def test_a_damaged_head_is_reported_not_raised(root: Path) -> None:
    async with aiolake.open_dataset(root) as ds:
        async with ds.transaction() as tx:
            await tx.append(none("one more"))
        path = root / entry_key(HEAD + 1)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(CorruptDataError):
            await aiolake.open_dataset(root)
        depths: tuple[Depth, ...] = ("bytes", "samples")
        for depth in depths:
            for given in (ds, root, str(root)):
                found = await aiolake.verify(given, depth=depth)
                (problem,) = found.problems
                assert problem.key == entry_key(HEAD + 1)
                # The others are checked as before it.
                assert (found.n_entries, found.n_snapshots) == (HEAD + 1, HEAD)
                assert bool(found.n_samples) == (depth == "samples")


async def test_a_log_of_damaged_entries_alone(root: Path) -> None:
    for n in range(1, HEAD + 1):
        path = root / entry_key(n)
        path.chmod(0o644)
        path.write_bytes(b"")
    found = await aiolake.verify(root)
    assert [problem.key for problem in found.problems] == [HEAD_KEY]
    assert (found.n_entries, found.n_snapshots) == (1, 0)


async def test_what_is_no_dataset_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        await aiolake.verify(tmp_path / "nothing")
    async with aiolake.open_dataset(root) as ds:
        with pytest.raises(InvalidInputError, match="depth is 'bytes' or 'samples'"):
            await aiolake.verify(ds, depth="deep")  # type: ignore[arg-type]
