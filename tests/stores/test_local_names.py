"""Listings and short objects that come from memory, without a thread."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aiolake.stores._posix import FileSystem
from aiolake.stores._tree import Tree
from aiolake.stores._walk import Wanted, list_page, list_page_now
from aiolake.stores.local import LocalStore

KEYS = ["a/999/000", "a/999/001", "a/998/999", "a/b", "b/c", "top"]


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    store = LocalStore(root, durability="os")
    for key in KEYS:
        await store.put(key, [key.encode()])
    (root / "a" / "link").symlink_to(root / "top")
    (root / "a" / "links").symlink_to(root / "b")
    await store.aclose()
    return root


@pytest.mark.parametrize("prefix", ["a/", "a/9", "a/999/", "a/999/001", "b/", "none/", "a/links/"])
@pytest.mark.parametrize("limit", [1, 2, 16])
async def test_a_page_from_memory_is_that_of_the_disk(root: Path, prefix: str, limit: int) -> None:
    tree = Tree(str(root), FileSystem(), durable=False)
    for after in ("", "a/999/000", "a/b"):
        wanted = Wanted(prefix, after)
        page = list_page(tree, wanted, limit)
        now = list_page_now(str(root), wanted, limit)
        assert now == page or (now is None and not page.objects)


async def test_it_answers_where_names_are_in_memory(root: Path) -> None:
    page = list_page_now(str(root), Wanted("a/", ""), 1)
    assert page is not None
    assert [item.key for item in page.objects] == ["a/998/999"]


async def test_a_long_directory_is_left_to_a_thread(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for i in range(300):
        (tmp_path / "log" / f"{i:0250}").touch()
    assert list_page_now(str(tmp_path), Wanted("log/", ""), 1) is None
    page = await LocalStore(tmp_path).list("log/", limit=1)
    assert page.objects[0].key == f"log/{0:0250}"


async def test_nothing_there_is_an_empty_page(tmp_path: Path) -> None:
    assert list_page_now(str(tmp_path / "none"), Wanted("log/", ""), 1) is None
    assert (await LocalStore(tmp_path / "none").list("log/", limit=1)).objects == ()


async def test_a_root_made_anew_is_listed_and_read_anew(root: Path) -> None:
    store, other = LocalStore(root), LocalStore(root)
    assert (await store.list("b/", limit=1)).objects
    assert await store.get("top") == b"top"
    os.rename(root, root.with_name("old"))
    await other.put("top", [b"new"])
    assert await store.get("top") == b"new"
    await other.put("b/a", [b"1"])
    await other.put("b/c", [b"22"])
    page = await store.list("b/", limit=2)
    assert [(item.key, item.size) for item in page.objects] == [("b/a", 1), ("b/c", 2)]


async def test_a_replaced_object_is_read_anew(root: Path) -> None:
    store, other = LocalStore(root), LocalStore(root)
    for text in (b"1", b"22", b""):
        await other.put("top", [text])
        assert await store.get("top") == text


async def test_whole_objects_of_every_length(root: Path) -> None:
    store = LocalStore(root)
    for nbytes in (0, 1, 65_535, 65_536, 65_537, 200_000):
        data = os.urandom(nbytes)
        await store.put("b/long", [data])
        assert bytes(await store.get("b/long")) == data
