"""``aiolake branch``, ``tag`` and ``merge``: names of snapshots."""

from __future__ import annotations

from collections.abc import Mapping

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.errors import InvalidInputError
from aiolake.render.text import count, printable

__all__ = ["branch", "merge", "tag"]


async def branch(
    address: str,
    name: str | None = None,
    /,
    *,
    move: int | None = None,
    delete: bool = False,
    common: Common = DEFAULTS,
) -> Exit:
    """List branches, or create, move or delete one.

    Args:
        address: A dataset: URL, or URL@branch, URL@tag, URL@17 for where a new branch begins.
        name: The branch to create; without it branches are listed.
        move: Let it name this snapshot instead.
        delete: Delete it; its snapshots stay until they are expired.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        branches = dataset.branches
        if name is None:
            _only_with_a_name(move is not None, delete)
            _print_names(output, "branch", await branches.list())
            return Exit.OK
        if move is not None and delete:
            raise InvalidInputError("give --move or --delete, not both")
        if delete:
            await branches.delete(name)
        elif move is not None:
            await branches.move(name, move)
        else:
            await branches.create(name)
        _print_change(output, "branch", name, (await branches.list()).get(name))
    return Exit.OK


async def tag(
    address: str, name: str | None = None, /, *, delete: bool = False, common: Common = DEFAULTS
) -> Exit:
    """List tags, or create or delete one.

    Args:
        address: A dataset: URL, or URL@branch, URL@17 for the snapshot to be named.
        name: The tag to create; without it tags are listed.
        delete: Delete it; its snapshot stays until it is expired.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        tags = dataset.tags
        if name is None:
            _only_with_a_name(delete)
            _print_names(output, "tag", await tags.list())
            return Exit.OK
        if delete:
            await tags.delete(name)
        else:
            await tags.create(name)
        _print_change(output, "tag", name, (await tags.list()).get(name))
    return Exit.OK


def _only_with_a_name(*given: bool) -> None:
    if any(given):
        raise InvalidInputError("say which one: its name comes after the address")


def _print_names(output: Output, what: str, names: Mapping[str, int]) -> None:
    output.document([{"name": name, "snapshot": n} for name, n in names.items()])
    rows = [(printable(name), str(n)) for name, n in names.items()]
    output.table((what, "snapshot"), rows, right=("snapshot",))


def _print_change(output: Output, what: str, name: str, snapshot: int | None) -> None:
    output.document({"name": name, "snapshot": snapshot})
    now = "is gone" if snapshot is None else f"names snapshot {snapshot}"
    output.line(f"The {what} {printable(name)} {now}.")


async def merge(
    address: str, source: str, /, *, message: str = "", common: Common = DEFAULTS
) -> Exit:
    """Merge a branch into another: what it has done since the two parted. Nothing is copied.

    Args:
        address: The dataset and the branch that grows: URL (main) or URL@branch.
        source: The branch whose changes are taken over.
        message: Said in the history.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        before = len(dataset)
        snapshot = await dataset.branches.merge(source, message=message)
        output.document({"snapshot": snapshot, "rows_before": before, "rows": len(dataset)})
        name = printable(dataset.branch or "")
        if snapshot is None:
            output.line(f"Nothing to merge: {name} has everything of {printable(source)}.")
        else:
            rows = count(len(dataset), "row")
            output.line(f"{name} is snapshot {snapshot}: {rows}, {before:,} before.")
    return Exit.OK
