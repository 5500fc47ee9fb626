"""Text, JSON and bytes."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aiolake.codecs import FixedCodec, codec_of, decode_json, encode_json
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Bytes, Json, Text
from tests.unit.codecs.helpers import entry

unicode = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | unicode
values = st.recursive(
    scalars.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner) | st.dictionaries(unicode, inner),
    max_leaves=20,
)


@given(text=unicode, compressed=st.booleans())
def test_text_round_trips(text: str, compressed: bool) -> None:
    codec = entry(Text("zstd" if compressed else "none"))
    encoded = codec.encode(text)
    assert encoded.shape == ()
    payload = bytes(encoded.payload)
    assert (zstandard.decompress(payload) if compressed else payload) == text.encode()
    assert codec.decode(memoryview(payload), ()) == text
    assert codec.raw(payload, ()) == text.encode()


@given(data=st.binary(), compressed=st.booleans(), kind=st.sampled_from([bytes, bytearray]))
def test_bytes_round_trip(data: bytes, compressed: bool, kind: type[bytes | bytearray]) -> None:
    codec = entry(Bytes("zstd" if compressed else "none"))
    for value in (kind(data), memoryview(kind(data))):
        payload = bytes(codec.encode(value).payload)
        assert (zstandard.decompress(payload) if compressed else payload) == data
        assert codec.decode(bytearray(payload), ()) == data
        assert codec.raw(payload, ()) == data


def test_bytes_given_are_not_looked_at_again() -> None:
    given_bytes = bytearray(b"abc")
    encoded = entry(Bytes()).encode(given_bytes)
    given_bytes[0] = 0
    assert encoded.payload == b"abc"


@given(value=values, compressed=st.booleans())
def test_json_round_trips(value: Any, compressed: bool) -> None:
    codec = entry(Json("zstd" if compressed else "none"))
    payload = bytes(codec.encode(value).payload)
    text = codec.raw(payload, ())
    assert isinstance(text, bytes)
    assert codec.decode(payload, ()) == value
    assert json.loads(text) == value


def test_big_json_round_trips() -> None:
    value = {f"k{i}": [i, float(i), {"x": "é" * 50}] for i in range(20_000)}
    codec = entry(Json("zstd"))
    assert codec.decode(codec.encode(value).payload, ()) == value


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        ({"a": np.float64(0.5), "b": [np.int8(3), np.bool_(True)]}, {"a": 0.5, "b": [3, True]}),
        (OrderedDict(a=1), {"a": 1}),
        (2**100, 2**100),
        (-(2**63), -(2**63)),
        (None, None),
        ("", ""),
    ],
    ids=repr,
)
def test_tuples_and_numpy_scalars_become_what_json_has(value: Any, read: Any) -> None:
    back = decode_json(encode_json(value))
    assert back == read
    assert type(back) is type(read)


class Colour(enum.Enum):
    RED = "red"


def _endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), r"cannot hold nan \(at \$\)"),
        ({"a": [1, float("inf")]}, r"cannot hold inf \(at \$\.a\[1\]\)"),
        ([np.float32("nan")], r"cannot hold nan \(at \$\[0\]\)"),
        ({1: 2}, r"keys are text, got int 1 \(in \$\)"),
        ({"a": {None: 2}}, r"keys are text, got NoneType None \(in \$\.a\)"),
        (["ok", "\ud800"], r"lone surrogate \(at \$\[1\]\)"),
        ({"\udfff": 1}, r"lone surrogate \(in \$\)"),
        (np.zeros(2), r"ndarray of float64 with shape \(2,\) \(at \$\)"),
        (b"bytes", "cannot hold 5 bytes"),
        ({"when": dt.datetime(2020, 1, 1)}, r"datetime.*at \$\.when"),
        ([Decimal("1.5")], "Decimal"),
        ({1, 2}, "set"),
        (Colour.RED, "Colour"),
        (object, "type"),
        (1j, "complex"),
        (_endless(), "nested too deeply"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode(),
)
def test_what_json_cannot_say_is_refused_saying_where(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        encode_json(value)


@pytest.mark.parametrize("text", [b"", b"{", b"nul", b"[1,]", b'"\xff"', b"NaN", b"[" * 100_000])
def test_stored_bytes_that_are_no_json_are_refused(text: bytes) -> None:
    with pytest.raises(FormatError, match="not JSON"):
        entry(Json()).decode(text, ())


@pytest.mark.parametrize("value", [b"bytes", 3, None, ["a"], np.array(["a"])], ids=repr)
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected text"):
        entry(Text()).encode(value)


def test_a_lone_surrogate_is_refused_saying_where() -> None:
    with pytest.raises(InvalidInputError, match="at character 2"):
        entry(Text()).encode("ab\ud83d")


@pytest.mark.parametrize("payload", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
def test_stored_bytes_that_are_no_text_are_refused(payload: bytes) -> None:
    with pytest.raises(FormatError, match="not UTF-8"):
        entry(Text()).decode(payload, ())


@pytest.mark.parametrize("value", ["text", 3, None, [1], np.zeros(2, "u1")], ids=repr)
def test_what_is_no_bytes_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected bytes"):
        entry(Bytes()).encode(value)


@pytest.mark.parametrize(
    "value",
    [np.str_("é"), np.bytes_("é".encode()), np.array("é"), np.array("é".encode())],
    ids=repr,
)
@pytest.mark.parametrize("type", [Text(), Text(max_bytes=4)], ids=str)
def test_numpy_text_is_text(type: Text, value: Any) -> None:
    codec = codec_of(type)
    if isinstance(codec, FixedCodec):
        assert codec.batch(codec.encode_rows([value])).tolist() == ["é"]
    else:
        assert codec.decode(codec.encode(value).payload, ()) == "é"


def test_numpy_bytes_of_another_encoding_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="are not UTF-8"):
        entry(Text()).encode(np.bytes_("é".encode("latin-1")))
