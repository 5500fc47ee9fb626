from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiolake import urls
from aiolake.errors import (
    AiolakeError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
    TransientStoreError,
)
from aiolake.options import Options
from aiolake.stores._refusals import refusal
from aiolake.stores._walk import Wanted
from aiolake.stores._write import _batches, _rest
from aiolake.stores.checks import check_key, check_limit, check_range
from aiolake.stores.factory import open_store
from aiolake.stores.local import LocalStore
from aiolake.stores.memory import MemoryStore

PARTS = st.text("ab.-0ä/", min_size=1, max_size=8)


class TestChecks:
    @pytest.mark.parametrize("key", ["a", "a b", "a/b", "ä", "..a", "a..", "x" * 255, "%2F", "\\"])
    def test_keys(self, key: str) -> None:
        assert check_key(key) == key

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/..",
            "./a",
            "a\x00",
            "ä" * 128,
            "\ud800",
            "a/" * 600,
        ],
    )
    def test_no_keys(self, key: str) -> None:
        with pytest.raises(InvalidInputError):
            check_key(key)

    def test_ranges_and_limits(self) -> None:
        check_range("a", 0, 0)
        check_limit(1)
        check_limit(1000)
        for start, stop in [(-1, 0), (1, 0)]:
            with pytest.raises(InvalidInputError):
                check_range("a", start, stop)
        for limit in (0, 1001):
            with pytest.raises(InvalidInputError):
                check_limit(limit)


class TestWanted:
    @given(st.lists(PARTS, max_size=20), PARTS | st.just(""), PARTS | st.just(""))
    def test_a_directory_is_skipped_only_if_it_holds_nothing_wanted(
        self, keys: list[str], prefix: str, after: str
    ) -> None:
        wanted = Wanted(prefix, after)
        for key in filter(wanted.has, keys):
            for index, char in enumerate(key):
                if char == "/":
                    assert wanted.may_be_below(key[: index + 1])

    def test_what_it_skips(self) -> None:
        assert not Wanted("log/", "").may_be_below("chunks/")
        assert not Wanted("", "log/5/").may_be_below("log/4/")
        assert Wanted("", "log/5/2").may_be_below("log/5/")
        assert Wanted("log/5/2", "").may_be_below("log/")

    @pytest.mark.parametrize(
        ("prefix", "start"),
        [
            ("", []),
            ("lo", []),
            ("log/", ["log"]),
            ("log/0/1", ["log", "0"]),
            ("../x", None),
            ("/x", None),
            ("a//b", None),
            ("a\x00b", None),
            (".tmp/x", None),
        ],
    )
    def test_where_it_starts(self, prefix: str, start: list[str] | None) -> None:
        assert Wanted(prefix, "").start() == start


@given(st.lists(st.binary(max_size=30), max_size=30), st.data())
def test_what_is_left_of_a_batch_is_what_was_not_written(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(parts)
    written = data.draw(st.integers(0, len(whole)))
    assert b"".join(_rest([memoryview(part) for part in parts], written)) == whole[written:]


@pytest.mark.parametrize("parts", [[], [b""], [b"x"] * 3000, [bytes(20 << 20)], [b"a", b"", b"b"]])
def test_batches_are_whole_and_small_enough(parts: list[bytes]) -> None:
    batches = list(_batches(parts))
    assert b"".join(part for batch in batches for part in batch) == b"".join(parts)
    assert all(len(batch) <= 1024 for batch in batches)
    assert all(sum(map(len, batch)) <= 16 << 20 for batch in batches)


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (errno.ENOENT, NotFoundError, "no such object"),
        (errno.ENOSPC, StoreError, "disk is full"),
        (errno.EDQUOT, StoreError, "disk is full"),
        (errno.EROFS, ReadOnlyError, "read-only"),
        (errno.EACCES, PermissionDeniedError, "denied"),
        (errno.ENOTDIR, InvalidInputError, "a file is where"),
        (errno.ELOOP, PermissionDeniedError, "symbolic link"),
        (errno.EMFILE, TransientStoreError, "ulimit"),
        (errno.EIO, StoreError, "EIO"),
    ],
)
def test_refusals_say_what_where_and_why(number: int, kind: type[AiolakeError], text: str) -> None:
    error = refusal(OSError(number, os.strerror(number), "log/1"), "create 'x'", "/data")
    assert type(error) is kind
    for part in ("create 'x'", "/data", "log/1", text):
        assert part in str(error)
    assert error.context == {"path": "/data", "errno": number}


class TestFactory:
    async def test_memory_and_files(self) -> None:
        memory = open_store(urls.parse("mem://factory/x"))
        assert isinstance(memory, MemoryStore)
        assert memory.url == "mem://factory/x"
        local = open_store(urls.parse("file:///data/x"), options=Options(durability="os"))
        assert isinstance(local, LocalStore)
        assert local.url == "file:///data/x"
        await local.aclose()

    def test_what_is_not_there_yet_is_named(self) -> None:
        with pytest.raises(InvalidInputError, match="not available in this release yet"):
            open_store(urls.parse("al://o/n"))

    @pytest.mark.parametrize("url", ["s3://bucket/x", "gcs://b", "az://a/c", "http://h"])
    def test_a_cloud_needs_a_network(self, url: str) -> None:
        with pytest.raises(InvalidInputError, match="needs network="):
            open_store(urls.parse(url))

    @pytest.mark.parametrize("url", ["mem://a", "file:///a"])
    def test_credentials_that_make_no_sense_are_refused(self, url: str) -> None:
        with pytest.raises(InvalidInputError, match="write the cloud's address: s3://"):
            open_store(urls.parse(url), creds={"token": "secret"})
