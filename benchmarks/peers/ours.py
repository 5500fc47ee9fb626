"""aiolake, through its public names: imported here, so that their import counts as import."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from aiolake import (
    ColumnType,
    Embedding,
    Image,
    Options,
    Session,
    Tensor,
    Text,
    create_dataset,
    open_dataset,
)
from benchmarks.peers.base import BATCH, ROWS_PER_WRITE
from benchmarks.source import N_BANDS, N_DIMENSIONS, Source

__all__ = ["AiolakePeer", "make"]

_COLUMN = "sample"
_COLUMNS = [_COLUMN]


class AiolakePeer:
    """One column of samples, pictures read without decoding, and an integer column.

    Args:
        kind: Of samples.
        options: ``None`` for the defaults, which sync every object before a commit.
        session: Shared with other readers; ``None`` for one of its own.
    """

    waits = True

    def __init__(
        self,
        kind: str,
        options: Options | None = None,
        session: Session | None = None,
    ) -> None:
        self._kind = kind
        self._options = options
        self._decode = kind != "pictures"
        self._shared = session

    async def ingest(self, source: Source, directory: Path) -> None:
        """One transaction."""
        schema = {_COLUMN: _column(self._kind), "label": Tensor("int32", ())}
        async with (
            create_dataset(directory, schema, options=self._options) as ds,
            ds.transaction("ingest") as tx,
        ):
            for values, labels in source.groups(ROWS_PER_WRITE):
                await tx.append(columns={_COLUMN: values, "label": labels})

    async def open(self, directory: Path) -> None:
        """Open the newest snapshot, in a session made for it unless one is shared."""
        self._session = self._shared or Session(self._options)
        self._ds = await open_dataset(directory, session=self._session)

    async def read_one(self, row: int) -> Any:
        """A single index gives a row."""
        values = await self._ds.read(row, columns=_COLUMNS, decode=self._decode)
        return values[_COLUMN]

    async def read_alone(self, row: int) -> Any:
        """In no other way."""
        return await self.read_one(row)

    async def read_many(self, rows: Sequence[int]) -> Sequence[Any]:
        """A list of indexes gives a batch."""
        values = await self._ds.read(rows, columns=_COLUMNS, decode=self._decode)
        samples: Sequence[Any] = values[_COLUMN]
        return samples

    async def scan(self) -> AsyncGenerator[Sequence[Any], None]:
        """Stream one column."""
        view = self._ds.select(_COLUMN)
        async with view.batches(BATCH, decode=self._decode) as batches:
            async for batch in batches:
                yield batch[_COLUMN]

    async def shuffled(self, seed: int) -> AsyncGenerator[Sequence[Any], None]:
        """Stream a view whose rows are a random permutation."""
        order = list(range(len(self._ds)))
        random.Random(seed).shuffle(order)
        view = self._ds[order].select(_COLUMN)
        async with view.batches(BATCH, decode=self._decode) as batches:
            async for batch in batches:
                yield batch[_COLUMN]

    def another(self) -> AiolakePeer:
        """A handle of its own in one session."""
        self._for_others = getattr(self, "_for_others", None) or Session(self._options)
        return AiolakePeer(self._kind, self._options, self._for_others)

    def requests(self) -> int | None:
        """What the session sent, and what files answered at once."""
        done = self._session.statistics()
        return sum(done.requests.values()) + done.immediate_reads

    async def close(self) -> None:
        """Close the handle, and the session unless it is shared."""
        await self._ds.aclose()
        if self._shared is None:
            await self._session.aclose()


def _column(kind: str) -> ColumnType:
    columns: dict[str, ColumnType] = {
        "pictures": Image(),
        "vectors": Embedding(N_DIMENSIONS),
        "ragged": Tensor("float32", (None, N_BANDS)),
        "texts": Text(),
    }
    return columns[kind]


def make(kind: str) -> AiolakePeer:
    """With the defaults."""
    return AiolakePeer(kind)
