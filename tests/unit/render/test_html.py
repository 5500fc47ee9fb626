"""A page shows what rows hold, and nothing in them can run."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image as Pictures

from aiolake.render.cells import Card, Field
from aiolake.render.html import fragment, page
from aiolake.render.png import picture_of

EVIL = "<script>alert(1)</script>\"'&"


def test_text_is_escaped_wherever_it_stands() -> None:
    picture = Pictures.new("RGB", (3, 3))
    html = page(EVIL, EVIL, [Card(0, (Field(EVIL, EVIL, picture),))])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6
    assert not re.search(r'alt="[^"]*"[^>]*alert', html)


def test_a_page_needs_nothing_else() -> None:
    html = page("t", "a", [Card(0, (Field("x", "1", Pictures.new("RGB", (3, 3))),))])
    assert not re.search(r'(src|href)="(?!data:image/(png|jpeg);base64,)', html)
    assert "http" not in html
    assert html.startswith("<!doctype html>")
    assert fragment("t", "a", []) in page("t", "a", [])


def test_pictures_come_through_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    for array, kind in ((np.zeros((80, 90, 3), np.uint8), "png"), (noise, "jpeg")):
        html = page("t", "a", [Card(7, (Field("x", "", Pictures.fromarray(array)),))])
        found = re.search(r'src="data:image/(\w+);base64,([^"]+)" width="90" height="80"', html)
        assert found is not None
        assert found[1] == kind
        with Pictures.open(io.BytesIO(base64.b64decode(found[2]))) as picture:
            assert picture.size == (90, 80)


def test_a_sheet_of_cards_is_a_picture_that_holds_them_all() -> None:
    red = Pictures.new("RGB", (100, 60), (250, 0, 0))
    cards = [Card(i, (Field("x", "word " * 100, red), Field("y", "日本\n\x00"))) for i in range(7)]
    sheet = np.asarray(picture_of("title " * 100, EVIL, cards))
    assert (sheet == (250, 0, 0)).all(axis=2).sum() == 7 * 100 * 60
    assert sheet.shape[1] < 1500


def test_a_sheet_of_no_rows_is_a_picture_too() -> None:
    assert picture_of("t", "a", []).size[1] > 50
