"""Pages of short values, beside a reading of the specification with struct alone."""

from __future__ import annotations

import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aiolake.codecs import ByteCodec, BytePage, codec_of
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Bytes, Json, Text


def codec(type: Text | Json | Bytes) -> ByteCodec:
    found = codec_of(type)
    assert isinstance(found, ByteCodec)
    return found


def read_by_hand(page: bytes, n: int, bitmap: bool) -> list[bytes | None]:
    ends = struct.unpack(f"<{n}H", page[: 2 * n])
    body, bits = page[2 * n : 2 * n + ends[-1]], page[2 * n + ends[-1] :]
    assert len(bits) == (-(-n // 8) if bitmap else 0)
    valid = [not bitmap or bits[i // 8] >> i % 8 & 1 for i in range(n)]
    spans = zip((0, *ends), ends, valid, strict=False)
    return [body[start:stop] if ok else None for start, stop, ok in spans]


@given(values=st.lists(st.none() | st.text(max_size=9), min_size=1), compressed=st.booleans())
def test_a_page_of_texts_is_as_the_specification_says(
    values: list[str | None], compressed: bool
) -> None:
    text = codec(Text("zstd" if compressed else "none"))
    rows = text.encode_rows(values)
    payload = text.page_payload(rows)
    plain = zstandard.decompress(payload) if compressed else payload
    nulls = None in values
    expected = [None if value is None else value.encode() for value in values]
    assert read_by_hand(plain, len(values), nulls) == expected
    page = text.read_page(memoryview(payload), len(values), nulls)
    assert page.values() == expected == [page.value(i) for i in range(len(values))]
    assert text.all_values(page) == values


def test_json_nulls_are_values_and_nones_are_none() -> None:
    json = codec(Json())
    rows = json.encode_rows([{"a": 1}, None, "null", [None]])
    page = json.read_page(json.page_payload(rows), 4, True)
    assert json.all_values(page) == [{"a": 1}, None, "null", [None]]


def test_a_refused_value_is_named_by_its_row() -> None:
    for type, bad in ((Text(), 5), (Text(), "\ud800"), (Bytes(), "x"), (Json(), object())):
        with pytest.raises(InvalidInputError) as caught:
            codec(type).encode_rows([None, bad])
        assert caught.value.context["row"] == 1


@pytest.mark.parametrize(
    ("page", "n", "nulls"),
    [
        (b"", 1, False),
        (b"", 0, False),
        (b"\1\0", 2, False),
        (b"\1\0\2\0a", 2, False),
        (b"\1\0\2\0abc", 2, False),
        (b"\1\0\2\0ab", 2, True),
    ],
)
def test_a_page_of_another_length_than_its_table_says_is_refused(
    page: bytes, n: int, nulls: bool
) -> None:
    with pytest.raises(FormatError, match="bytes long"):
        BytePage(page, n, nulls)


def test_values_that_overlap_are_refused() -> None:
    page = BytePage(b"\3\0\1\0\2\0ab", 3, False)
    for read in (page.values, page.ends, lambda: page.value(0), lambda: page.value(1)):
        with pytest.raises(FormatError, match="overlap"):
            read()


def test_texts_that_are_not_utf8_are_refused() -> None:
    text = codec(Text())
    page = text.read_page(
        codec(Bytes()).page_payload(codec(Bytes()).encode_rows([b"a", b"\xff"])), 2, False
    )
    with pytest.raises(FormatError, match="UTF-8"):
        text.all_values(page)
