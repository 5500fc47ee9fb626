"""``aiolake verify`` and ``gc``: checking every byte, and removing what nobody needs."""

from __future__ import annotations

from dataclasses import asdict

from aiolake.cli.address import opened, opened_whole
from aiolake.cli.asking import ask
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.creds import creds_of
from aiolake.cli.duration import parse_duration
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.cli.progress import bytes_moved
from aiolake.dataset import maintain
from aiolake.dataset.maintain import Collected
from aiolake.dataset.session import Session
from aiolake.dataset.verify import Depth, Verified
from aiolake.dataset.verify import verify as verify_dataset
from aiolake.errors import CorruptDataError
from aiolake.keys import entry_number
from aiolake.render.text import count, printable, size
from aiolake.urls import split_reference

__all__ = ["gc", "verify"]

_SHOWN = 20


async def verify(address: str, /, *, deep: bool = False, common: Common = DEFAULTS) -> Exit:
    """Read every byte a dataset needs and check every checksum; exit code 1 if there is damage.

    Args:
        address: A dataset's URL.
        deep: Also decode every sample, and check what is said of it: shapes, labels, statistics,
            keys.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with Session() as session:
        with output.progress("verifying", None, "bytes") as progress:
            async with bytes_moved(session, progress):
                depth: Depth = "samples" if deep else "bytes"
                verified = await _verified(address, depth, session, common.creds)
    output.document({**asdict(verified), "ok": verified.ok})
    _print_verified(output, verified)
    return Exit.OK if verified.ok else Exit.FAILED


async def _verified(address: str, depth: Depth, session: Session, creds: str | None) -> Verified:
    try:
        async with opened(address, session, creds=creds) as dataset:
            return await verify_dataset(dataset, depth=depth)
    except CorruptDataError as error:
        if entry_number(str(error.context.get("key"))) is None:
            raise
    # An entry of the log is damaged, so that nothing can be opened; which, verifying says.
    return await verify_dataset(
        split_reference(address).url, depth=depth, creds=creds_of(creds), session=session
    )


def _print_verified(output: Output, verified: Verified) -> None:
    decoded = f", {count(verified.n_samples, 'sample')} decoded" if verified.n_samples else ""
    seen = (
        f"{count(verified.n_entries, 'log entry', 'log entries')}, "
        f"{count(verified.n_snapshots, 'snapshot')}, {count(verified.n_objects, 'object')}, "
        f"{size(verified.nbytes)} of samples{decoded}"
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
    async with opened_whole(address, creds=common.creds) as dataset:
        planned = await maintain.gc(dataset, grace=young, dry_run=True)
        _print_plan(output, planned)
        if dry_run:
            output.document(_collected_json(planned))
            return Exit.OK
        if not yes:
            await ask(
                f"Remove them, and what killed writers left, from {printable(dataset.url)}?",
                "nothing was removed",
            )
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
