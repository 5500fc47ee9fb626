"""Contact sheets."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from aiolake.cli.demo.sheet import contact_sheet


def picture(size: tuple[int, int], colour: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(out, "PNG")
    return out.getvalue()


def test_a_sheet_shows_each_picture_in_its_place() -> None:
    colours = ["red", "lime", "blue"] * 3
    sheet = contact_sheet("title", [(picture((20, 30), c), c) for c in colours])
    cell, step, top = 132, 142, 64
    centres = [(24 + i * step + cell // 2, top + cell // 2) for i in range(8)]
    assert [sheet.getpixel(at) for at in centres[:3]] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    below = 24 + cell // 2, top + cell + 30 + cell // 2
    assert sheet.getpixel(below) == (0, 0, 255)


@pytest.mark.parametrize("n", [1, 5, 64])
def test_a_sheet_is_as_large_as_its_pictures_need(n: int) -> None:
    sheet = contact_sheet("t", [(picture((9, 9), "red"), "label " * 40)] * n)
    assert sheet.width == 48 + min(n, 8) * 142 - 10
    assert sheet.height == 48 + 40 + -(-n // 8) * 162 - 10


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "I;16"])
def test_pictures_of_any_kind_can_be_shown(mode: str) -> None:
    assert contact_sheet("t", [(picture((300, 2), "white", mode), mode)]).mode == "RGB"
