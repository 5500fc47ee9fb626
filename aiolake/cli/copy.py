"""``aiolake cp``: a dataset to another address."""

from __future__ import annotations

from aiolake.cli.address import opened, opened_whole
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.creds import creds_of
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.dataset.copy import CopyProgress, copy_dataset
from aiolake.render.text import count, printable
from aiolake.shown import size

__all__ = ["cp"]


async def cp(
    address: str,
    target: str,
    /,
    *,
    history: bool = False,
    from_creds: str | None = None,
    to_creds: str | None = None,
    common: Common = DEFAULTS,
) -> Exit:
    """Copy a dataset to another address; one that was interrupted goes on when started again.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot); with --history URL.
        target: Where to; nothing may be there but this very copy, begun or done.
        history: Every branch, tag and snapshot, rather than one snapshot.
        from_creds: How to open the dataset; the same as --creds.
        to_creds: How to open the target, as --creds says it of the dataset.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    creds = common.creds if from_creds is None else from_creds
    to = {"target_creds": creds_of(to_creds)}
    unit = "objects" if history else "rows"
    with output.progress("copying", None, unit) as progress:

        def tell(now: CopyProgress) -> None:
            label = "verifying" if history and now.done == now.total else None
            progress.at(now.done, now.total, label)

        if history:
            async with opened_whole(address, creds=creds) as dataset:
                url = dataset.url
            copied = await copy_dataset(
                url, target, history=True, on_progress=tell, creds=creds_of(creds), **to
            )
        else:
            async with opened(address, creds=creds) as dataset:
                copied = await copy_dataset(dataset, target, on_progress=tell, **to)
    output.document(
        {
            "url": copied.url,
            "snapshot": copied.snapshot,
            "rows": copied.n_rows,
            "copied": copied.n_copied,
            "nbytes": copied.nbytes,
        }
    )
    output.line(
        f"{count(copied.n_rows, 'row')} in {printable(copied.url)}; copied {copied.n_copied:,} "
        f"{unit}, {size(copied.nbytes)}."
    )
    return Exit.OK
