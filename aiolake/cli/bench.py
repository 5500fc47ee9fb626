"""``aiolake bench``: how fast a dataset, or a place, is."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from aiolake.bench import measure, measure_generated
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.creds import creds_of
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.errors import InvalidInputError
from aiolake.render.text import count, printable

__all__ = ["bench"]


async def bench(
    address: str,
    /,
    *,
    write: bool = False,
    columns: str | None = None,
    raw: bool = False,
    batch: int = 64,
    seconds: float = 2.0,
    rows: int = 2_000,
    sample_bytes: int = 20_000,
    common: Common = DEFAULTS,
) -> Exit:
    """Measure a dataset: opening, single reads, many at once, batches, a scan.

    Args:
        address: A dataset's URL; with --write an address where nothing is.
        write: Write rows of random bytes there first, measure that too, and remove them again.
        columns: Names with commas between them; all by default.
        raw: Read the stored bytes; do not decode.
        batch: Rows of a batch.
        seconds: How long each way to read may take.
        rows: With --write: how many rows.
        sample_bytes: With --write: bytes of each.
        common: Options of every command.
    """
    if not 0 < seconds <= 3600:
        raise InvalidInputError(f"--seconds is above 0 and at most 3600, got {seconds:g}")
    output = Output(as_json=common.json)
    budget = timedelta(seconds=seconds)
    if write:
        if columns is not None or raw:
            raise InvalidInputError("--write measures its own rows: leave out --columns and --raw")
        report = await measure_generated(
            address,
            n_rows=rows,
            sample_bytes=sample_bytes,
            batch=batch,
            budget=budget,
            creds=creds_of(common.creds),
        )
    else:
        chosen = None if columns is None else columns.split(",")
        report = await measure(
            address,
            columns=chosen,
            decode=not raw,
            batch=batch,
            budget=budget,
            creds=creds_of(common.creds),
        )
    output.document(msgspec.to_builtins(report))
    names = ", ".join(report.columns)
    output.line(printable(f"{report.url}: {count(report.n_rows, 'row')} of {names}"))
    for line in report.table().splitlines():
        output.line(line)
    return Exit.OK
