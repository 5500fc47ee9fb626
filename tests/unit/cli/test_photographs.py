"""The pictures of the demo: present, decodable, small, and each with its source."""

from __future__ import annotations

import io
from importlib.resources import files

import pytest
from PIL import Image

from aiolake.cli.photographs import photographs

NAMES = [
    "astronaut.jpg",
    "chelsea.jpg",
    "coffee.jpg",
    "hubble_deep_field.jpg",
    "retina.jpg",
    "rocket.jpg",
]


def test_the_photographs_come_in_order() -> None:
    assert [entry.name for entry in photographs()] == NAMES


def test_together_they_are_small() -> None:
    assert sum(len(entry.read_bytes()) for entry in photographs()) < 320_000


@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_each_is_a_colour_jpeg_large_enough_to_cut(index: int) -> None:
    with Image.open(io.BytesIO(photographs()[index].read_bytes())) as image:
        image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert min(image.size) >= 300


def test_each_has_its_source_and_licence() -> None:
    rows = (files("aiolake.cli.photographs") / "SOURCES.md").read_text("utf-8").splitlines()
    named = {row.split("`")[1]: row for row in rows if row.startswith("| `")}
    assert sorted(named) == NAMES
    assert all("public domain" in row or "CC0" in row for row in named.values())
