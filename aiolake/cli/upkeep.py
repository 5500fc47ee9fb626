"""``aiolake verify`` and ``gc``: checking every byte, and removing what nobody needs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.duration import parse_duration
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output, Progress, is_terminal
from aiolake.cli.show import count, printable, size
from aiolake.dataset import maintain
from aiolake.dataset.maintain import Collected, Verified
from aiolake.dataset.session import Session
from aiolake.errors import InvalidInputError

__all__ = ["gc", "verify"]

_TICK_S = 0.1
_SHOWN = 20


async def verify(address: str, /, *, common: Common = DEFAULTS) -> Exit:
    """Read every byte a dataset needs and check every checksum; exit code 1 if there is damage.

    Args:
        address: A dataset's URL.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with Session() as session, opened(address, session) as dataset:
        with output.progress("verifying", None, "bytes") as progress:
            async with _bytes_read(session, progress):
                verified = await maintain.verify(dataset)
    output.document({**asdict(verified), "ok": verified.ok})
    _print_verified(output, verified)
    return Exit.OK if verified.ok else Exit.FAILED


@asynccontextmanager
async def _bytes_read(session: Session, progress: Progress) -> AsyncIterator[None]:
    """Show the bytes a session has read while the body runs."""
    ticker = asyncio.get_running_loop().call_later(_TICK_S, lambda: None)

    def tick() -> None:
        nonlocal ticker
        progress.at(session.statistics().bytes_read)
        ticker = asyncio.get_running_loop().call_later(_TICK_S, tick)

    tick()
    try:
        yield
    finally:
        ticker.cancel()


def _print_verified(output: Output, verified: Verified) -> None:
    seen = (
        f"{count(verified.n_entries, 'log entry', 'log entries')}, "
        f"{count(verified.n_snapshots, 'snapshot')}, {count(verified.n_objects, 'object')}, "
        f"{size(verified.nbytes)} of samples"
    )
    # A missing object is a problem of each piece that needs it.
    messages = list(dict.fromkeys(printable(problem.message) for problem in verified.problems))
    for message in messages[:_SHOWN]:
        output.line(message)
    if len(messages) > _SHOWN:
        output.line(f"and {len(messages) - _SHOWN:,} more (--json lists all)")
    if verified.ok:
        output.line(f"Sound: {seen}.")
    else:
        output.line(f"Damaged: {count(len(messages), 'problem')} in {seen}.")


async def gc(
    address: str,
    /,
    *,
    grace: str = "1d",
    yes: bool = False,
    dry_run: bool = False,
    common: Common = DEFAULTS,
) -> Exit:
    """Remove objects that no snapshot needs: left by failed transactions and expired snapshots.

    Args:
        address: A dataset's URL.
        grace: Transactions younger than this (2h, 7d) may go on; 0s ends all of them.
        yes: Do not ask.
        dry_run: Only say what would be removed.
        common: Options of every command.
    """
    young = parse_duration(grace)
    output = Output(as_json=common.json)
    async with opened(address) as dataset:
        planned = await maintain.gc(dataset, grace=young, dry_run=True)
        _print_plan(output, planned)
        if dry_run:
            output.document(_collected_json(planned))
            return Exit.OK
        if not yes:
            await _ask(f"Remove them, and what killed writers left, from {printable(dataset.url)}?")
        collected = await maintain.gc(dataset, grace=young)
    output.document(_collected_json(collected))
    output.line(f"Removed {_removed(collected)}.")
    return Exit.OK


def _print_plan(output: Output, planned: Collected) -> None:
    output.line(
        f"{count(len(planned.keys), 'object')} that no snapshot needs; transactions begun before "
        f"entry {planned.below} will be refused."
    )
    for key in planned.keys[:_SHOWN]:
        output.line(f"  {key}")
    if len(planned.keys) > _SHOWN:
        output.line(f"  and {len(planned.keys) - _SHOWN:,} more (--dry-run --json lists all)")


async def _ask(question: str) -> None:
    """Go on if the user says yes.

    Raises:
        InvalidInputError: They did not, or nobody is there to ask.
    """
    if not is_terminal(sys.stdin):
        raise InvalidInputError("nothing was removed: nobody is there to ask; add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if (await _typed_line()).strip().lower() not in ("y", "yes"):
        raise InvalidInputError("nothing was removed")


async def _typed_line() -> str:
    """A line from the terminal; waiting on the loop, so that Ctrl-C is heard."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


def _removed(collected: Collected) -> str:
    objects = count(len(collected.keys), "object")
    if not collected.n_temporaries:
        return objects
    return f"{objects} and {count(collected.n_temporaries, 'unfinished file')}"


def _collected_json(collected: Collected) -> dict[str, object]:
    return {
        "dry_run": collected.dry_run,
        "keys": list(collected.keys),
        "below": collected.below,
        "unfinished_files": collected.n_temporaries,
    }
