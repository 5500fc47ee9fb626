"""Bad input: each is refused by class and in words, before anything is written."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import aiolake
from aiolake import (
    AiolakeError,
    AlreadyExistsError,
    Dataset,
    FormatError,
    InvalidInputError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
    Text,
    UnsupportedVersionError,
)
from aiolake.format.checksum import crc32c
from aiolake.keys import entry_key
from aiolake.stores.memory import MemoryStore
from aiolake.testing import FakeClock, FaultStore, Refuse, Rule
from tests.dataset.helpers import Backend, Remote, new_url
from tests.dataset.refusals import GOOD, N_ROWS, SCHEMA, commit, raises, refused

# Addresses.

ADDRESSES = [
    ("ftp://host/flowers", "unknown scheme 'ftp'", "s3://"),
    ("", "address is empty", "./flowers"),
    ("   ", "address is empty", "./flowers"),
    ("file://", "names no directory", "file://"),
    ("s3://", "s3://bucket/prefix", "s3://"),
    ("mem://", "mem://name", "mem://"),
    ("mem://a/../b", "mem://a/../b", "form"),
    ("al://org/flowers", "not available in this release", "file://"),
    ("a\x00b", "NUL", "address"),
]


@pytest.mark.parametrize(("url", "what", "todo"), ADDRESSES)
async def test_bad_addresses(url: str, what: str, todo: str) -> None:
    with raises(InvalidInputError, what, todo):
        await aiolake.open_dataset(url)
    with raises(InvalidInputError, what, todo):
        await aiolake.create_dataset(url, {"x": Text()})
    with raises(InvalidInputError, what, todo):
        await aiolake.dataset_exists(url)


async def test_an_address_of_another_type() -> None:
    with raises(InvalidInputError, "text or a path", "int"):
        await aiolake.open_dataset(17)  # type: ignore[arg-type]


async def test_nothing_there(tmp_path: Path) -> None:
    missing = tmp_path / "no-flowers"
    with raises(NotFoundError, "there is no dataset", str(missing), "create_dataset"):
        await aiolake.open_dataset(missing)
    assert not await aiolake.dataset_exists(missing)
    with raises(NotFoundError, "there is no dataset", str(missing)):
        await aiolake.delete_dataset(missing)
    assert not missing.exists()


async def test_something_there_already(tmp_path: Path) -> None:
    async with aiolake.create_dataset(tmp_path / "d", {"x": Text()}):
        with raises(AlreadyExistsError, "there is a dataset", "d", "open it"):
            await aiolake.create_dataset(tmp_path / "d", {"x": Text()})


async def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    path = tmp_path / "flowers"
    path.write_text("not a directory")
    for work in (aiolake.open_dataset(path), aiolake.create_dataset(path, {"x": Text()})):
        with raises(InvalidInputError, str(path), "directory"):
            await work
    assert path.read_text() == "not a directory"


async def test_a_foreign_directory(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    for work in (aiolake.open_dataset(tmp_path), aiolake.create_dataset(tmp_path, {"x": Text()})):
        with raises(FormatError, str(tmp_path), "holiday.jpg", "choose an empty address"):
            await work
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


# Formats.


async def _with_newest(backend: Backend, **changes: Any) -> None:
    """Put an entry after the newest that differs from it as a later release's would."""
    page = await backend.store.list("log/")
    n = len(page.objects) + 1
    body = msgspec.json.decode(bytes(await backend.store.get(entry_key(n - 1))).split(b"\n")[0])
    data = msgspec.json.encode({**body, "n": n, "write_id": "later", **changes})
    await backend.store.put(entry_key(n), [b"%s\n%08x\n" % (data, crc32c(data))])


async def test_a_newer_format(backend: Backend, flowers: Dataset) -> None:
    await _with_newest(backend, aiolake=2, unheard_of=True)
    async with backend.session() as session:
        with raises(UnsupportedVersionError, entry_key(3), "format 2", "upgrade aiolake"):
            await aiolake.open_dataset(backend.url, session=session)
    async with refused(backend, UnsupportedVersionError, entry_key(3), "upgrade"):
        await flowers.refresh()


async def test_an_unknown_feature_for_readers(backend: Backend, flowers: Dataset) -> None:
    await _with_newest(backend, requires={"read": ["holograms"], "write": []})
    async with backend.session() as session:
        with raises(UnsupportedVersionError, entry_key(3), "holograms", "upgrade aiolake"):
            await aiolake.open_dataset(backend.url, session=session)


async def test_an_unknown_feature_for_writers_leaves_it_readable(
    backend: Backend, flowers: Dataset
) -> None:
    await _with_newest(backend, requires={"read": [], "write": ["bonsai"]})
    async with (
        backend.session() as session,
        aiolake.open_dataset(backend.url, session=session) as ds,
    ):
        assert (await ds.read(0))["caption"] == "a rose"
        before = len((await backend.store.list("log/")).objects)
        with raises(InvalidInputError, "bonsai", "upgrade aiolake"):
            await commit(ds, lambda tx: tx.append(GOOD))
        assert len((await backend.store.list("log/")).objects) == before


# Stores that refuse.


async def test_a_full_disk_and_a_read_only_one() -> None:
    for error in (StoreError("the disk is full; free some space"), ReadOnlyError("read-only")):
        inner = MemoryStore(new_url())
        store = FaultStore(Remote(inner))

        def refuse(error: AiolakeError = error) -> AiolakeError:
            return error

        session = aiolake.Session(
            store_factory=lambda *_a, _s=store, **_k: _s, clock=FakeClock(runs=True)
        )
        async with session, aiolake.create_dataset(inner.url, SCHEMA, session=session) as ds:
            for verb in ("put", "create"):
                store.script.add(Rule(Refuse(refuse), verb=verb, times=None))
                with raises(type(error), error.message):
                    await commit(ds, lambda tx: tx.append(GOOD))
                store.script.clear()
                assert len(ds) == 0
                assert len((await inner.list("log/")).objects) == 1
            await commit(ds, lambda tx: tx.append(GOOD))
            assert len(ds) == 1


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """Root may write everywhere, so as root be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_read_only_directory(tmp_path: Path) -> None:
    root = Path(tempfile.mkdtemp())  # others may not pass through pytest's own directory
    try:
        for path in (tmp_path / "d", root / "d"):  # the first loads all modules needed
            async with aiolake.create_dataset(path, SCHEMA) as ds:
                await commit(ds, lambda tx: tx.append(GOOD))
        for path in [root / "d", *(root / "d").rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        root.chmod(0o555)
        with _nobody():
            async with aiolake.open_dataset(root / "d") as ds:
                with raises(PermissionDeniedError, str(root)):
                    await commit(ds, lambda tx: tx.append(GOOD))
                assert len(ds) == 1
    finally:
        for path in [root, root / "d", *root.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(root)


# Selections.

SELECTIONS: list[tuple[Any, type[AiolakeError], tuple[str, ...]]] = [
    (N_ROWS, OutOfRangeError, ("row 5", "5 rows", "-5 to 4")),
    (-N_ROWS - 1, OutOfRangeError, ("row -6", "5 rows")),
    ([0, 99], OutOfRangeError, ("row 99", "5 rows")),
    (np.asarray([0, -6]), OutOfRangeError, ("row -6", "5 rows")),
    ([True] * 4, InvalidInputError, ("mask has 4 values", "5 rows")),
    (np.ones(6, bool), InvalidInputError, ("mask has 6 values", "5 rows")),
    (True, InvalidInputError, ("truth value", "mask")),
    ([0.5], InvalidInputError, ("integers", "float64")),
    (np.zeros((2, 2), np.int64), InvalidInputError, ("one dimension", "(2, 2)")),
    ("label", InvalidInputError, ("'label'", "index")),
    (None, InvalidInputError, ("None", "index")),
    (slice(0.5, None), InvalidInputError, ("slice",)),
    (slice(None, None, 0), InvalidInputError, ("slice", "zero")),
]


@pytest.mark.parametrize(("selector", "kind", "words"), SELECTIONS)
async def test_bad_selections(
    flowers: Dataset, backend: Backend, selector: Any, kind: Any, words: Any
) -> None:
    with raises(kind, *words):
        await flowers.read(selector)
    with raises(kind, *words):
        flowers[selector]
    for change in (
        lambda tx: tx.delete(selector),
        lambda tx: tx.update(selector, {"caption": "new"}),
    ):
        async with refused(backend, kind, *words):
            await commit(flowers, change)


async def test_no_rows_at_all(backend: Backend) -> None:
    async with (
        backend.session() as session,
        aiolake.create_dataset(backend.url, {"x": Text()}, session=session) as ds,
    ):
        for row in (0, -1):
            with raises(OutOfRangeError, f"row {row}", "no rows"):
                await ds.read(row)


async def test_bad_columns_of_a_read(flowers: Dataset) -> None:
    for kind, columns, words in (
        (InvalidInputError, ["lable"], ("'lable'", "near: 'label'", "columns are: image")),
        (InvalidInputError, ["label", "label"], ("'label'", "twice")),
        (InvalidInputError, "label", ("['label']", "not text")),
    ):
        with raises(kind, *words):
            await flowers.read(0, columns=columns)
    with raises(InvalidInputError, "select()", "at least one column"):
        flowers.select()
    with raises(InvalidInputError, "'lable'", "near: 'label'"):
        flowers.select("lable")


async def test_bad_batches_and_byte_ranges(flowers: Dataset) -> None:
    for n in (0, -1, True, 1.5):
        with raises(InvalidInputError, "at least 1 row", repr(n)):
            flowers.batches(n)  # type: ignore[arg-type]
    with raises(InvalidInputError, "'caption'", "uncompressed Bytes"):
        await flowers.read_bytes(0, "caption")
    with raises(InvalidInputError, "5..3", "byte range"):
        await flowers.read_bytes(0, "raw", 5, 3)
    with raises(InvalidInputError, "-1", "byte range"):
        await flowers.read_bytes(0, "raw", -1)
    with raises(OutOfRangeError, "row 5"):
        await flowers.read_bytes(5, "raw")


# Names.

NAMES = ["", "/", "a//b", "/a", "a/", ".", "..", "a/../b", "a/./b", "a\x00b", "a\nb"]


@pytest.mark.parametrize("name", NAMES)
async def test_bad_column_names(flowers: Dataset, backend: Backend, name: str) -> None:
    with raises(InvalidInputError, repr(name), "no column name"):
        await aiolake.create_dataset(new_url(), {name: Text()})
    for change in (
        lambda tx: tx.add_column(name, Text()),
        lambda tx: tx.rename_column("raw", name),
    ):
        async with refused(backend, InvalidInputError, repr(name), "no column name"):
            await commit(flowers, change)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name != "a/./b"] + ["ü", "a b", "12", "x" * 129, "a@b"]
)
async def test_bad_branch_and_tag_names(flowers: Dataset, backend: Backend, name: str) -> None:
    async with refused(backend, InvalidInputError, repr(name), "branch", "A-Z a-z 0-9"):
        await flowers.branches.create(name)
    async with refused(backend, InvalidInputError, repr(name), "tag", "A-Z a-z 0-9"):
        await flowers.tags.create(name)


async def test_names_that_are_taken_or_missing(flowers: Dataset, backend: Backend) -> None:
    await flowers.branches.create("dev")
    await flowers.tags.create("v1")
    cases: list[tuple[type[AiolakeError], Any, tuple[str, ...]]] = [
        (AlreadyExistsError, lambda: flowers.branches.create("dev"), ("'dev'", "branch")),
        (AlreadyExistsError, lambda: flowers.tags.create("v1"), ("'v1'", "tag")),
        (AlreadyExistsError, lambda: flowers.tags.create("dev"), ("'dev'", "branch")),
        (AlreadyExistsError, lambda: flowers.branches.create("v1"), ("'v1'", "tag")),
        (NotFoundError, lambda: flowers.branches.delete("no"), ("'no'", "branch")),
        (NotFoundError, lambda: flowers.tags.delete("no"), ("'no'", "tag")),
        (NotFoundError, lambda: flowers.branches.create("new", 99), ("99", "between 1 and")),
        (NotFoundError, lambda: flowers.history.restore(99), ("99", "between 1 and")),
        (InvalidInputError, lambda: flowers.branches.delete("main"), ("'main'", "deleted")),
    ]
    for kind, act, words in cases:
        async with refused(backend, kind, *words):
            await act()


async def test_bad_targets_of_open(flowers: Dataset, backend: Backend) -> None:
    cases: list[tuple[type[AiolakeError], dict[str, Any], tuple[str, ...]]] = [
        (NotFoundError, {"branch": "no"}, ("branch 'no'", "main")),
        (NotFoundError, {"tag": "no"}, ("tag 'no'", "none")),
        (NotFoundError, {"snapshot": 99}, ("snapshot 99", "between 1 and 2")),
        (NotFoundError, {"snapshot": 0}, ("snapshot 0", "between 1 and 2")),
        (InvalidInputError, {"branch": "main", "tag": "v1"}, ("branch, tag, snapshot and time",)),
        (InvalidInputError, {"links": "s3://b/"}, ("links is a list", "['s3://b/']")),
        (InvalidInputError, {"link_creds": 5}, ("link_creds is a dict", "got int")),
        (InvalidInputError, {"token": "t"}, ("token=", "al://")),
    ]
    for kind, target, words in cases:
        async with refused(backend, kind, *words), backend.session() as session:
            await aiolake.open_dataset(backend.url, session=session, **target)


def test_options_that_are_no_directory() -> None:
    for name in ("credential_cache", "disk_cache"):
        for value in (5, b"/x", "", True):
            with raises(InvalidInputError, f"Options.{name} is the path of a directory"):
                aiolake.Options(**{name: value})  # type: ignore[arg-type]


async def test_bad_schemas_and_column_changes(flowers: Dataset, backend: Backend) -> None:
    for schema, words in (
        ({}, ("at least one column",)),
        ({"x": "float32"}, ("'x'", "no column type", "Tensor(")),
        ({"x": Text, "x/y": Text}, ("'x'", "group")),
        ([("x", Text)], ("maps names to column types",)),
    ):
        with raises(InvalidInputError, *words):
            await aiolake.create_dataset(new_url(), schema)  # type: ignore[arg-type]
    for change, words in (
        (lambda tx: tx.add_column("raw", Text()), ("'raw' already",)),
        (lambda tx: tx.add_column("raw/a", Text()), ("'raw'", "group")),
        (lambda tx: tx.add_column("new", "text"), ("'new'", "no column type")),
        (lambda tx: tx.rename_column("no", "new"), ("'no'", "there are: image")),
        (lambda tx: tx.rename_column("raw", "label"), ("'label' already",)),
        (lambda tx: tx.drop_column("no"), ("'no'", "there are: image")),
        (lambda tx: [tx.drop_column(name) for name in SCHEMA] and None, ("last column",)),
        (lambda tx: tx.set_metadata({"a": np.zeros(1)}), ("JSON",)),
        (lambda tx: tx.set_metadata({1: "a"}), ("text keys",)),
        (lambda tx: tx.set_metadata({"a": 1}, column="no"), ("'no'",)),
    ):
        async with refused(backend, InvalidInputError, *words):
            await commit(flowers, change)


async def test_long_messages_and_odd_write_ids(flowers: Dataset) -> None:
    with raises(InvalidInputError, "message", "4096 bytes"):
        flowers.transaction("x" * 4097)
    for write_id in ("", "x" * 129, "é", "a\nb"):
        with raises(InvalidInputError, "write_id", "1 to 128"):
            flowers.transaction(write_id=write_id)
