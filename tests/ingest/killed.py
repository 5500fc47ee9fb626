"""An ingestion in a process of its own, to be killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiolake
from tests.ingest.files import OPTIONS


def ingest(url: str, source: str, commit_every: int, errors: str) -> None:
    """Ingest a folder; what it says goes to a file beside the dataset."""
    report = asyncio.run(
        aiolake.ingest(
            url, source, commit_every=commit_every, on_error="skip", errors_to=errors,
            options=OPTIONS,
        )
    )  # fmt: skip
    Path(url + ".report").write_text(str(report))
