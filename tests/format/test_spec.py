"""The numbers and tables of the specification are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from aiolake import keys, types
from aiolake.chunks import pack
from aiolake.format import entry, lists, manifest
from aiolake.versions import blobs, commit, log
from aiolake.versions.conflicts import TABLE, Kind

SPEC = (Path(__file__).parents[2] / "docs" / "spec" / "v1.md").read_text(encoding="utf-8")


def test_the_conflict_table_is_the_codes() -> None:
    (body,) = re.findall(r"^ +app upd .*?\n(.*?)^```", SPEC, re.M | re.S)
    rows = {line[:16].strip(): line[16:].split() for line in body.splitlines()}
    assert list(rows) == [str(kind) for kind in Kind]
    written = {
        (Kind(mine), theirs): cell
        for mine, cells in rows.items()
        for theirs, cell in zip(Kind, cells, strict=True)
    }
    assert written == TABLE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("at most 64 KiB (65,536 bytes)", entry.MAX_ENTRY_BYTES),
        ("1 to 999 999 999 999", keys.MAX_ENTRY),
        ("at most 4,096 |", manifest.BLOCK_ENTRIES),
        ("65,535 for a payload in parts", manifest.IN_PARTS),
        ("65,534 for a reference", manifest.REFERRED),
        ("rows it has. At most 65,536 |", entry.MAX_PAGE_ROWS),
        ("how many rows it has, 1 to 65,536", entry.MAX_PAGE_ROWS),
        ("content is at most 64 MiB", manifest.MAX_BLOCK_NBYTES),
        ("more than 16 KiB **folds**", commit.FOLD_BYTES),
        ("outside parts, and one part | 8 MiB", pack.MAX_PART_BYTES),
        ("most 1 MiB in columns of video and audio", pack.MEDIA_PART_BYTES),
        ("left out for more than 64 columns", lists.MAX_INLINE_SEGMENTS),
        ("after every 64th entry", log.HINT_EVERY),
        ("at most 10,000 columns", types.MAX_COLUMNS),
        ("more than 4,096 bytes of JSON", blobs.REFS_BYTES),
        ("text of at most 4,096 bytes of UTF-8", keys.MAX_MESSAGE_BYTES),
        ("at most 1 GiB", lists.MAX_JSON_NBYTES),
    ],
)
def test_its_limits_are_the_codes(text: str, value: int) -> None:
    assert text in SPEC
    units = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    found = [
        int(re.sub(r"[ ,]", "", number)) * units.get(unit, 1)
        for number, unit in re.findall(r"(\d[\d, ]*?)(?: ?([KMG]iB))?(?![\d, ]*\d)", text)
    ]
    assert value in found


def structs() -> list[type[msgspec.Struct]]:
    found = [value for value in vars(entry).values() if isinstance(value, type)]
    return [
        kind
        for kind in (*found, types.Column, types.Constant, types.Schema)
        if issubclass(kind, msgspec.Struct) and not kind.__name__.startswith("_")
    ]


@pytest.mark.parametrize("kind", structs(), ids=lambda kind: kind.__name__)
def test_every_stored_member_is_named(kind: type[msgspec.Struct]) -> None:
    missing = [
        name
        for name in kind.__struct_encode_fields__
        if not re.search(rf'[`"]{name}[`"]|\b{name}, |, {name}\]', SPEC)
    ]
    assert missing == []
