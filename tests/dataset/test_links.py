"""Columns whose samples lie outside the dataset."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import (
    Bytes,
    CorruptDataError,
    Embedding,
    Image,
    InvalidInputError,
    Json,
    Link,
    NotFoundError,
    Options,
    PermissionDeniedError,
    Reference,
    References,
    Sequence,
    Tensor,
    Text,
)
from aiolake.render.text import as_json, cell
from aiolake.stores.base import Buffer, Store
from aiolake.stores.factory import open_store
from aiolake.stores.memory import MemoryStore
from aiolake.testing import CountingStore
from aiolake.urls import Address
from tests.dataset.helpers import Remote, new_url, png

MIB = 1 << 20


async def linked(url: str | Path, of: Any, values: Any, **columns: Any) -> None:
    schema: dict[str, aiolake.ColumnType] = {"x": Link(of), **{name: Text() for name in columns}}
    async with (
        aiolake.create_dataset(url, schema) as ds,
        ds.transaction() as tx,
    ):
        await tx.append(columns={"x": values, **columns})


async def read_all(url: str | Path, prefix: str | Path) -> list[Any]:
    async with aiolake.open_dataset(url, links=[str(prefix)]) as ds:
        values = [(await ds.read(i))["x"] for i in range(len(ds))]
        streamed: list[Any] = []
        async with ds.batches(3) as batches:
            async for batch in batches:
                streamed += batch["x"]
        for one, many in zip(values, streamed, strict=True):
            assert type(one) is type(many)
            assert np.array_equal(one, many) if isinstance(one, np.ndarray) else one == many
        return values


def kept(directory: Path, name: str, data: bytes) -> str:
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(data)
    return str(directory / name)


CASES: dict[str, tuple[Any, bytes, Any]] = {
    "text": (Text(), "für".encode(), "für"),
    "json": (Json(), b'{"a": [1]}', {"a": [1]}),
    "bytes": (Bytes(), b"\0\1", b"\0\1"),
    "scalar": (Tensor("int16"), b"\2\1", 258),
    "fixed": (Tensor("uint8", (2, 2)), b"\1\2\3\4", np.asarray([[1, 2], [3, 4]], np.uint8)),
    "ragged": (Tensor("<u2", (None, 2)), b"\1\0\2\0\3\0\4\0", np.asarray([[1, 2], [3, 4]])),
    "embedding": (Embedding(1), b"\0\0\x80\x3f", np.asarray([1.0], np.float32)),
    "image": (Image("png"), png(3, 2, 1), None),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_lies_outside_is_read_as_its_type(tmp_path: Path, case: str) -> None:
    of, data, expected = CASES[case]
    whole = kept(tmp_path / "out", "one", data)
    packed = kept(tmp_path / "out", "two", b"...." + data + b"....")
    part = Reference(packed, 4, len(data))
    await linked(tmp_path / "ds", of, [whole, part, None, Reference(whole, length=None)])
    found = await read_all(tmp_path / "ds", tmp_path / "out")
    assert found[2] is None
    if expected is None:
        assert found[0].shape == (3, 2, 3)
        expected = found[0]
    for value in (found[0], found[1], found[3]):
        assert np.array_equal(value, expected) if case != "text" else value == expected
    async with aiolake.open_dataset(tmp_path / "ds", links=[tmp_path / "out"]) as ds:
        assert (await ds.read([0, 1], decode=False))["x"] == [data, data]
        assert await ds.read_bytes(1, "x", 1) == data[1:]
        assert await ds.read_bytes(0, "x", 1, 3) == data[1:3]
        assert await ds.read_bytes(0, "x", 1, 9999) == data[1:]
        assert await ds.read_bytes(1, "x", 1, 9999) == data[1:]
        assert await ds.read_bytes(2, "x") == b""


async def test_references_are_kept_as_they_were_given_through_everything(tmp_path: Path) -> None:
    values: list[Reference | None] = [
        Reference(f"s3://bucket/{i}.jpg", i, None if i % 3 else i, f"e{i}" if i % 2 else None)
        for i in range(5000)
    ]
    values[7] = None
    async with aiolake.create_dataset(tmp_path, {"x": Link(Image())}) as ds:
        async with ds.transaction() as tx:
            await tx.append(columns={"x": values[:3000]})
            await tx.append({"x": value} for value in values[3000:])
        async with ds.transaction() as tx:
            await tx.update(9, {"x": Reference("gs://b/new", creds_key="ours")})
            await tx.delete(0)
        values[9] = Reference("gcs://b/new", creds_key="ours")
        del values[0]
        for _ in range(2):
            assert await aiolake.references(ds, slice(None), "x") == values
            assert await aiolake.references(ds[100:], 8, "x") == values[108]
            await aiolake.optimize(ds)
        await aiolake.gc(ds, grace=timedelta(0))
        checked = await aiolake.verify(ds)
        assert checked.ok
        assert checked.n_references > len(values)


async def test_a_copy_and_a_summary_read_nothing_outside(tmp_path: Path) -> None:
    values = ["/gone/a", Reference("s3://b/x", 5, 7), None]
    await linked(tmp_path / "ds", Bytes(), values)
    await aiolake.copy_dataset(tmp_path / "ds", tmp_path / "copy")
    async with aiolake.open_dataset(tmp_path / "copy") as ds:
        found = await aiolake.references(ds, slice(None), "x")
        assert found == [Reference("/gone/a"), values[1], None]
        assert (await ds.stats())["x"].nulls == 1
        sizes = (await ds.summary())["x"].sizes
        assert sizes is not None
        assert (sizes.min, sizes.max) == (7, 7)


class _Waiting(Remote):
    """Takes a while to answer, as every store does that is not memory."""

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        await asyncio.sleep(0.01)
        return await super().get_range(key, start, stop)


async def test_many_members_of_one_object_take_few_requests() -> None:
    outside = MemoryStore.named("links-tar")
    members = [b"%05d" % i for i in range(5000)]
    await outside.put("x.tar", [b"".join(members)])
    counting = CountingStore(outside)
    url = new_url()

    def factory(address: Address, **options: Any) -> Store:
        return _Waiting(counting if "links-tar" in address.path else open_store(address, **options))

    many = References("mem://links-tar/x.tar", np.arange(5000) * 5, np.full(5000, 5))
    await linked(url, Bytes(), many)
    async with (
        aiolake.Session(store_factory=factory) as session,
        aiolake.open_dataset(url, links=["mem://links-tar"], session=session) as ds,
    ):
        assert (await ds.read(4321))["x"] == members[4321]
        assert len(counting.counts.requests) == 1
        assert (await ds.read(slice(100, 900)))["x"] == members[100:900]
        assert len(counting.counts.requests) == 2
        async with asyncio.TaskGroup() as tasks:
            reads = [tasks.create_task(ds.read(17)) for _ in range(20)]
        assert {read.result()["x"] for read in reads} == {members[17]}
        assert len(counting.counts.requests) == 3
        assert session.statistics().requests["get_range"] >= 3


async def test_an_etag_is_checked_and_makes_payloads_worth_keeping() -> None:
    outside = MemoryStore.named("links-etag")
    await outside.put("a", [b"first"])
    etag = (await outside.head("a")).etag
    url = new_url()
    await linked(url, Text(), [Reference("mem://links-etag/a", etag=etag)])
    async with aiolake.open_dataset(url, links=["mem://links-etag"]) as ds:
        assert (await ds.read(0))["x"] == "first"
    await outside.put("a", [b"other"])
    async with aiolake.open_dataset(url, links=["mem://links-etag"]) as ds:
        with pytest.raises(CorruptDataError, match=r"column 'x', row id 0, .*mem://links-etag/a"):
            await ds.read(0)
    await outside.put("a", [b"first"])
    async with aiolake.open_dataset(url, links=["mem://links-etag"]) as ds:
        assert (await ds.read(0))["x"] == "first"
        await outside.delete(["a"])
        assert (await ds.read(0))["x"] == "first", "from memory, keyed by its etag"


async def test_a_files_etag_is_its_time_and_size(tmp_path: Path) -> None:
    path = kept(tmp_path / "out", "a", b"first")
    status = os.stat(path)
    etag = f"{status.st_mtime_ns}-{status.st_size}"
    await linked(tmp_path / "ds", Text(), [Reference(path, etag=etag), Reference(path, 1, 2, etag)])
    assert await read_all(tmp_path / "ds", tmp_path / "out") == ["first", "ir"]
    os.utime(path, ns=(1, 1))
    with pytest.raises(CorruptDataError, match="another"):
        await read_all(tmp_path / "ds", tmp_path / "out")


def _gone(path: Path) -> None:
    path.unlink()


def _short(path: Path) -> None:
    path.write_bytes(b"ab")


def _symlink(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (_gone, NotFoundError),
        (_short, CorruptDataError),
        (_symlink, aiolake.AiolakeError),
        (_pipe, aiolake.AiolakeError),
        (_directory, aiolake.AiolakeError),
    ],
)
async def test_an_object_that_is_not_as_it_was_is_named_with_its_row(
    tmp_path: Path, harm: Callable[[Path], None], error: type[aiolake.AiolakeError]
) -> None:
    good, bad = kept(tmp_path / "out", "good", b"12345"), kept(tmp_path / "out", "bad", b"12345")
    await linked(tmp_path / "ds", Bytes(), [good, Reference(bad, 0, 5)])
    harm(Path(bad))
    async with aiolake.open_dataset(tmp_path / "ds", links=[tmp_path / "out"]) as ds:
        assert (await ds.read(0))["x"] == b"12345"
        for rows in (1, [0, 1]):
            with pytest.raises(error) as caught:
                await ds.read(rows)
            assert "column 'x', row id 1, refers to" in caught.value.message
            assert caught.value.context["row"] == 1
            assert bad in caught.value.message


async def test_nothing_is_followed_that_was_not_allowed(tmp_path: Path) -> None:
    path = kept(tmp_path / "out", "a", b"secret")
    os.symlink(tmp_path / "out", tmp_path / "through")
    await linked(
        tmp_path / "ds", Bytes(), [path, str(tmp_path / "through" / "a"), "s3://b/a"], t=["a"] * 3
    )
    async with aiolake.open_dataset(tmp_path / "ds") as ds:
        assert (await ds.read(0, columns=["t"]))["t"] == "a"
        with pytest.raises(PermissionDeniedError, match=r"links=\['file://.*/out/'\]"):
            await ds.read(0)
    async with aiolake.open_dataset(tmp_path / "ds", links=[tmp_path]) as ds:
        assert (await ds.read(0))["x"] == b"secret"
        for row in (1, 2):
            with pytest.raises(aiolake.AiolakeError, match=f"row id {row}"):
                await ds.read(row)


async def test_a_dataset_in_memory_names_no_files(tmp_path: Path) -> None:
    path, url = kept(tmp_path, "a", b"secret"), new_url()
    await linked(url, Bytes(), [path])
    async with aiolake.open_dataset(url, links=[tmp_path]) as ds:
        with pytest.raises(PermissionDeniedError, match="file: datasets only"):
            await ds.read(0)


async def test_a_spec_keeps_its_links(tmp_path: Path) -> None:
    path = kept(tmp_path / "out", "a", b"there")
    await linked(tmp_path / "ds", Text(), [path])
    async with aiolake.open_dataset(tmp_path / "ds", links=[tmp_path / "out"]) as ds:
        spec = pickle.loads(pickle.dumps(ds))
    assert spec.links == (f"file://{tmp_path}/out",)
    async with aiolake.open_dataset(spec) as ds:
        assert (await ds.read(0))["x"] == "there"


@pytest.mark.parametrize("value", ["cat.jpg", "s3://b/../x", 5, b"/a", Reference, ["/a"]])
async def test_what_is_no_reference_is_refused_with_its_row(tmp_path: Path, value: Any) -> None:
    async with (
        aiolake.create_dataset(tmp_path, {"x": Link(Bytes())}) as ds,
        ds.transaction() as tx,
    ):
        with pytest.raises(InvalidInputError, match="column 'x', row 1"):
            await tx.append(columns={"x": ["/a", value]})
        assert tx.n_appended == 0


def test_what_links_cannot_be_of_is_refused() -> None:
    for of in (
        Link(Bytes()),
        Sequence(Text()),
        aiolake.ClassLabel(["a"]),
        Tensor("int8", (None, None)),
        5,
    ):
        with pytest.raises(InvalidInputError):
            Link(of)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="row of its own"):
        Sequence(Link(Bytes()))


async def test_a_column_of_links_has_no_default(tmp_path: Path) -> None:
    await linked(tmp_path, Bytes(), ["/a"])
    async with aiolake.open_dataset(tmp_path) as ds:
        async with ds.transaction() as tx:
            with pytest.raises(InvalidInputError, match="no default"):
                tx.add_column("y", Link(Bytes()), default="/b")
            tx.add_column("z", Link(Bytes()))
        assert await ds.read(0, columns=["z"]) == {"z": None}
        assert await aiolake.references(ds, [0], "z") == [None]
        for column in ("nope", 5):
            with pytest.raises(InvalidInputError):
                await aiolake.references(ds, 0, column)  # type: ignore[arg-type]


async def test_only_columns_of_links_have_references(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path, {"t": Text()}, options=Options()) as ds:
        with pytest.raises(InvalidInputError, match="only Link columns"):
            await aiolake.references(ds, [], "t")
    with pytest.raises(InvalidInputError, match="takes an open dataset"):
        await aiolake.references(tmp_path, 0, "t")  # type: ignore[arg-type]


async def test_bytes_that_are_not_of_the_type_are_refused(tmp_path: Path) -> None:
    path = kept(tmp_path / "out", "a", b"\xff\xff\xff")
    for i, of in enumerate((Text(), Json(), Image(), Tensor("int16"), Tensor("int16", (None,)))):
        await linked(tmp_path / f"ds{i}", of, [path])
        with pytest.raises(aiolake.FormatError):
            await read_all(tmp_path / f"ds{i}", tmp_path / "out")


def test_links_are_shown_as_what_they_refer_to() -> None:
    it, of = Reference("/a/b", 5), Link(Text())
    assert cell(of, it) == "file:///a/b"
    assert as_json(of, it)["offset"] == 5
    assert cell(of, "followed") == cell(Text(), "followed")
    assert as_json(of, None) is None
