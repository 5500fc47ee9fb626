"""``cat``: one value, exactly."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

import aiolake
from aiolake import ColumnType, Image, Link, Video
from tests.cli.conftest import png
from tests.cli.running import Cli


def test_a_picture_comes_byte_for_byte(cli: Cli, pets: Path) -> None:
    assert cli.ok("cat", pets, 1, "image").stdout == png(11, 5)


def test_bytes_come_as_they_are(cli: Cli, pets: Path) -> None:
    assert cli.ok("cat", pets, 2, "raw").stdout == b"\0\1\2"


def test_rows_count_from_the_end_too(cli: Cli, pets: Path) -> None:
    assert cli.ok("cat", pets, -2, "raw").stdout == b"\0\1\2"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("label", "dog\n"),
        ("caption", "caption 1 " + "long " * 30 + "\n"),
        ("score", "0.25\n"),
        ("vector", "[1., 1., 1.]\n"),
        ("points", "[[1, 1]]\n"),
    ],
)
def test_other_values_come_as_text(cli: Cli, pets: Path, column: str, text: str) -> None:
    assert cli.ok("cat", pets, 1, column).out == text


def test_json_comes_as_json(cli: Cli, pets: Path) -> None:
    assert json.loads(cli.ok("cat", pets, 1, "about").out) == {"i": 1, "tags": ["a", None]}


def test_none_is_an_error_and_null_in_json(cli: Cli, pets: Path) -> None:
    done = cli("cat", pets, 3, "image")
    assert (done.code, done.stdout) == (1, b"")
    assert "is None" in done.err
    assert cli.ok("cat", pets, 3, "image", "--json").document is None


def test_links_and_films_are_written_as_their_bytes(cli: Cli, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.png").write_bytes(png(8, 6))
    film = np.zeros((2, 16, 16, 3), np.uint8)

    async def build() -> None:
        schema: dict[str, ColumnType] = {"photo": Link(Image()), "film": Video(rate=5)}
        async with aiolake.create_dataset(tmp_path / "ds", schema) as ds, ds.transaction() as tx:
            await tx.append({"photo": (outside / "a.png").as_uri(), "film": film})

    asyncio.run(build())
    done = cli("cat", tmp_path / "ds", "0", "photo")
    assert (done.code, "may not follow" in done.err) == (1, True)
    prefix = outside.as_uri() + "/"
    assert cli.ok("cat", tmp_path / "ds", "0", "photo", "--links", prefix).stdout == png(8, 6)
    assert cli.ok("cat", tmp_path / "ds", "0", "film").stdout.startswith(b"\x1aE\xdf\xa3")
