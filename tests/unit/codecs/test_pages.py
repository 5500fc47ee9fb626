"""Many pages of short values read together, beside the values that were written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake.codecs import ByteCodec, codec_of
from aiolake.codecs.pages import cut_text, pick_rows, split_pages
from aiolake.errors import FormatError
from aiolake.types import Bytes, Compression, Json, Text

TEXTS = st.text(alphabet="aü字😀\0", max_size=6)
PAGES = st.lists(st.lists(TEXTS, min_size=1, max_size=9), min_size=1, max_size=6)


def payload_of(codec: ByteCodec, values: list[str]) -> bytes:
    rows = codec.encode_rows(values)
    return codec.page_payload(rows) if len(values) > 1 else codec.packed(rows.values[0])


@given(pages=PAGES, compression=st.sampled_from(["none", "zstd"]), data=st.data())
def test_pages_hold_what_was_written(
    pages: list[list[str]], compression: Compression, data: st.DataObject
) -> None:
    codec = codec_of(Text(compression))
    assert isinstance(codec, ByteCodec)
    payloads = [payload_of(codec, values) for values in pages]
    n_rows = np.asarray([len(values) for values in pages])
    flat = [value for values in pages for value in values]
    assert codec.values_of_pages(payloads, n_rows) == flat
    assert codec.rows_of_pages(payloads, n_rows) == [value.encode() for value in flat]
    of = data.draw(st.lists(st.integers(0, len(pages) - 1), max_size=9))
    rows = [data.draw(st.integers(0, len(pages[page]) - 1)) for page in of]
    picked = codec.picked(payloads, n_rows.tolist(), of, rows)
    assert picked == [pages[p][row].encode() for p, row in zip(of, rows, strict=True)]


def test_other_values_of_pages_are_decoded_one_by_one() -> None:
    codec = codec_of(Json())
    assert isinstance(codec, ByteCodec)
    page = codec.page_payload(codec.encode_rows([{"a": 1}, [2], "3"]))
    assert codec.values_of_pages([page, b"4"], np.asarray([3, 1])) == [{"a": 1}, [2], "3", 4]
    opaque = codec_of(Bytes())
    assert isinstance(opaque, ByteCodec)
    page = opaque.page_payload(opaque.encode_rows([b"\xff", b"x"]))
    assert opaque.values_of_pages([page], np.asarray([2])) == [b"\xff", b"x"]


def all_of(page: bytes) -> object:
    return split_pages([b"one", page], np.asarray([1, 2]))


def one_of(page: bytes) -> object:
    return pick_rows([page], [2], [0], [1])


@pytest.mark.parametrize("read", [all_of, one_of])
@pytest.mark.parametrize(
    ("page", "message"),
    [
        (b"\1\0", "table|bytes long"),
        (b"\1\0\3\0ab", "table|bytes long"),
        (b"\1\0\3\0abcd", "table|bytes long"),
        (b"\4\0\3\0abc", "overlap"),
    ],
)
def test_damaged_pages_are_refused(
    page: bytes, message: str, read: Callable[[bytes], object]
) -> None:
    with pytest.raises(FormatError, match=message):
        read(page)


@pytest.mark.parametrize(
    ("content", "stops"), [(b"a\xff", [1, 2]), ("ü".encode(), [1, 2]), ("aü".encode(), [2, 3])]
)
def test_each_text_must_be_utf8_by_itself(content: bytes, stops: list[int]) -> None:
    with pytest.raises(FormatError, match="UTF-8"):
        cut_text(content, np.asarray(stops))
