"""``aiolake optimize`` and ``expire``: keeping a dataset small and fast."""

from __future__ import annotations

from aiolake.cli.address import opened, opened_whole
from aiolake.cli.asking import ask
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.duration import parse_duration
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.cli.progress import bytes_moved
from aiolake.dataset import maintain
from aiolake.dataset import optimize as rewriting
from aiolake.dataset.session import Session
from aiolake.errors import InvalidInputError
from aiolake.render.text import count, printable

__all__ = ["expire", "optimize"]


async def optimize(
    address: str, /, *, message: str = "optimize", common: Common = DEFAULTS
) -> Exit:
    """Rewrite a branch's columns into few large pieces; rows and values stay.

    Args:
        address: A dataset: URL (main) or URL@branch.
        message: Said in the history.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with Session() as session, opened(address, session, creds=common.creds) as dataset:
        with output.progress("rewriting", None, "bytes") as progress:
            async with bytes_moved(session, progress):
                snapshot = await rewriting.optimize(dataset, message=message)
        n_rows = len(dataset)
    output.document({"snapshot": snapshot, "rewritten": snapshot is not None})
    if snapshot is None:
        output.line("Nothing to do: every column is one piece already.")
    else:
        output.line(f"Snapshot {snapshot}: {count(n_rows, 'row')} in one piece a column.")
        output.line("The old objects stay for older snapshots, until expire and gc.")
    return Exit.OK


async def expire(
    address: str,
    /,
    *,
    older_than: str | None = None,
    below: int | None = None,
    yes: bool = False,
    common: Common = DEFAULTS,
) -> Exit:
    """Let go of old snapshots, but for those a branch or tag names; gc then removes their objects.

    Args:
        address: A dataset's URL.
        older_than: Snapshots committed longer ago than this (2h, 7d).
        below: Or snapshots with a smaller number.
        yes: Do not ask.
        common: Options of every command.
    """
    if (older_than is None) == (below is None):
        raise InvalidInputError("give --older-than (7d) or --below (a snapshot), one of them")
    period = None if older_than is None else parse_duration(older_than)
    output = Output(as_json=common.json)
    async with opened_whole(address, creds=common.creds) as dataset:
        if not yes:
            which = f"older than {older_than}" if below is None else f"below {below}"
            await ask(
                f"Let go of the snapshots {which} of {printable(dataset.url)}, for good?",
                "nothing was expired",
            )
        line = await maintain.expire(dataset, older_than=period, below=below)
    output.document({"expire_below": line})
    output.line(f"Snapshots below {line} are expired, but for those a branch or tag names.")
    return Exit.OK
