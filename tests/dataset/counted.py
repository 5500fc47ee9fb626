"""Cold handles whose requests are counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiolake
from aiolake import Options
from aiolake.testing import Counts
from tests.dataset.helpers import Backend

READS = ("get", "get_range")
KIB = 1 << 10


@asynccontextmanager
async def opened(
    backend: Backend, options: Options | None = None, **target: Any
) -> AsyncIterator[aiolake.Dataset]:
    """A cold handle: its session has read nothing yet. Counting starts before it opens."""
    async with backend.session(options) as session:
        backend.counting.reset()
        async with aiolake.open_dataset(backend.url, session=session, **target) as ds:
            yield ds


@asynccontextmanager
async def created(
    backend: Backend, schema: dict[str, Any], options: Options | None = None
) -> AsyncIterator[aiolake.Dataset]:
    async with (
        backend.session(options) as session,
        aiolake.create_dataset(backend.url, schema, session=session) as ds,
    ):
        yield ds


async def append(ds: aiolake.Dataset, **columns: Any) -> None:
    async with ds.transaction() as tx:
        await tx.append(columns=columns)


def summary(counts: Counts) -> dict[str, int]:
    """How many requests of each verb; reads of any form are ``get``."""
    found: dict[str, int] = {}
    for request in counts.requests:
        verb = "get" if request.verb in READS else request.verb
        found[verb] = found.get(verb, 0) + 1
    return found


OPEN = {"list": 1, "get": 1}
