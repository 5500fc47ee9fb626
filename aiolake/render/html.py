"""A sheet as one HTML page that needs nothing else. Pure.

Everything from the dataset is escaped text or a picture encoded here: nothing in it can run.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from aiolake.render.cells import Card, Field

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["fragment", "page"]

_STYLE = """
.aiolake { color: #1f2328; font: 13px/1.45 system-ui, sans-serif; background: #fff; }
.aiolake h1 { font-size: 18px; margin: 0 0 2px; overflow-wrap: anywhere; }
.aiolake .about { color: #656d76; margin: 0 0 16px; overflow-wrap: anywhere; }
.aiolake .cards { display: grid; gap: 12px;
  grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); align-items: start; }
.aiolake .card { border: 1px solid #d8dee4; border-radius: 8px; overflow: hidden; }
.aiolake .row { background: #f6f8fa; border-bottom: 1px solid #d8dee4; color: #656d76;
  font-size: 12px; padding: 4px 10px; }
.aiolake .field { padding: 6px 10px; }
.aiolake .field + .field { border-top: 1px solid #eef1f4; }
.aiolake .name { color: #656d76; font-size: 11px; overflow-wrap: anywhere; }
.aiolake .text { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; }
.aiolake img { display: block; margin: 2px auto 4px; max-width: 100%; height: auto; }
"""


def page(title: str, about: str, cards: Sequence[Card]) -> str:
    """A whole document."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n</head>\n"
        f'<body style="margin: 24px">\n{fragment(title, about, cards)}\n</body>\n</html>\n'
    )


def fragment(title: str, about: str, cards: Sequence[Card]) -> str:
    """What a notebook shows."""
    inner = "\n".join(_card(card) for card in cards)
    return (
        f'<div class="aiolake">\n<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>\n'
        f'<p class="about">{escape(about)}</p>\n<div class="cards">\n{inner}\n</div>\n</div>'
    )


def _card(card: Card) -> str:
    fields = "".join(map(_field, card.fields))
    return f'<div class="card"><div class="row">row {card.row:,}</div>{fields}</div>'


def _field(field: Field) -> str:
    picture = "" if field.picture is None else _img(field.picture, field.name)
    text = f'<pre class="text">{escape(field.text)}</pre>' if field.text else ""
    return f'<div class="field"><div class="name">{escape(field.name)}</div>{picture}{text}</div>'


def _img(picture: Picture, name: str) -> str:
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<img src="{_data_url(picture)}" {size} alt="{escape(name)}">'


def _data_url(picture: Picture) -> str:
    """PNG for plots, which are few colours; JPEG for what would be large so."""
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=6)
    kind, data = "png", out.getvalue()
    if len(data) > 16_384:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=85)
        kind, data = "jpeg", out.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
