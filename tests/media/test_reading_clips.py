"""``read_clip``: what it gives, what it costs, what it refuses, and what is left when cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import (
    Audio,
    AudioClip,
    ClosedError,
    CorruptDataError,
    InvalidInputError,
    OutOfRangeError,
    Tensor,
    Video,
    VideoClip,
    read_clip,
)
from aiolake._aio import Tasks
from aiolake.codecs.media.clips import Span, video_clip
from aiolake.codecs.media.files import WholeFile
from aiolake.testing import cancel_at_each_step
from tests.cancellation.place import Place, place_of
from tests.cancellation.test_callbacks import quick
from tests.cancellation.turns import cancel_at_each_turn
from tests.dataset.counted import append, created, opened
from tests.dataset.helpers import Backend, stored
from tests.media.files import frames_in, noise, samples_in, video, waveform
from tests.media.test_datasets import large_wav

SCHEMA: dict[str, Any] = {"film": Video(), "sound": Audio(), "n": Tensor("int64")}
MIB = 1 << 20


@pytest.fixture(params=["remote", "near"])
async def ds(request: pytest.FixtureRequest) -> AsyncIterator[aiolake.Dataset]:
    backend = Backend(near=request.param == "near")
    async with created(backend, SCHEMA) as ds:
        films = [video("h264 mp4", 60, gop=12), None]
        await append(ds, film=films, sound=[waveform("wav 16", 96_000), None], n=[0, 1])
        yield ds


async def test_clips_of_rows_and_views(ds: aiolake.Dataset) -> None:
    film, heard = video("h264 mp4", 60, gop=12), waveform("wav 16", 96_000)
    clip = await read_clip(ds, 0, "film", 0.4, 0.8)
    assert isinstance(clip, VideoClip)
    np.testing.assert_array_equal(clip.frames, frames_in(film)[10:20])
    np.testing.assert_allclose(clip.times, np.arange(10, 20) / 25)
    assert clip.rate == 25
    sound = await read_clip(ds[[1, 0]], 1, "sound", timedelta(seconds=1), timedelta(seconds=1.5))
    assert isinstance(sound, AudioClip)
    np.testing.assert_array_equal(sound.samples, samples_in(heard)[48_000:72_000])
    assert (sound.start, sound.sample_rate) == (1.0, 48_000)
    whole = await read_clip(ds.select("sound"), -2, "sound")
    assert isinstance(whole, AudioClip)
    np.testing.assert_array_equal(whole.samples, samples_in(heard))
    assert await read_clip(ds, 1, "film", 0, 1) is None
    for start in (7, 1e30):
        late = await read_clip(ds, 0, "film", start, 1e300)
        assert isinstance(late, VideoClip)
        assert late.frames.shape == (0, 48, 64, 3)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((0, "n", 0, 1), "clips are read of Video and Audio"),
        ((0, "film", -1, 1), "no time"),
        ((0, "film", 2, 1), "no time"),
        ((0, "film", "1", 2), "start is in seconds"),
        ((0, "film", 0, float("nan")), "stop is in seconds"),
        ((0, "film", True, 2), "start is in seconds"),
        ((0, "flim", 0, 1), "flim"),
        (([0, 1], "film", 0, 1), "one row"),
    ],
)
async def test_what_is_refused(ds: aiolake.Dataset, args: tuple[Any, ...], says: str) -> None:
    with pytest.raises((InvalidInputError, aiolake.NotFoundError)) as caught:
        await read_clip(ds, *args)
    assert says in str(caught.value)


async def test_rows_and_handles_that_are_not_there(ds: aiolake.Dataset) -> None:
    with pytest.raises(OutOfRangeError):
        await read_clip(ds, 2, "film", 0, 1)
    with pytest.raises(InvalidInputError, match="open dataset or a view"):
        await read_clip("./films", 0, "film", 0, 1)  # type: ignore[arg-type]
    await ds.aclose()
    with pytest.raises(ClosedError):
        await read_clip(ds, 0, "film", 0, 1)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
async def test_a_second_of_five_minutes_costs_a_small_part(container: str) -> None:
    data = noise(container, 300)
    assert len(data) > 40 * MIB
    backend = Backend()
    async with created(backend, {"film": Video()}) as ds:
        await append(ds, film=[data])
    for start in (0.0, 100.0, 200.5, 299.0):
        async with opened(backend) as ds:
            await ds.read_bytes(0, "film", 0, 1)  # the tables, and the file's beginning
            backend.counting.reset()
            clip = await read_clip(ds, 0, "film", start, start + 1)
            counts = backend.counting.counts
        assert isinstance(clip, VideoClip)
        assert clip.frames.shape == (10, 96, 128, 3)
        np.testing.assert_allclose(clip.times, start + np.arange(10) / 10, atol=1e-9)
        same = video_clip(WholeFile(data), Span(start, start + 1))
        np.testing.assert_array_equal(clip.frames, same.frames)
        assert len(counts.requests) <= 6, start
        assert sum(r.nbytes for r in counts.requests) < 0.12 * len(data), start


async def test_a_second_of_a_long_sound_is_two_parts() -> None:
    data = large_wav(40 * MIB)
    backend = Backend()
    async with created(backend, {"sound": Audio()}) as ds:
        await append(ds, sound=[data])
    async with opened(backend) as ds:
        await ds.read_bytes(0, "sound", 0, 1)
        backend.counting.reset()
        clip = await read_clip(ds, 0, "sound", 200, 201)
        assert isinstance(clip, AudioClip)
        np.testing.assert_array_equal(clip.samples, samples_in(data)[200 * 48_000 : 201 * 48_000])
        assert sum(r.nbytes for r in backend.counting.counts.requests) <= 2 * MIB


async def test_damage_in_a_part_is_corrupt_data_wherever_it_is_met() -> None:
    data = large_wav(10 * MIB)
    backend = Backend()
    async with created(backend, {"sound": Audio()}) as ds:
        await append(ds, sound=[data])
    for key, payload in (await stored(backend.store)).items():
        if key.startswith("chunks/"):
            damaged = bytearray(payload)
            at = payload.index(data[5 * MIB : 5 * MIB + 40])
            damaged[at] ^= 1
            await backend.store.delete([key])
            await backend.store.put(key, [bytes(damaged)])
    async with opened(backend) as ds:
        assert isinstance(await read_clip(ds, 0, "sound", 1, 2), AudioClip)
        with pytest.raises(CorruptDataError, match="chunks/"):
            await read_clip(ds, 0, "sound", 5 * MIB / 96_000, 56)


async def test_many_clips_at_once_with_few_threads() -> None:
    data = noise("mp4", 60)
    backend = Backend()
    options = aiolake.Options(decode_threads=1, max_inflight=2, cache_bytes=0)
    async with created(backend, {"film": Video()}, options) as ds:
        await append(ds, film=[data])
    async with asyncio.timeout(60), opened(backend, options) as ds, asyncio.TaskGroup() as group:
        tasks = [group.create_task(read_clip(ds, 0, "film", i, i + 0.5)) for i in range(12)]
        reads = [
            group.create_task(ds.read_bytes(0, "film", i * MIB, i * MIB + 9)) for i in range(5)
        ]
    for i, task in enumerate(tasks):
        clip = task.result()
        assert isinstance(clip, VideoClip)
        np.testing.assert_allclose(clip.times, i + np.arange(5) / 10, atol=1e-9)
    assert [task.result() for task in reads] == [data[i * MIB : i * MIB + 9] for i in range(5)]


async def test_closing_the_session_meanwhile_ends_the_clip() -> None:
    data = large_wav(10 * MIB)
    backend = Backend()
    async with created(backend, {"sound": Audio()}) as ds:
        await append(ds, sound=[data])
    seen: list[object] = []

    async def read(ds: aiolake.Dataset, second: int) -> None:
        try:
            seen.append(await read_clip(ds, 0, "sound", second, second + 1))
        except ClosedError:
            seen.append("closed")

    async with (
        asyncio.timeout(20),
        backend.session() as session,
        Tasks() as reads,
        aiolake.open_dataset(backend.url, session=session) as ds,
    ):
        for second in range(20):
            reads.start(read(ds, second), name="read a clip")
        await asyncio.sleep(0.001)
        await session.aclose()
        await reads.join()
    assert len(seen) == 20
    assert "closed" in seen


@pytest.fixture(params=["memory", "local"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    place = place_of(request.param, tmp_path)
    async with place.opened():
        create = aiolake.create_dataset(place.url, {"sound": Audio()}, session=place.session)
        async with create as ds, ds.transaction() as tx:
            await tx.append([{"sound": large_wav(9 * MIB)}, {"sound": waveform("wav 16", 9000)}])
        yield place


async def clip_of_each(place: Place) -> None:
    async with aiolake.open_dataset(place.url, session=place.session) as ds:
        for row, second in ((0, 60), (1, 0.1)):
            clip = await read_clip(ds, row, "sound", second, second + 0.01)
            assert isinstance(clip, AudioClip)
            assert len(clip.samples) == 480


async def test_cancelled_at_each_step_nothing_is_left_behind(place: Place) -> None:
    assert await cancel_at_each_step(lambda: clip_of_each(place), place.check_idle) > 4
    await clip_of_each(place)


@pytest.mark.parametrize("place", ["memory"], indirect=True)
async def test_cancelled_at_each_turn_nothing_is_left_behind(place: Place) -> None:
    async def check() -> None:
        place.check_idle()

    assert await cancel_at_each_turn(lambda: clip_of_each(place), check) > 5
    await clip_of_each(place)


async def test_no_callback_is_slow(tmp_path: Path) -> None:
    number = iter(range(9))
    film, sound = noise("mp4", 60), waveform("flac 16", 480_000)
    options = aiolake.Options(durability="os", decode_threads=2)

    async def use() -> None:
        create = aiolake.create_dataset(tmp_path / str(next(number)), SCHEMA, options=options)
        async with create as ds:
            async with ds.transaction() as tx:
                await tx.append({"film": film, "sound": sound, "n": 1})
                await tx.append({"film": video("vp9 webm", 60, gop=12), "sound": None, "n": 1})
            await ds.read(1)
            await ds.read([0, 1], columns=["sound"])
            await read_clip(ds, 0, "film", 30, 31)
            async with ds.select("film")[1:].batches(1) as batches:
                async for _ in batches:
                    pass

    await use()  # loads the libraries
    await quick(use)
