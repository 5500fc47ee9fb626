"""``aiolake ingest``: folders and tables into a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from aiolake.cli.address import branch_of
from aiolake.cli.columns import parse_columns
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.creds import creds_of
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.cli.words import in_words_of_the_shell
from aiolake.intake.command import ingest as ingest_source
from aiolake.intake.values import IngestProgress, IngestReport
from aiolake.render.text import printable

__all__ = ["ingest"]


async def ingest(
    address: str,
    source: Path,
    /,
    *columns: str,
    commit_every: int = 10_000,
    on_error: Literal["raise", "skip"] = "raise",
    max_errors: int | None = None,
    errors_to: Path | None = None,
    check: Literal["header", "decode"] = "header",
    readers: int = 4,
    no_resume: bool = False,
    message: str = "",
    common: Common = DEFAULTS,
) -> Exit:
    """Append a folder of pictures (subfolders are classes) or a CSV or JSONL table to a dataset;
    make it if it is not there. A run that was killed goes on where it stopped.

    Args:
        address: A dataset: URL (main) or URL@branch.
        source: The folder or table.
        columns: Types of columns that are not to be inferred: picture=Image 'year=Tensor(int16)'.
        commit_every: Rows of a commit, about.
        on_error: What a bad file does: end the run, or be left out.
        max_errors: With --on-error skip, the most that are left out.
        errors_to: A JSONL file that lists every file left out, and why.
        check: Read a picture's header, or decode it whole.
        readers: Threads that read files.
        no_resume: Ingest everything, also what earlier runs have ingested.
        message: Said in the history.
        common: Options of every command.
    """
    output = Output(as_json=common.json)
    url, branch = branch_of(address)
    with output.progress("ingesting", None, "rows") as progress:

        def tell(now: IngestProgress) -> None:
            progress.at(now.n_rows)

        report = await ingest_source(
            url,
            source,
            schema=parse_columns(columns) or None,
            resume=not no_resume,
            commit_every=commit_every,
            on_error=on_error,
            max_errors=max_errors,
            errors_to=errors_to,
            check=check,
            n_readers=readers,
            message=message,
            branch=branch,
            on_progress=tell,
            creds=creds_of(common.creds),
        )
    output.document(report.to_dict())
    _print(output, report)
    return Exit.OK


def _print(output: Output, report: IngestReport) -> None:
    for line in in_words_of_the_shell(str(report)).splitlines():
        output.line(printable(line))
