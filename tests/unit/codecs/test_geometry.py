"""Boxes and keypoints: what is accepted and refused, and boxes from one format to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake import convert_boxes
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import BBox, BoxFormat, Keypoints
from tests.unit.codecs.helpers import entry

BOXES = entry(BBox())
FORMATS: tuple[BoxFormat, ...] = ("xyxy", "xywh", "cxcywh")


def read(codec: Any, value: Any) -> Any:
    encoded = codec.encode(value)
    return codec.decode(bytes(encoded.payload), encoded.shape)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ([[1, 2, 3, 4], [0, 0, 0, 0]], (2, 4)),
        ([1, 2, 3, 4], (1, 4)),
        ([], (0, 4)),
        ([[]], (0, 4)),
        (np.empty((0, 4)), (0, 4)),
        (np.asarray([[0.5, 0.5, 1, 1]], np.float64), (1, 4)),
    ],
    ids=str,
)
def test_boxes_are_four_numbers_each(value: Any, shape: tuple[int, ...]) -> None:
    found = read(BOXES, value)
    assert (found.shape, found.dtype) == (shape, np.dtype("float32"))
    assert found.ravel().tolist() == np.ravel(value).tolist()
    assert not found.flags.writeable


@pytest.mark.parametrize(
    ("type", "value", "reason"),
    [
        (BBox(), [[1, 2, 3]], r"shape \(n, 4\).* \(1, 3\)"),
        (BBox(), [1, 2, 3], r"shape \(n, 4\)"),
        (BBox(), np.zeros((2, 2, 4)), r"shape \(n, 4\)"),
        (BBox(), 3, r"shape \(n, 4\)"),
        (BBox(), "box", "expected float32"),
        (BBox(), [[0, 0, 1, float("nan")]], "box 0, .* is not finite"),
        (BBox(), [[0, 0, 1, 1], [5, 0, 4, 1]], r"box 1, \(5, 0, 4, 1\), ends before it begins"),
        (BBox("xywh"), [[0, 0, -1, 1]], "negative width or height"),
        (BBox("cxcywh"), [[0, 0, 1, -0.5]], "negative width or height"),
        (BBox("xyxy", True), [[0, 0, 100, 50]], "looks like pixels"),
        (BBox(dtype="int32"), [[0, 0, 1.5, 1]], "round"),
        (BBox("xywh", dtype="uint8"), [[0, 0, 256, 1]], "out of range"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_box_is_refused(type: BBox, value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        entry(type).encode(value)


def test_boxes_of_one_format_may_be_none_of_another() -> None:
    assert read(entry(BBox("xywh")), [5, 5, 2, 3]).tolist() == [[5, 5, 2, 3]]
    assert read(entry(BBox("cxcywh", True)), [0.5, 0.5, 1, 1]).tolist() == [[0.5, 0.5, 1, 1]]


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (np.zeros((2, 3, 2)), (2, 3, 2)),
        (np.zeros((0, 3, 3)), (0, 3, 3)),
        ([[1, 2, 0], [3, 4, 2], [float("nan"), float("nan"), 0]], (1, 3, 3)),
        ([], (0, 3, 3)),
    ],
    ids=str,
)
def test_keypoints_are_figures_of_points(value: Any, shape: tuple[int, ...]) -> None:
    for type in (Keypoints(3), Keypoints(names=["a", "b", "c"]), Keypoints()):
        found = read(entry(type), value)
        assert found.dtype == np.float32
        assert found.shape == (shape if type.n or np.ndim(value) > 1 else (0, 0, 3))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((2, 4, 2)), r"shape \(k, 3, 2\) or \(k, 3, 3\), got shape \(2, 4, 2\)"),
        (np.zeros((2, 3, 4)), "expected keypoints"),
        (np.zeros(9), r"reshape"),
        (np.zeros((2, 9)), r"reshape"),
        ([[float("inf"), 0]] * 3, "infinite"),
        ("points", "expected float32"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_are_no_keypoints_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        entry(Keypoints(3)).encode(value)


@pytest.mark.parametrize(
    ("type", "payload", "shape"),
    [
        (BBox(), bytes(16), (2, 4)),
        (BBox(), bytes(20), (1, 5)),
        (BBox(), bytes(16), (4,)),
        (Keypoints(2), bytes(24), (1, 3, 2)),
        (Keypoints(), bytes(24), ((1 << 32) - 1, (1 << 32) - 1, 3)),
    ],
    ids=str,
)
def test_stored_bytes_of_another_size_are_a_format_error(
    type: Any, payload: bytes, shape: tuple[int, ...]
) -> None:
    with pytest.raises(FormatError):
        entry(type).decode(payload, shape)


ONE: dict[tuple[str, bool], list[float]] = {
    ("xyxy", False): [10, 20, 30, 60],
    ("xywh", False): [10, 20, 20, 40],
    ("cxcywh", False): [20, 40, 20, 40],
    ("xyxy", True): [0.125, 0.5, 0.375, 1.5],
    ("xywh", True): [0.125, 0.5, 0.25, 1.0],
    ("cxcywh", True): [0.25, 1.0, 0.25, 1.0],
}
"""One box in each form, on a picture 40 high and 80 wide, worked out by hand."""


@pytest.mark.parametrize("to", ONE, ids=str)
@pytest.mark.parametrize("from_", ONE, ids=str)
def test_a_box_converts_from_each_form_to_each(from_: Any, to: Any) -> None:
    boxes = np.asarray([ONE[from_]] * 2, np.float32)
    found = convert_boxes(boxes, BBox(*from_), BBox(*to), (40, 80))
    assert found.dtype == np.float32
    assert found.tolist() == [ONE[to], ONE[to]]


@given(
    st.lists(st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 4), max_size=3),
    st.sampled_from(FORMATS),
    st.sampled_from(FORMATS),
    st.booleans(),
)
def test_there_and_back_is_where_one_was(
    boxes: Any, first: BoxFormat, second: BoxFormat, normalized: bool
) -> None:
    given_ = np.asarray(boxes, np.float64).reshape(-1, 4)
    before = given_.copy()
    to = BBox(second, normalized)
    there = convert_boxes(given_, first, to, size=(480, 640))
    assert there.shape == given_.shape
    assert np.allclose(convert_boxes(there, to, first, size=(480, 640)), given_, atol=1e-6)
    assert np.array_equal(given_, before)


def test_shapes_and_dtypes_of_what_is_converted() -> None:
    assert convert_boxes([], "xyxy", "xywh").shape == (0, 4)
    assert convert_boxes(np.ones((2, 3, 4)), "xyxy", "xywh").shape == (2, 3, 4)
    assert convert_boxes(np.ones(4, np.float64), "xyxy", "xywh").dtype == np.float64
    assert convert_boxes(np.ones(4, np.int64), "xyxy", "xywh").dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([1, 2, 3], "xyxy", "xywh"), "four numbers"),
        ((["a"] * 4, "xyxy", "xywh"), "boxes are numbers"),
        (([1, 2, 3, 4], "yxyx", "xywh"), "a box format is"),
        (([1, 2, 3, 4], "xyxy", BBox(normalized=True)), r"size=\(height, width\) is needed"),
        (([1, 2, 3, 4], "xyxy", BBox(normalized=True), (0, 4)), r"size=\(height, width\)"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_converted_is_refused(arguments: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        convert_boxes(*arguments)
