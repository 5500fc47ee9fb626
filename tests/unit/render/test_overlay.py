"""What is drawn over a picture is where it should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from aiolake.render.colours import class_colour
from aiolake.render.overlay import Boxes, Figures, Overlay, Region, annotated

GRAY = (100, 100, 100)


def drawn(*overlays: Overlay, own: tuple[int, int] = (200, 100)) -> Any:
    """Pixels of a gray picture of half its own size, with overlays."""
    return np.asarray(annotated(Pictures.new("RGB", (100, 50), GRAY), own, overlays))


def test_a_box_is_scaled_to_the_picture() -> None:
    pixels = drawn(Boxes(np.asarray([[40.0, 20.0, 120.0, 80.0]])))
    for x, y in ((20, 25), (60, 25), (40, 10), (40, 40)):
        assert tuple(pixels[y, x]) == class_colour(0), (x, y)
    assert tuple(pixels[25, 40]) == GRAY
    assert tuple(pixels[5, 5]) == GRAY


def test_classes_choose_the_colour_and_tags_are_written_over_the_box() -> None:
    pixels = drawn(Boxes(np.asarray([[40.0, 50.0, 120.0, 80.0]]), ["cat"], [4]))
    assert tuple(pixels[25, 20]) == class_colour(4)
    above = pixels[10:25, 20:45].reshape(-1, 3)
    assert (above == class_colour(4)).all(axis=1).any()
    assert (above > 220).all(axis=1).any()


def test_boxes_that_are_no_numbers_or_upside_down_do_no_harm() -> None:
    corners = np.asarray([[np.nan, 0, 1, 1], [90.0, 80.0, 10.0, 10.0], [-1e9, -1e9, 1e9, 1e9]])
    assert drawn(Boxes(corners)).shape == (50, 100, 3)


@pytest.mark.parametrize("far", [3e9, 1e30])
def test_boxes_and_points_far_outside_do_no_harm(far: float) -> None:
    corners = np.asarray([[far, far, 2 * far, 2 * far], [-far, -far, far, far]])
    points = np.asarray([[[far, far], [10.0, 10.0]], [[-far, 0.0], [10.0, 10.0]]])
    pixels = drawn(Boxes(corners, ["far", "near"], [0, 1]), Figures(points, [(0, 1)]))
    assert tuple(pixels[25, 50]) == GRAY


def test_a_region_tints_its_pixels_only() -> None:
    classes = np.zeros((100, 200), np.int64)
    classes[:50] = 1
    classes[50:, 100:] = 255
    pixels = drawn(Region(classes, hidden=255))
    assert tuple(pixels[10, 10]) != GRAY
    assert tuple(pixels[40, 10]) == GRAY
    assert tuple(pixels[40, 90]) == GRAY


def test_a_region_of_another_size_is_stretched() -> None:
    pixels = drawn(Region(np.asarray([[0, 2]])))
    assert tuple(pixels[25, 20]) == GRAY
    assert tuple(pixels[25, 80]) != GRAY


def test_points_that_are_not_visible_are_left_out() -> None:
    points = np.asarray([[[20.0, 20.0, 2.0], [180.0, 80.0, 0.0]]])
    pixels = drawn(Figures(points, [(0, 1)]))
    assert tuple(pixels[10, 10]) == class_colour(0)
    assert tuple(pixels[40, 90]) == GRAY
    assert tuple(pixels[25, 50]) == GRAY


def test_a_skeleton_joins_points() -> None:
    pixels = drawn(Figures(np.asarray([[[20.0, 50.0], [180.0, 50.0]]]), [(0, 1)]))
    assert tuple(pixels[25, 50]) == class_colour(0)
