"""Text of a fixed size: pages of padded UTF-8."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Text
from tests.unit.codecs.helpers import fixed

CODEC = fixed(Text(max_bytes=4))


def test_rows_are_utf_8_padded_with_zeros() -> None:
    rows = CODEC.encode_rows(["", "a", "né", "a\0b", "\U0001f600"])
    page = bytes(CODEC.page_payload(rows, 0, 5))
    assert page == b"\0\0\0\0a\0\0\0n\xc3\xa9\0a\0b\0\xf0\x9f\x98\x80"
    read = CODEC.read_page(page, 5, False)
    assert [CODEC.to_value(read.array, None, i) for i in range(5)] == [
        *("", "a", "né", "a\0b", "\U0001f600"),
    ]


def test_a_batch_is_an_array_whose_dtype_follows_the_column() -> None:
    rows = CODEC.encode_rows(["a", None, "né"])
    batch = CODEC.batch(rows)
    assert batch.dtype == np.dtype("U4")
    assert isinstance(batch, np.ma.MaskedArray)
    assert batch.tolist() == ["a", None, "né"]
    assert CODEC.batch(CODEC.encode_rows([])).dtype == np.dtype("U4")


@pytest.mark.parametrize(
    "values",
    [
        np.array(["ab", "c"]),
        np.array(["ab", "c"], object),
        np.array([b"ab", b"c"]),
        np.ma.array(["ab", "c"]),
        ("ab", np.str_("c")),
    ],
    ids=repr,
)
def test_arrays_of_text_are_rows(values: Any) -> None:
    assert CODEC.batch(CODEC.encode_rows(values)).tolist() == ["ab", "c"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("éé\U0001f600", "8 bytes of UTF-8 is over the column's max_bytes=4"),
        ("a\0", "ends in a NUL"),
        (b"a", r"value\.decode\(\)"),
        (3, "expected text"),
        ("\ud800", "lone surrogate"),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_refused_with_its_row(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        CODEC.encode_rows([None, "a", value])
    assert caught.value.context["row"] == 2


def test_a_page_that_is_not_utf_8_is_a_format_error() -> None:
    rows = CODEC.read_page(b"\xff\0\0\0", 1, False)
    with pytest.raises(FormatError, match="not UTF-8"):
        CODEC.batch(rows)
    with pytest.raises(FormatError, match="not UTF-8"):
        CODEC.to_value(rows.array, None, 0)
