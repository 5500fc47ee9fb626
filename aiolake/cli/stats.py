"""``aiolake stats``: what the columns hold, without reading media."""

from __future__ import annotations

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.render.text import printable

__all__ = ["stats"]


async def stats(address: str, /, *, fast: bool = False, common: Common = DEFAULTS) -> Exit:
    """Say what the columns hold: counts, nulls, ranges, shapes, sizes, labels. No media are read.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot).
        fast: Only what stored statistics tell: counts, nulls, least and greatest.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        found = await (dataset.stats() if fast else dataset.summary())
    output.document(found.to_dict())
    for line in str(found).splitlines():
        output.line(printable(line))
    return Exit.OK
