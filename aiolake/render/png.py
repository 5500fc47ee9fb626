"""A sheet as one picture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiolake.render.cells import PICTURE_PIXELS, Card, Field
from aiolake.render.colours import FAINT, INK, LINE, PAPER
from aiolake.render.text import shortened

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = ["picture_of"]

_WIDTH = 260
_GAP = 12
_MARGIN = 24
_PAD = 8
_LINE = 16
_MAX_LINES = 8
_MAX_ACROSS = 5


def picture_of(title: str, about: str, cards: Sequence[Card]) -> Picture:
    """All cards in columns under a title, each where there is most room."""
    from PIL import Image, ImageDraw

    across = max(1, min(_MAX_ACROSS, len(cards)))
    width = max(2 * _MARGIN + across * (_WIDTH + _GAP) - _GAP, 480)
    drawn = [_card(card) for card in cards]
    bottoms = [_MARGIN + 56] * across
    places = []
    for picture in drawn:
        column = bottoms.index(min(bottoms))
        places.append((_MARGIN + column * (_WIDTH + _GAP), bottoms[column]))
        bottoms[column] += picture.height + _GAP
    sheet = Image.new("RGB", (width, max(bottoms) - _GAP + _MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), _fitted(draw, title, 18, width - 2 * _MARGIN), INK, _font(18))
    draw.text(
        (_MARGIN, _MARGIN + 26), _fitted(draw, about, 12, width - 2 * _MARGIN), FAINT, _font(12)
    )
    for place, picture in zip(places, drawn, strict=True):
        sheet.paste(picture, place)
    return sheet


def _card(card: Card) -> Picture:
    from PIL import Image, ImageDraw

    fields = [(field, _fitting(field.picture), _lines(field.text)) for field in card.fields]
    height = 26 + sum(_height(picture, lines) for _, picture, lines in fields)
    tile = Image.new("RGB", (_WIDTH, height), PAPER)
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, _WIDTH - 1, 24), fill=(246, 248, 250))
    draw.text((_PAD, 5), f"row {card.row:,}", FAINT, _font(12))
    top = 26
    for field, picture, lines in fields:
        _draw_field(tile, draw, top, field, picture, lines)
        top += _height(picture, lines)
    draw.rectangle((0, 0, _WIDTH - 1, height - 1), outline=LINE)
    return tile


def _fitting(picture: Picture | None) -> Picture | None:
    if picture is None:
        return None
    small = picture.copy()
    small.thumbnail((_WIDTH - 2 * _PAD, PICTURE_PIXELS))
    return small


def _height(picture: Picture | None, lines: Sequence[str]) -> int:
    return _LINE + (0 if picture is None else picture.height + 4) + _LINE * len(lines) + 6


def _draw_field(
    tile: Picture,
    draw: ImageDraw,
    top: int,
    field: Field,
    picture: Picture | None,
    lines: Sequence[str],
) -> None:
    draw.text((_PAD, top), _fitted(draw, field.name, 11, _WIDTH - 2 * _PAD), FAINT, _font(11))
    top += _LINE
    if picture is not None:
        tile.paste(picture, ((_WIDTH - picture.width) // 2, top))
        top += picture.height + 4
    for line in lines:
        draw.text((_PAD, top), line, INK, _font(12))
        top += _LINE


def _lines(text: str) -> list[str]:
    """Text broken to the card's width, at words where it can be."""
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lines: list[str] = []
    for paragraph in text.replace("\t", "  ").split("\n"):
        lines += _broken(draw, paragraph)
        if len(lines) > _MAX_LINES:
            return [*lines[: _MAX_LINES - 1], "..."]
    return lines if text else []


def _broken(draw: ImageDraw, text: str) -> list[str]:
    lines: list[str] = []
    rest = text
    while rest and len(lines) <= _MAX_LINES:
        n = _fitting_length(draw, rest)
        at = rest.rfind(" ", 1, n + 1) if n < len(rest) else n
        n = at if at > 0 else n
        lines.append(rest[:n])
        rest = rest[n:].lstrip(" ")
    return lines or [""]


def _fitting_length(draw: ImageDraw, text: str) -> int:
    """How many characters fit the card's width; at least one."""
    low, high = 1, min(len(text), 120)
    while low < high:
        middle = (low + high + 1) // 2
        fits = draw.textlength(text[:middle], _font(12)) <= _WIDTH - 2 * _PAD
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _fitted(draw: ImageDraw, text: str, size: int, width: int) -> str:
    """One line, cut where it would pass ``width`` pixels."""
    line = shortened(text, 200)
    while len(line) > 4 and draw.textlength(line, _font(size)) > width:
        line = line[:-4].rstrip() + "..."
    return line


def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)
