"""Log entries: round trips, and bytes that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.errors import CorruptDataError, FormatError, UnsupportedVersionError
from aiolake.format.checksum import crc32c
from aiolake.format.entry import (
    Entry,
    Operation,
    decode_entry,
    encode_entry,
    unwritable_features,
)
from aiolake.keys import entry_key
from tests.unit.format.strategies import entries, flipped

KEY = entry_key(7)
ENTRY: dict[str, Any] = {
    "aiolake": 1,
    "requires": {},
    "dataset": "a" * 26,
    "n": 7,
    "write_id": "w",
    "time": "2026-11-22T11:05:34.951385Z",
    "operation": {"kind": "commit", "effects": {}},
    "state": {"first": 1},
    "refs": {"branches": {"main": 7}},
    "snapshot": {
        "branch": "main",
        "parent": 6,
        "rows": {"n": 2, "tail": [0, 2]},
        "description": {"schema": {"columns": [{"id": 0, "name": "t", "type": {"type": "text"}}]}},
        "pieces": [{"c": 0, "r": [0, 2], "v": {}}],
    },
}


def sealed(body: bytes) -> bytes:
    return b"%s\n%08x\n" % (body, crc32c(body))


def stored(value: Any) -> bytes:
    return sealed(json.dumps(value).encode())


def changed(path: str, value: Any) -> dict[str, Any]:
    """The entry above with one member set; a path like ``snapshot/rows/n``."""
    copy: dict[str, Any] = json.loads(json.dumps(ENTRY))
    *parents, last = path.split("/")
    inner: Any = copy
    for name in parents:
        inner = inner[int(name) if name.isdigit() else name]
    inner[int(last) if last.isdigit() else last] = value
    return copy


@given(entries)
def test_round_trip(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry), KEY) == entry


@given(entries)
def test_stored_bytes_are_json_a_newline_and_a_checksum(entry: Entry) -> None:
    body, trailer, end = encode_entry(entry).rsplit(b"\n", 2)
    assert json.loads(body)["n"] == entry.n
    assert (int(trailer, 16), len(trailer), end) == (crc32c(body), 8, b"")


@given(entries, st.data())
def test_truncated_and_flipped_bytes_are_corrupt(entry: Entry, data: st.DataObject) -> None:
    good = encode_entry(entry)
    cut = data.draw(st.integers(0, len(good) - 1))
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    for bad in (good[:cut], flipped(good, bit), good + b"\n"):
        with pytest.raises(CorruptDataError, match=KEY):
            decode_entry(bad, KEY)


@given(entries, st.integers(0, 1 << 20))
def test_flipped_bytes_under_a_right_checksum_are_an_error_or_an_entry(
    entry: Entry, bit: int
) -> None:
    try:
        decode_entry(sealed(flipped(encode_entry(entry)[:-10], bit)), KEY)
    except FormatError as error:
        assert KEY in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'{"aiolake": 1}', b'{"a": "\xff"}', b'{"aiolake": "1"}'],
)
def test_other_bytes_under_a_right_checksum_are_a_format_error(body: bytes) -> None:
    with pytest.raises(FormatError, match=KEY):
        decode_entry(sealed(body), KEY)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_a_format_error(opening: bytes) -> None:
    body = stored(ENTRY)[:-10]
    deep = b'{"zzz": ' + opening * 60_000 + b"," + body[1:]
    with pytest.raises(FormatError, match=KEY):
        decode_entry(sealed(deep), KEY)


REFUSED = [
    ("snapshot/rows/tail", [0]),
    ("snapshot/rows/tail", [0, 0]),
    ("snapshot/rows/tail", [-1, 2]),
    ("snapshot/rows/n", -1),
    ("snapshot/rows/listed", {"base": 1, "id": "../../x", "size": 1, "crc": 1}),
    ("snapshot/rows/listed", {"base": 10**12, "id": "a" * 26, "size": 1, "crc": 1}),
    ("snapshot/description", None),
    ("snapshot/listed_description", {"base": 1, "id": "a" * 26, "size": 1, "crc": 1}),
    ("snapshot/description/schema/columns/0/type", {"type": "hologram"}),
    ("snapshot/description/schema/columns/0/name", "a//b"),
    ("snapshot/description/schema/columns/0/id", -1),
    ("snapshot/pieces/0/r", [0, 2, 3]),
    ("snapshot/pieces/0/r", [0, 1 << 70]),
    ("snapshot/pieces/0/p", -1),
    ("snapshot/pieces/0/t", "AAAA"),
    ("snapshot/pieces/0/v", None),
    ("snapshot/pieces/0/m", {"base": 1, "id": "a" * 26, "blocks": "AAAA"}),
    ("operation/effects/updated", [3, 0]),
    ("operation/effects/deleted", [3]),
    ("state/collect_below", -1),
    ("refs/branches", {"main": "x"}),
]


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_values_that_cannot_be_are_a_format_error(path: str, value: Any) -> None:
    assert decode_entry(stored(ENTRY), KEY).n == 7
    with pytest.raises(FormatError, match=KEY):
        decode_entry(stored(changed(path, value)), KEY)


def test_unknown_members_are_ignored() -> None:
    more = changed("snapshot/pieces/0/future", {"x": [1]})
    assert decode_entry(stored({**more, "later": 1}), KEY) == decode_entry(stored(ENTRY), KEY)


def test_another_format_is_unsupported_whatever_else_it_holds() -> None:
    with pytest.raises(UnsupportedVersionError, match="format 2"):
        decode_entry(stored({"aiolake": 2, "snapshot": 5}), KEY)


def test_an_unknown_feature_for_reading_is_unsupported() -> None:
    with pytest.raises(UnsupportedVersionError, match="holograms"):
        decode_entry(stored({"aiolake": 1, "requires": {"read": ["holograms"]}, "n": "?"}), KEY)


def test_an_unknown_feature_for_writing_only_is_readable() -> None:
    entry = decode_entry(stored(changed("requires", {"write": ["holograms"]})), KEY)
    assert unwritable_features(entry) == ("holograms",)
    assert isinstance(entry.operation, Operation)
