"""``where`` on its own terms: what may be asked, what is refused, and what is not read."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import (
    ClassLabel,
    Dataset,
    Image,
    InvalidInputError,
    Json,
    Options,
    Predicate,
    Tensor,
    Text,
)
from aiolake.chunks import write
from tests.dataset.counted import KIB, READS, append, created, opened
from tests.dataset.helpers import Backend, png

N = 100_000
LABELS = ["rose", "tulip", "aster"]


async def numbers(view: Any) -> list[int]:
    found: list[int] = (await view.read(slice(None), columns=["n"]))["n"].tolist()
    return found


async def small(ds: Dataset) -> None:
    async with ds.transaction() as tx:
        await tx.append(
            [
                {
                    "n": n,
                    "label": n % 3,
                    "meta/width": None if n == 5 else 100 * n,
                    "real": np.nan if n == 7 else n / 4,
                    "at": datetime.datetime(2026, 1, 1 + n),
                    "name": f"row {n}",
                    "json": {"a": n},
                }
                for n in range(10)
            ]
        )


SMALL: dict[str, Any] = {
    "n": Tensor("int16"),
    "label": ClassLabel(LABELS),
    "meta/width": Tensor("uint16"),
    "real": Tensor("float32"),
    "at": Tensor("datetime64[us]"),
    "name": Text(),
    "json": Json(),
}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"label": "tulip"}, [1, 4, 7]),
        ({"label": ["rose", 2]}, [0, 2, 3, 5, 6, 8, 9]),
        ({"meta/width": 300}, [3]),
        ({"meta/width": None}, [5]),
        ({"meta/width": aiolake.not_(aiolake.ge(300))}, [0, 1, 2, 5]),
        ({"meta/width": [100, None]}, [1, 5]),
        ({"meta/width": -100}, []),
        ({"meta/width": 1 << 17}, []),
        ({"n": 3.5}, []),
        ({"n": 3.0}, [3]),
        ({"n": aiolake.between(2.5, np.int64(4))}, [3, 4]),
        ({"real": np.nan}, [7]),
        ({"real": aiolake.gt(2)}, [9]),
        ({"real": aiolake.not_(aiolake.le(2))}, [7, 9]),
        ({"at": datetime.datetime(2026, 1, 3)}, [2]),
        ({"at": aiolake.lt("2026-01-03")}, [0, 1]),
        ({"at": datetime.date(2026, 1, 3)}, [2]),
        ({"name": "row 4"}, [4]),
        ({"name": aiolake.between("row 3", "row 5")}, [3, 4, 5]),
        ({"json": aiolake.not_null(), "n": range(2)}, [0, 1]),
        ({"n": aiolake.not_null(), "label": 2, "real": aiolake.lt(1)}, [2]),
        ({"n": []}, []),
        ({"n": np.array([4, 1])}, [1, 4]),
    ],
)
async def test_rows_that_match(conditions: dict[str, Any], expected: list[int]) -> None:
    async with created(Backend(), SMALL) as ds:
        await small(ds)
        assert await numbers(await ds.where(conditions)) == expected
        view = ds[::-1].select("n")
        assert await numbers(await view.where(conditions)) == expected[::-1]


async def test_names_and_a_mapping_together(flowers: Dataset) -> None:
    async with created(Backend(), SMALL) as ds:
        await small(ds)
        found = await ds.where({"meta/width": aiolake.ge(200)}, label="aster", n=aiolake.lt(9))
        assert await numbers(found) == [2, 8]
        assert await numbers(await found.where(n=8)) == [8]


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ({}, "at least one condition"),
        ({"lable": 1}, "near: 'label'"),
        ({"label": "rosé"}, "labels are 'rose', 'tulip', 'aster'"),
        ({"label": aiolake.lt("tulip")}, "no order by name"),
        ({"n": "3"}, "expected a number"),
        ({"n": aiolake.between(1, "3")}, "expected a number"),
        ({"name": 3}, "expected text"),
        ({"at": 3}, "expected a time"),
        ({"at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)}, "time zone"),
        ({"json": {"a": 1}}, "is no condition"),
        ({"json": "a"}, "possible are None"),
        ({"n": slice(1, 3)}, "is no condition"),
        ({"n": lambda n: n > 3}, "is no condition"),
    ],
)
async def test_what_cannot_be_asked_is_said(conditions: dict[str, Any], says: str) -> None:
    async with created(Backend(), SMALL) as ds:
        await small(ds)
        with pytest.raises(InvalidInputError, match=says):
            await ds.where(conditions)


async def test_a_column_named_twice_and_what_is_no_mapping() -> None:
    async with created(Backend(), SMALL) as ds:
        with pytest.raises(InvalidInputError, match="given twice"):
            await ds.where({"n": 1}, n=2)
        with pytest.raises(InvalidInputError, match="by column"):
            await ds.where("n")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: aiolake.between(4, 3), "is empty"),
        (lambda: aiolake.between(None, 3), "for one side only"),
        (lambda: aiolake.lt(float("nan")), "no place in an order"),
        (lambda: aiolake.isin("abc"), "takes a list"),
        (
            lambda: aiolake.isin(3),  # type: ignore[arg-type]
            "takes a list",
        ),
    ],
)
def test_predicates_that_are_none(make: Any, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        make()


def test_not_undoes_itself() -> None:
    condition: Predicate = aiolake.between(1, 2)
    assert aiolake.not_(aiolake.not_(condition)) == condition
    assert aiolake.not_(aiolake.is_null()) == aiolake.not_null()


async def wide(backend: Backend) -> None:
    """Rows in order of ``n``, in one piece too long to lie in the entry."""
    n = np.arange(N)
    async with created(backend, {"n": Tensor("int64"), "x": Tensor("int32")}) as ds:
        await append(ds, n=n, x=(n * 7919) % 1000)


@pytest.mark.parametrize(("inline", "n_requests", "nbytes"), [(4096, 1, 64), (0, 3, 32)])
async def test_a_selective_filter_of_a_sorted_column_reads_few_pages(
    inline: int, n_requests: int, nbytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 800 kB; the zones lie in the entry, or are one request, and so is the block."""
    monkeypatch.setattr(write, "_INLINE_NBYTES", inline)
    backend = Backend()
    await wide(backend)
    async with opened(backend) as ds:
        backend.counting.reset()
        found = await ds.where(n=aiolake.between(50_000, 50_009))
        counts = backend.counting.reset()
        assert len(found) == 10
        assert counts.n(*READS, kind="chunks") == 1
        assert counts.nbytes(*READS, kind="chunks") <= nbytes * KIB
        assert counts.n(*READS) == n_requests


async def test_the_second_condition_reads_only_what_the_first_left() -> None:
    backend = Backend()
    await wide(backend)
    async with opened(backend) as ds:
        backend.counting.reset()
        found = await ds.where(x=aiolake.lt(10), n=aiolake.between(50_000, 54_000))
        counts = backend.counting.reset()
        n = np.arange(N)
        expected = n[(n >= 50_000) & (n <= 54_000) & ((n * 7919) % 1000 < 10)]
        assert await numbers(found) == expected.tolist()
        assert counts.nbytes(*READS, kind="chunks") < 120 * KIB  # of 1.2 MB


async def test_pieces_that_statistics_decide_are_not_read() -> None:
    backend = Backend()
    async with created(backend, {"day": Tensor("int16"), "n": Tensor("int32")}) as ds:
        for day in range(8):
            await append(ds, day=np.full(100, day), n=np.arange(100) + 100 * day)
    async with opened(backend) as ds:
        backend.counting.reset()
        assert len(await ds.where(day=5)) == 100
        assert len(await ds.where(day=99)) == 0
        assert len(await ds.where(n=aiolake.not_null())) == 800
        assert backend.counting.reset().n(*READS) == 0
        assert await numbers(await ds.where(n=aiolake.between(390, 402))) == list(range(390, 403))
        assert backend.counting.reset().n(*READS, kind="chunks") == 2 + 2


async def test_texts_of_another_length_or_checksum_are_not_read() -> None:
    backend = Backend()
    async with created(backend, {"n": Tensor("int32"), "text": Text()}, Options()) as ds:
        await append(ds, n=np.arange(50), text=[f"{i:05}" * 2_000 for i in range(50)])
    async with opened(backend) as ds:
        backend.counting.reset()
        assert await numbers(await ds.where(text="00007" * 2_000)) == [7]
        assert backend.counting.reset().nbytes(*READS, kind="chunks") < 12_000
        assert len(await ds.where(text=aiolake.not_("00007" * 2_000))) == 49


async def test_an_update_hides_what_lies_under_it() -> None:
    async with created(Backend(), {"n": Tensor("int32"), "x": Tensor("int32")}) as ds:
        await append(ds, n=np.arange(100), x=np.zeros(100, int))
        async with ds.transaction() as tx:
            await tx.update([3, 40], {"x": [7, None]})
        async with ds.transaction() as tx:
            await tx.update([3], {"x": [8]})
            await tx.delete([0])
        assert len(await ds.where(x=7)) == 0
        assert await numbers(await ds.where(x=8)) == [3]
        assert await numbers(await ds.where(x=None)) == [40]
        assert len(await ds.where(x=0)) == 97


async def test_statistics_of_whole_pieces_need_no_reading() -> None:
    backend = Backend()
    schema: dict[str, Any] = {"n": Tensor("int64"), "label": ClassLabel(LABELS), "image": Image()}
    async with created(backend, schema) as ds:
        columns = {"n": np.arange(8_192), "label": np.arange(8_192) % 2}
        await append(ds, **columns, image=[png(2, 3), None] * 4_096)
    async with opened(backend) as ds:
        backend.counting.reset()
        stats = await ds.stats()
        assert backend.counting.reset().n(*READS, kind="chunks") == 0
        assert (stats["n"].min, stats["n"].max, stats["image"].nulls) == (0, 8191, 4096)
        assert (await ds[4:].stats())["n"].min == 4
        counts = backend.counting.reset()
        assert 0 < counts.nbytes(*READS, kind="chunks") < 100 * KIB
        backend.counting.reset()
        summary = await ds.summary()
        read = backend.counting.reset()
        assert summary["label"].labels == {"rose": 4096, "tulip": 4096, "aster": 0}
        assert summary["image"].shapes is not None
        assert summary["image"].shapes.commonest == (2, 3, 3)
        assert read.nbytes(*READS, kind="chunks") == 4 * 8_192  # the labels


async def test_tables_and_documents() -> None:
    async with created(Backend(), SMALL) as ds:
        await small(ds)
        stats, summary = await ds.stats(), await ds.summary()
        assert [line.split()[0] for line in str(stats).splitlines()] == ["column", *SMALL]
        assert "rose 4, tulip 3, aster 3" in str(summary)
        assert stats.to_dict()["columns"][4]["min"] == "2026-01-01T00:00:00.000000"
        assert summary.to_dict()["columns"][1]["labels"] == {"rose": 4, "tulip": 3, "aster": 3}
        assert [column.name for column in stats] == [column.name for column in summary]
        with pytest.raises(aiolake.NotFoundError):
            stats["nothing"]


async def test_a_dataset_without_rows() -> None:
    async with created(Backend(), SMALL) as ds:
        assert len(await ds.where(n=1)) == 0
        assert (await ds.stats())["n"].min is None
        assert (await ds.summary())["label"].labels == dict.fromkeys(LABELS, 0)
        assert "column" in str(await ds.summary())
