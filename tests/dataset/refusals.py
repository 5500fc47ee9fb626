"""Datasets of flowers, and what is said of bad input: class, words, and nothing written."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

import aiolake
from aiolake import (
    AiolakeError,
    Bytes,
    ClassLabel,
    Dataset,
    Embedding,
    Image,
    Json,
    Tensor,
    Text,
)
from tests.dataset.helpers import Backend, png, stored

SCHEMA: dict[str, aiolake.ColumnType] = {
    "image": Image(),
    "label": ClassLabel(["daisy", "rose"]),
    "caption": Text(),
    "box": Tensor("float32", (4,)),
    "points": Tensor("int16", (None, 2)),
    "vector": Embedding(3),
    "extra": Json(),
    "raw": Bytes(),
}
GOOD: dict[str, Any] = {
    "image": png(2, 2),
    "label": "rose",
    "caption": "a rose",
    "box": [0, 0, 1, 1],
    "points": [[1, 2]],
    "vector": [1.0, 2.0, 3.0],
    "extra": {"a": 1},
    "raw": b"x",
}
N_ROWS = 5


@asynccontextmanager
async def refused(backend: Backend, kind: type[AiolakeError], *words: str) -> AsyncIterator[None]:
    """Exactly this class, these words, and not one object written."""
    before = await stored(backend.store)
    with pytest.raises(AiolakeError) as caught:
        yield
    check_words(caught.value, kind, words)
    assert await stored(backend.store) == before, "something was written"


@contextmanager
def raises(kind: type[AiolakeError], *words: str) -> Iterator[None]:
    with pytest.raises(AiolakeError) as caught:
        yield
    check_words(caught.value, kind, words)


def check_words(error: AiolakeError, kind: type[AiolakeError], words: tuple[str, ...]) -> None:
    assert type(error) is kind, repr(error)
    for word in words:
        assert word in error.message, error.message
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert again.message == error.message


async def commit(ds: Dataset, change: Callable[[aiolake.Transaction], Any]) -> None:
    async with ds.transaction() as tx:
        done = change(tx)
        if done is not None:
            await done
