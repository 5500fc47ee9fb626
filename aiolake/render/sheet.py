"""Rows of a dataset to look at: a page, a picture, or what a notebook shows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiolake.dataset.dataset import Dataset
from aiolake.dataset.referring import references
from aiolake.dataset.select import Selector, one_position, positions
from aiolake.dataset.view import View
from aiolake.errors import (
    CorruptDataError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
)
from aiolake.render.cells import Card, card_of
from aiolake.render.html import fragment, page
from aiolake.render.layout import Layout, is_stored, layout_of, seen_through
from aiolake.render.png import picture_of
from aiolake.render.text import count, shortened, values_of
from aiolake.types import Link

__all__ = ["Sheet", "show"]

MAX_ROWS = 1000
_STEP = 16


class Sheet:
    """Some rows, ready to be looked at. A notebook shows it as it is.

    Attributes:
        title: Where they are from.
        about: Snapshot, rows and columns in a line.
        cards: One a row.
    """

    def __init__(self, title: str, about: str, cards: Sequence[Card]) -> None:
        self.title = title
        self.about = about
        self.cards = tuple(cards)

    def __repr__(self) -> str:
        return f"<Sheet of {count(len(self.cards), 'row')} of {self.title}>"

    def _repr_html_(self) -> str:
        return fragment(self.title, self.about, self.cards)

    def to_html(self) -> str:
        """One HTML page that needs nothing else."""
        return page(self.title, self.about, self.cards)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file whose name ends in ``.html`` or ``.png``; returns the path.

        Raises:
            InvalidInputError: The name ends otherwise.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix in (".html", ".htm"):
            target.write_text(self.to_html(), encoding="utf-8")
        elif suffix == ".png":
            picture_of(self.title, self.about, self.cards).save(target, "PNG", compress_level=6)
        else:
            raise InvalidInputError(
                f"a sheet is saved as .html or .png, got the name {target.name!r}"
            )
        return target


async def show(
    data: Dataset | View, rows: Selector = slice(0, 24), *, columns: Sequence[str] | None = None
) -> Sheet:
    """Rows to look at: pictures with their boxes, masks and keypoints, arrays as plots, text.

    In a notebook ``await aiolake.show(ds[:12])`` shows them; else ``.save("rows.html")``.

    Args:
        data: A dataset, or a view of it.
        rows: Which, as in ``read``; the first 24 by default, at most 1,000.
        columns: Names; all by default.

    Raises:
        InvalidInputError: Too many rows, or an unknown column.

    Links are shown as what they lead to where they may be followed, else as they are.

    Cost: reads these rows.
    """
    if not isinstance(data, Dataset | View):
        raise InvalidInputError(f"show() takes a dataset or a view, got {data!r:.80}")
    view = data[:] if columns is None else data.select(*data.schema.select(columns).names)
    numbers = _numbers(rows, len(view))
    layout = layout_of([seen_through(column) for column in view.schema.columns])
    cards: list[Card] = []
    for start in range(0, len(numbers), _STEP):
        cards += await _cards(view, numbers[start : start + _STEP], layout)
    return Sheet(view._core.url, _about(view, len(numbers)), cards)


def _about(view: View, n_shown: int) -> str:
    columns = shortened(", ".join(view.schema.names), 200)
    shown = f"{n_shown:,} of {count(len(view), 'row')}"
    return f"snapshot {view.snapshot}, {shown}: {columns}"


def _numbers(rows: Selector, n: int) -> list[int]:
    """The rows' numbers, from 0.

    Raises:
        InvalidInputError: More than 1,000.
    """
    one = one_position(rows, n)
    numbers = [one] if one is not None else [int(i) for i in positions(rows, n)]
    if len(numbers) > MAX_ROWS:
        raise InvalidInputError(f"a sheet shows at most {MAX_ROWS:,} rows, got {len(numbers):,}")
    return numbers


async def _cards(view: View, numbers: list[int], layout: Layout) -> list[Card]:
    values = await _values(view, numbers)

    def draw() -> list[Card]:
        return [
            card_of(number, layout, {name: column[i] for name, column in values.items()})
            for i, number in enumerate(numbers)
        ]

    return await view._core.session._pool.run(draw)


async def _values(view: View, numbers: list[int]) -> dict[str, list[Any]]:
    """Values by column: pictures, videos and sound as stored bytes."""
    here = [column for column in view.schema.columns if not isinstance(column.type, Link)]
    stored = [column.name for column in here if is_stored(column.type)]
    decoded = [column.name for column in here if not is_stored(column.type)]
    batches: dict[str, Any] = {}
    if stored:
        batches |= await view.read(numbers, columns=stored, decode=False)
    if decoded:
        batches |= await view.read(numbers, columns=decoded)
    for column in view.schema.columns:
        if isinstance(column.type, Link):
            batches[column.name] = await _linked(view, numbers, column.name, column.type)
    return {column.name: values_of(batches[column.name]) for column in view.schema.columns}


async def _linked(view: View, numbers: list[int], name: str, type: Link) -> Any:
    """What links lead to, or the links themselves where that cannot be had."""
    try:
        batch = await view.read(numbers, columns=[name], decode=not is_stored(type.of))
    except (PermissionDeniedError, NotFoundError, CorruptDataError, StoreError):
        return await references(view, numbers, name)
    return batch[name]
