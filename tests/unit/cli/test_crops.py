"""The plan of the demo's pictures, and the pictures."""

from __future__ import annotations

import io

from PIL import Image

from aiolake.cli.demo.crops import MAX_SIDE, MIN_SIDE, CropSource, plan_crops

SIZES = [(640, 427), (300, 451), (512, 512)]


def test_crops_lie_inside_their_photograph() -> None:
    for crop in plan_crops(SIZES, 3000, seed=1):
        left, top, right, bottom = crop.box
        width, height = SIZES[crop.photograph]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


def test_crops_have_the_sizes_promised() -> None:
    sides = [side for crop in plan_crops(SIZES, 3000, seed=1) for side in crop.size]
    assert min(sides) == MIN_SIDE
    assert MIN_SIDE + 100 < max(sides) <= MAX_SIDE


def test_crops_keep_the_proportions_of_what_they_show() -> None:
    for crop in plan_crops(SIZES, 500, seed=2):
        left, top, right, bottom = crop.box
        scales = crop.size[0] / (right - left), crop.size[1] / (bottom - top)
        assert 0.7 < scales[0] / scales[1] < 1.4


def test_photographs_take_turns_and_half_of_the_crops_are_mirrored() -> None:
    crops = plan_crops(SIZES, 999, seed=3)
    assert [crop.photograph for crop in crops[:4]] == [0, 1, 2, 0]
    assert 400 < sum(crop.mirrored for crop in crops) < 600


def test_a_plan_is_a_function_of_its_seed() -> None:
    assert plan_crops(SIZES, 50, seed=4) == plan_crops(SIZES, 50, seed=4)
    assert plan_crops(SIZES, 50, seed=4) != plan_crops(SIZES, 50, seed=5)
    assert plan_crops(SIZES, 20, seed=4) == plan_crops(SIZES, 50, seed=4)[:20]


def test_a_row_is_a_jpeg_of_the_size_planned() -> None:
    source = CropSource(7, seed=6)
    row = source.row(6)
    with Image.open(io.BytesIO(row["image"])) as picture:
        assert picture.format == "JPEG"
        assert min(picture.size) >= MIN_SIDE
    assert row["label"] == 0
    assert list(row) == list(source.schema)
