"""What every store must do, as tests that a backend's own test class inherits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiolake._aio import map_concurrently
from aiolake.errors import InvalidInputError, NotFoundError, TransientStoreError
from aiolake.stores.base import (
    Answer,
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ObjectMeta,
    Store,
    SupportsBegunReads,
    SupportsImmediateReads,
    SupportsReadsInto,
)
from aiolake.testing.cancel import cancel_at_each_step

__all__ = ["StoreContract"]

T = TypeVar("T")

ODD_KEYS = (
    "a b/c d",
    "a%20b",
    "a%2Fb",
    "percent%",
    "plus+and&and=and?and#",
    "quote'\"<>`{}|\\^~[]",
    "umlaut/ä/é/日本語/🙂",
    "under/_/-/.x/x",
    "case/A",
    "case/a",
    "x" * 255,
    "/".join(["y" * 100] * 9),
)
BAD_KEYS = ("", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".", "..", "a\x00b", "z" * 256)
ORDERED_KEYS = (
    "a.b",
    "a/b",
    "a/b.c",
    "a/b-",
    "a0",
    "a-",
    "a!",
    "A",
    "ä",
    "a/ä/z",
    "z",
    "🙂",
    "￿",
)
BLOCK = bytes(range(256)) * 16


class _Opening:
    n_many = 1005
    """Objects written by the tests of pages: more than one page of 1,000."""

    big_nbytes = 20 << 20
    """The size of the big object, written from several buffers."""

    odd_keys: tuple[str, ...] = ODD_KEYS
    """Keys with characters that many things treat specially; less those a provider cannot keep."""

    ordered_keys: tuple[str, ...] = ORDERED_KEYS
    """Keys whose order shows what a listing is ordered by; less those a provider cannot keep."""

    async def make_store(self) -> Store:
        """An empty store, made anew at each call; or override ``opened``."""
        raise NotImplementedError

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        """An empty store, closed at the end."""
        store = await self.make_store()
        try:
            yield store
        finally:
            await store.aclose()


class _Reading(_Opening):
    async def test_get_gives_all_bytes_in_order_of_the_buffers(self) -> None:
        async with self.opened() as store:
            await store.put("a", [b"one ", bytearray(b"two "), memoryview(b"three")])
            assert bytes(await store.get("a")) == b"one two three"

    async def test_head_gives_key_and_size(self) -> None:
        async with self.opened() as store:
            await store.put("dir/a", [b"12345"])
            assert await store.head("dir/a") == ObjectMeta("dir/a", 5)

    async def test_an_object_of_no_bytes_is_an_object(self) -> None:
        async with self.opened() as store:
            await store.put("nothing", [])
            await store.put("empty", [b"", b""])
            for key in ("nothing", "empty"):
                assert bytes(await store.get(key)) == b""
                assert bytes(await store.get_range(key, 0, 10)) == b""
                assert (await store.head(key)).size == 0
            assert await _keys(store, "") == ["empty", "nothing"]

    async def test_ranges_are_half_open_and_cut_at_the_end(self) -> None:
        async with self.opened() as store:
            await store.put("a", [b"0123456789"])
            cases = [(0, 10), (0, 1), (9, 10), (3, 7), (4, 4), (0, 0), (8, 99), (10, 20), (50, 60)]
            for start, stop in cases:
                got = bytes(await store.get_range("a", start, stop))
                assert got == b"0123456789"[start:stop], (start, stop)

    async def test_a_range_that_is_none_is_refused(self) -> None:
        async with self.opened() as store:
            await store.put("a", [b"0123456789"])
            for start, stop in [(-1, 5), (5, 4), (-2, -1), (99, 98)]:
                await _refused(store.get_range, "a", start, stop)

    async def test_a_missing_object_is_not_found(self) -> None:
        async with self.opened() as store:
            await store.put("dir/a", [b"x"])
            for key in ("b", "dir", "dir/b", "no/such", "dir/a/below"):
                await _not_found(store.get, key)
                await _not_found(store.get_range, key, 0, 1)
                await _not_found(store.head, key)

    async def test_immediate_reads_give_the_same_bytes_or_none(self) -> None:
        async with self.opened() as store:
            if not isinstance(store, SupportsImmediateReads):
                return
            await store.put("a", [BLOCK])
            assert store.get_range_now("missing", 0, 1) is None
            for start, stop in [(0, 4096), (1, 2), (100, 9000), (4096, 5000), (7, 7)]:
                await store.get_range("a", start, stop)
                data = store.get_range_now("a", start, stop)
                assert data is None or bytes(data) == BLOCK[start:stop]

    async def test_reads_into_memory_fill_it_or_are_refused(self) -> None:
        async with self.opened() as store:
            if not isinstance(store, SupportsReadsInto):
                return
            await store.put("a", [BLOCK])
            into = memoryview(bytearray(1000))
            assert not store.read_now("missing", 0, into)
            assert not store.read_now("a", -1, into)
            for start in (0, 7, 4096 - 1000, 4096 - 999):
                await store.get_range("a", start, start + 1000)
                filled = store.read_now("a", start, into)
                assert not filled or bytes(into) == BLOCK[start : start + 1000]

    async def test_begun_reads_bring_all_bytes_or_none(self) -> None:
        async with self.opened() as store:
            if not isinstance(store, SupportsBegunReads):
                return

            for key in (*self.odd_keys, "a"):
                await store.put(key, [BLOCK])
            await map_concurrently(store.get, ["a"] * 4)  # connections are at hand
            for key in (*self.odd_keys, "a"):
                for start, stop in [(0, 4096), (1, 2), (4095, 4096), (7, 4000)]:
                    data = await _begun(store, key, start, stop)
                    if data is not None:  # else the server keeps no connections
                        assert data == BLOCK[start:stop], key
            for key, start, stop in [("a", 100, 9000), ("a", 4096, 5000), ("missing", 0, 1)]:
                assert await _begun(store, key, start, stop) is None
            told: asyncio.Queue[tuple[int, Answer]] = asyncio.Queue()
            ranges = [("a", i, 7 * i + 1) for i in range(20)]

            def tell(i: int, answer: Answer) -> None:
                told.put_nowait((i, answer))

            sent = store.begin_ranges(ranges, tell)
            assert told.empty(), "nobody is told within the call"
            if sent is not None:
                await _raises(InvalidInputError, _begun(store, "a", 7, 7))
                answers = dict([await told.get() for _ in range(sent.n)])
                assert answers == {i: BLOCK[i : 7 * i + 1] for i in range(sent.n)}
            sent = store.begin_ranges(ranges, tell)
            if sent is not None:
                sent.give_up()
            assert bytes(await store.get_range("a", 0, 10)) == BLOCK[:10]
            assert told.empty(), "nobody is told of what was given up"

    async def test_odd_keys_keep_their_names(self) -> None:
        async with self.opened() as store:
            for key in self.odd_keys:
                assert await store.create(key, [key.encode()]) is CreateOutcome.CREATED
            for key in self.odd_keys:
                assert bytes(await store.get(key)) == key.encode()
            assert sorted(await _keys(store, "")) == sorted(self.odd_keys)
            await store.delete(self.odd_keys)
            assert await _keys(store, "") == []

    async def test_keys_that_name_no_object_are_refused(self) -> None:
        async with self.opened() as store:
            for key in BAD_KEYS:
                await _refused(store.get, key)
                await _refused(store.put, key, [b"x"])
                await _refused(store.create, key, [b"x"])
                await _refused(store.delete, [key])

    async def test_it_describes_itself(self) -> None:
        async with self.opened() as store:
            assert "://" in store.url
            assert isinstance(store.listing, Listing)
            assert isinstance(store.cost, CostModel)
            assert isinstance(store, Store)


class _Writing(_Opening):
    async def test_create_says_created_then_exists_and_changes_nothing(self) -> None:
        async with self.opened() as store:
            assert await store.create("log/1", [b"first"]) is CreateOutcome.CREATED
            assert await store.create("log/1", [b"other"]) is CreateOutcome.EXISTS
            assert bytes(await store.get("log/1")) == b"first"

    async def test_of_twenty_creators_one_wins_and_its_bytes_stay(self) -> None:
        async with self.opened() as store:
            for round in range(5):
                key = f"race/{round}"

                async def compete(n: int, key: str = key) -> CreateOutcome:
                    return await store.create(key, [f"writer {n}".encode(), BLOCK])

                outcomes = await map_concurrently(compete, range(20))
                winner = outcomes.index(CreateOutcome.CREATED)
                assert outcomes.count(CreateOutcome.EXISTS) == 19
                assert bytes(await store.get(key)) == f"writer {winner}".encode() + BLOCK

    async def test_create_after_delete_creates(self) -> None:
        async with self.opened() as store:
            await store.create("a", [b"1"])
            await store.delete(["a"])
            assert await store.create("a", [b"2"]) is CreateOutcome.CREATED
            assert bytes(await store.get("a")) == b"2"

    async def test_put_replaces_longer_and_shorter(self) -> None:
        async with self.opened() as store:
            for value in (b"middle", b"much longer than that", b"s", b""):
                await store.put("hint", [value])
                assert bytes(await store.get("hint")) == value
                assert bytes(await store.get_range("hint", 0, 99)) == value
                assert (await store.head("hint")).size == len(value)

    async def test_put_is_seen_whole_while_it_replaces(self) -> None:
        async with self.opened() as store:
            values = [bytes([n]) * 50_000 for n in range(8)]
            await store.put("a", [values[0]])

            async def write(value: bytes) -> None:
                await _retried(lambda: store.put("a", [value[:20_000], value[20_000:]]))

            async def read(_: int) -> None:
                assert bytes(await _retried(lambda: store.get("a"))) in values

            async with asyncio.TaskGroup() as group:
                for value in values:
                    group.create_task(write(value))
                for n in range(40):
                    group.create_task(read(n))

    async def test_the_caller_may_reuse_its_buffers(self) -> None:
        async with self.opened() as store:
            buffer = bytearray(b"before")
            await store.put("a", [buffer])
            await store.create("b", [buffer])
            buffer[:] = b"after!"
            assert bytes(await store.get("a")) == bytes(await store.get("b")) == b"before"

    async def test_a_big_object_of_several_buffers(self) -> None:
        async with self.opened() as store:
            part = BLOCK * (self.big_nbytes // 5 // len(BLOCK))
            parts: list[Buffer] = [part[n:] + part[:n] for n in range(5)]
            whole = b"".join(parts)
            assert await store.create("big", parts) is CreateOutcome.CREATED
            assert (await store.head("big")).size == len(whole)
            assert bytes(await store.get("big")) == whole
            middle = len(whole) // 2
            assert bytes(await store.get_range("big", 5, middle)) == whole[5:middle]

    async def test_an_object_of_very_many_buffers(self) -> None:
        async with self.opened() as store:
            parts = [b"%d," % n for n in range(5000)]
            await store.put("many", parts)
            assert bytes(await store.get("many")) == b"".join(parts)

    async def test_delete_removes_what_is_there_and_ignores_what_is_not(self) -> None:
        async with self.opened() as store:
            for key in ("a", "d/b", "d/c"):
                await store.put(key, [b"x"])
            await store.delete(["a", "missing", "d/b", "no/such/thing", "d"])
            assert await _keys(store, "") == ["d/c"]
            await _not_found(store.get, "a")
            await _not_found(store.get_range, "d/b", 0, 1)
            await store.delete([])
            await store.delete(["a"])

    async def test_closing_twice_is_fine(self) -> None:
        async with self.opened() as store:
            await store.put("a", [b"x"])
            await store.aclose()
            await store.aclose()


class _ListingTests(_Opening):
    async def test_an_empty_store_lists_nothing(self) -> None:
        async with self.opened() as store:
            page = await store.list("")
            assert page.objects == ()
            assert page.token is None

    async def test_a_prefix_is_a_string_not_a_directory(self) -> None:
        async with self.opened() as store:
            keys = ["a", "ab", "ab/c", "ab/cd/e", "ab/d", "abc", "b/a"]
            for key in keys:
                if key != "ab":
                    await store.put(key, [key.encode()])
            there = [key for key in keys if key != "ab"]
            for prefix in [
                "",
                "a",
                "ab",
                "ab/",
                "ab/c",
                "ab/cd/",
                "abc",
                "b",
                "c",
                "/",
                "../",
                "a//",
            ]:
                expected = [key for key in there if key.startswith(prefix)]
                assert await _keys(store, prefix) == sorted(expected), prefix

    async def test_sizes_are_listed(self) -> None:
        async with self.opened() as store:
            await store.put("d/a", [b"123"])
            assert (await store.list("d/")).objects == (ObjectMeta("d/a", 3),)

    async def test_an_ordered_listing_is_in_byte_order_of_the_whole_key(self) -> None:
        async with self.opened() as store:
            keys = list(self.ordered_keys)
            for key in keys:
                await store.put(key, [b""])
            listed = await _keys(store, "", in_order=False)
            if store.listing is Listing.ORDERED:
                assert listed == sorted(keys, key=str.encode)
            assert sorted(listed) == sorted(keys)

    async def test_pages_are_full_and_go_on_after_their_token(self) -> None:
        async with self.opened() as store:
            keys = [f"many/{n // 300:03d}/{n % 300:03d}" for n in range(self.n_many)]
            await map_concurrently(lambda key: store.put(key, [b"x"]), keys, limit=32)
            page = await store.list("many/")
            if store.listing is Listing.ORDERED:
                assert [meta.key for meta in page.objects] == keys[:1000]
                assert page.token is not None
            assert await _keys(store, "many/", in_order=False) == keys
            assert await _keys(store, "many/", limit=77, in_order=False) == keys

    async def test_every_limit_pages_through_all(self) -> None:
        async with self.opened() as store:
            keys = ["a.b", "a/b", "a/c/d", "a/c/e", "a0", "b"]
            for key in keys:
                await store.put(key, [b""])
            for limit in range(1, 8):
                assert await _keys(store, "", limit=limit) == keys, limit
                assert await _keys(store, "a/", limit=limit) == keys[1:4], limit

    async def test_a_limit_outside_1_to_1000_is_refused(self) -> None:
        async with self.opened() as store:
            for limit in (0, -1, 1001):
                await _refused(store.list, "", limit=limit)

    async def test_a_deleted_last_key_does_not_disturb_the_next_page(self) -> None:
        async with self.opened() as store:
            for key in ("a", "b", "c", "d"):
                await store.put(key, [b""])
            page = await store.list("", limit=2)
            await store.delete(["b"])
            rest = await store.list("", limit=9, token=page.token)
            if store.listing is Listing.ORDERED:
                assert [meta.key for meta in rest.objects] == ["c", "d"]


class _Cancelling(_Opening):
    async def test_cancelled_reads_leave_nothing_and_the_store_works_on(self) -> None:
        async with self.opened() as store:
            await store.put("d/a", [BLOCK])
            await cancel_at_each_step(lambda: store.get("d/a"))
            await cancel_at_each_step(lambda: store.get_range("d/a", 1, 2))
            await cancel_at_each_step(lambda: store.head("d/a"))
            await cancel_at_each_step(lambda: store.list("d/"))
            assert bytes(await store.get("d/a")) == BLOCK

    async def test_a_cancelled_put_leaves_the_old_or_the_new_bytes(self) -> None:
        async with self.opened() as store:
            await store.put("a", [b"old"])

            async def check() -> None:
                assert bytes(await store.get("a")) in (b"old", BLOCK)
                assert await _keys(store, "") == ["a"]
                await store.put("a", [b"old"])

            await cancel_at_each_step(lambda: store.put("a", [BLOCK]), check)

    async def test_a_cancelled_create_leaves_all_or_nothing(self) -> None:
        async with self.opened() as store:

            async def check() -> None:
                for key in await _keys(store, ""):
                    assert bytes(await store.get(key)) == BLOCK
                await store.delete(["d/a"])

            await cancel_at_each_step(lambda: store.create("d/a", [BLOCK]), check)
            assert await store.create("d/a", [b"x"]) is CreateOutcome.CREATED

    async def test_a_cancelled_delete_can_be_repeated(self) -> None:
        async with self.opened() as store:

            async def check() -> None:
                await store.delete(["a", "b"])
                assert await _keys(store, "") == []
                await store.put("a", [b"x"])
                await store.put("b", [b"x"])

            await check()
            await cancel_at_each_step(lambda: store.delete(["a", "b"]), check)


class StoreContract(_Reading, _Writing, _ListingTests, _Cancelling):
    """Tests of every sentence of :class:`aiolake.stores.base.Store`.

    Subclass it in a test module, give ``make_store``, and run pytest with asyncio in auto mode::

        class TestMyStore(StoreContract):
            async def make_store(self) -> Store:
                return MyStore(...)
    """


async def _keys(
    store: Store, prefix: str, *, limit: int = 1000, in_order: bool = True
) -> list[str]:
    """All keys, page by page; sorted where the store promises no order."""
    keys: list[str] = []
    token: str | None = None
    while True:
        page = await store.list(prefix, limit=limit, token=token)
        assert len(page.objects) <= limit
        keys += [meta.key for meta in page.objects]
        token = page.token
        if token is None:
            break
    assert len(set(keys)) == len(keys), "a key was listed twice"
    return keys if store.listing is Listing.ORDERED and in_order else sorted(keys, key=str.encode)


async def _not_found(verb: Callable[..., Awaitable[object]], *args: object) -> None:
    await _raises(NotFoundError, verb(*args))


async def _retried(call: Callable[[], Awaitable[T]]) -> T:
    """As the scheduler does: a server may answer 500 to requests that meet."""
    for attempt in range(30):
        try:
            return await call()
        except TransientStoreError:
            await asyncio.sleep(0.002 * attempt)
    raise AssertionError("requests that meet must not fail for good")


async def _refused(verb: Callable[..., Awaitable[object]], *args: object, **named: object) -> None:
    await _raises(InvalidInputError, verb(*args, **named))


async def _raises(kind: type[Exception], call: Awaitable[object]) -> None:
    try:
        answer = await call
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was expected, the answer was {answer!r}")


async def _begun(store: SupportsBegunReads, key: str, start: int, stop: int) -> Answer:
    """What a begun read brings; ``None`` also where it cannot be begun."""
    told: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    if store.begin_ranges([(key, start, stop)], lambda _, data: told.set_result(data)) is None:
        return None
    return await told
