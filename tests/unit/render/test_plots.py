"""Arrays as small pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from aiolake.render.colours import NOTHING, class_colour, scaled
from aiolake.render.plots import array_picture, heat_map, line_plot


def column_of(picture: Any, x: int) -> list[int]:
    """Where a column of pixels holds the line's colour."""
    pixels = np.asarray(picture)[:, x]
    return np.flatnonzero((pixels == class_colour(1)).all(axis=1)).tolist()


def test_a_line_rises_with_its_numbers() -> None:
    picture = line_plot(np.arange(240.0))
    left, right = column_of(picture, 10), column_of(picture, 230)
    assert left
    assert right
    assert max(right) < min(left)


def test_a_line_has_a_gap_where_numbers_are_missing() -> None:
    values = np.ones(12)
    values[4:8] = np.nan
    picture = line_plot(values)
    assert column_of(picture, 120) == []
    assert column_of(picture, 20)


def test_one_spike_in_a_million_numbers_is_seen() -> None:
    values = np.zeros(1_000_000)
    values[500_000] = 1
    assert min(column_of(line_plot(values), 120)) < 20


def test_colours_go_from_dark_to_bright_and_gray_is_unknown() -> None:
    table = np.asarray([[0.0, 1.0, np.nan, np.inf]])
    low, high, nan, infinite = scaled(table)[0].sum(axis=-1).tolist()
    assert low < high
    assert nan == infinite == sum(NOTHING)


def test_a_heat_map_keeps_its_form() -> None:
    picture = heat_map(np.arange(400 * 80, dtype=np.float64).reshape(400, 80))
    assert abs(picture.width / picture.height - 80 / 400) < 0.02


def test_bytes_of_three_channels_are_a_picture() -> None:
    array = np.zeros((5, 7, 3), np.uint8)
    array[:, :, 0] = 200
    picture = array_picture(array)
    assert picture is not None
    assert (picture.size, picture.getpixel((3, 3))) == ((7, 5), (200, 0, 0))


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.asarray(3.0), np.zeros((4, 0))])
def test_what_has_no_numbers_is_no_picture(array: NDArray[Any]) -> None:
    assert array_picture(array) is None


@given(
    hnp.arrays(
        st.sampled_from(
            ["?", "i1", "u8", "f2", "f8", "c8", "datetime64[s]", "timedelta64[ns]"]
        ).map(np.dtype),
        hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=9),
    )
)
def test_every_array_is_drawn(array: NDArray[Any]) -> None:
    picture = array_picture(array)
    assert picture is not None
    assert picture.mode == "RGB"
    assert max(picture.size) <= 240
