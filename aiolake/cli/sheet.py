"""``aiolake show``: rows as a page or a picture to look at."""

from __future__ import annotations

from pathlib import Path

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.cli.rows import parse_rows
from aiolake.errors import AlreadyExistsError
from aiolake.render.sheet import show as sheet_of
from aiolake.render.text import count, shown_path

__all__ = ["show"]


async def show(
    address: str,
    rows: str = "0:24",
    /,
    *,
    columns: str | None = None,
    out: Path | None = None,
    force: bool = False,
    links: tuple[str, ...] = (),
    common: Common = DEFAULTS,
) -> Exit:
    """Write rows to look at, as a page or a picture: images with boxes and masks, plots, text.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot).
        rows: Which: 0:20, 7, or 3,1,4; the first 24 by default.
        columns: Names with commas between them; all by default.
        out: A file whose name ends in .html or .png; by default the dataset's name and .html.
        force: Replace the file if it is there.
        links: Follow links that begin with this; may be given more than once.
        common: Options of every command.
    """
    selector = parse_rows(rows)
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds, links=links) as dataset:
        target = out if out is not None else Path(f"{_name(address)}.html")
        if target.exists() and not force:
            raise AlreadyExistsError(f"{shown_path(target)} is there; choose --out, or --force")
        chosen = None if columns is None else columns.split(",")
        sheet = await sheet_of(dataset, selector, columns=chosen)
    sheet.save(target)
    output.document({"path": str(target.absolute()), "rows": len(sheet.cards)})
    output.line(f"{count(len(sheet.cards), 'row')} in {shown_path(target.absolute())}")
    return Exit.OK


def _name(address: str) -> str:
    """The last part of an address, as the name of a file."""
    last = address.rstrip("/").rpartition("/")[2]
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in last).lstrip(".") or "rows"
