"""A contact sheet: pictures in a grid, each with its label."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aiolake.render.text import shortened

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

__all__ = ["contact_sheet", "write_sheet"]

_CELL = 132
_CAPTION = 20
_GAP = 10
_MARGIN = 24
_TITLE = 40
_PAPER = (24, 25, 28)
_INK = (236, 236, 232)
_FAINT = (152, 154, 158)


def write_sheet(path: Path, title: str, pictures: Sequence[tuple[bytes, str]]) -> None:
    """Write a contact sheet of encoded pictures and their labels as PNG."""
    contact_sheet(title, pictures).save(path, "PNG", compress_level=4)


def contact_sheet(title: str, pictures: Sequence[tuple[bytes, str]]) -> Picture:
    """Draw a contact sheet, up to eight pictures a line."""
    from PIL import Image, ImageDraw

    columns = max(1, min(8, len(pictures)))
    lines = -(-len(pictures) // columns)
    width = 2 * _MARGIN + columns * (_CELL + _GAP) - _GAP
    height = 2 * _MARGIN + _TITLE + lines * (_CELL + _CAPTION + _GAP) - _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_MARGIN, _MARGIN), title, 18, _INK, width - 2 * _MARGIN)
    for i, (data, label) in enumerate(pictures):
        left = _MARGIN + (i % columns) * (_CELL + _GAP)
        top = _MARGIN + _TITLE + (i // columns) * (_CELL + _CAPTION + _GAP)
        _paste(sheet, data, left, top)
        _write(draw, (left, top + _CELL + 4), label, 12, _FAINT, _CELL)
    return sheet


def _paste(sheet: Picture, data: bytes, left: int, top: int) -> None:
    """Fill a cell with the middle of a picture."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("RGB", (_CELL, _CELL))
        tile = ImageOps.fit(picture.convert("RGB"), (_CELL, _CELL), Image.Resampling.LANCZOS)
    sheet.paste(tile, (left, top))


def _write(
    draw: ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: int,
) -> None:
    """Text that is cut where it would pass ``width`` pixels."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    line = shortened(text, 120)
    while len(line) > 4 and draw.textlength(line, font) > width:
        line = line[:-4].rstrip() + "..."
    draw.text(at, line, colour, font)
