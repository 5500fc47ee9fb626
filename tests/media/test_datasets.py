"""Video and audio in datasets: written, read in every way, repacked; and what that costs."""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

import aiolake
from aiolake import Audio, InvalidInputError, Options, Tensor, Video
from aiolake.codecs.media import opening
from aiolake.codecs.media.containers import Container
from aiolake.codecs.media.files import MediaFile
from tests.dataset.counted import append, created, opened
from tests.dataset.helpers import Backend
from tests.media.files import frames_in, samples_in, sound, video, wave, waveform

SCHEMA: dict[str, Any] = {"film": Video, "sound": Audio(sample_rate=8000), "n": Tensor("int64")}
FILMS = [video("h264 mp4", 6), None, video("vp9 webm", 4), video("mjpeg avi", 3)]
SOUNDS = [waveform("wav 16", 900), sound("mp3", 900), None, waveform("flac 24", 700)]


@pytest.fixture(params=["remote", "near"])
async def ds(request: pytest.FixtureRequest) -> AsyncIterator[aiolake.Dataset]:
    backend = Backend(near=request.param == "near")
    async with created(backend, SCHEMA) as ds:
        await append(ds, film=FILMS, sound=SOUNDS, n=range(4))
        yield ds


def check(row: dict[str, Any], i: int) -> None:
    film, heard = FILMS[i], SOUNDS[i]
    if film is None:
        assert row["film"] is None
    else:
        np.testing.assert_array_equal(row["film"], frames_in(film))
    if heard is None:
        assert row["sound"] is None
    else:
        np.testing.assert_allclose(row["sound"], samples_in(heard), atol=1e-7)


async def test_rows_batches_and_streams(ds: aiolake.Dataset) -> None:
    for i in range(4):
        check(await ds.read(i), i)
        raw = await ds.read(i, decode=False)
        assert (raw["film"], raw["sound"]) == (FILMS[i], SOUNDS[i])
    batch = await ds.read([3, 1])
    for k, i in enumerate((3, 1)):
        check({"film": batch["film"][k], "sound": batch["sound"][k]}, i)
    async with ds.batches(3) as batches:
        seen = [n async for b in batches for n in zip(b["film"], b["sound"], b["n"], strict=True)]
    for each in seen:
        check({"film": each[0], "sound": each[1]}, int(each[2]))
    assert len(seen) == 4


async def test_what_is_read_after_updates_new_columns_and_optimizing(ds: aiolake.Dataset) -> None:
    async with ds.transaction() as tx:
        await tx.update(1, {"film": FILMS[0]})
        tx.add_column("jingle", Audio(), default=SOUNDS[0])
        tx.add_column("clip", Video(rate=10))
        await tx.append(
            {"film": None, "sound": wave(500, 1)[:, 0], "n": 9, "jingle": None,
             "clip": np.full((5, 8, 8, 3), 90, np.uint8)}
        )  # fmt: skip
    await aiolake.optimize(ds)
    np.testing.assert_array_equal((await ds.read(1))["film"], frames_in(video("h264 mp4", 6)))
    first = samples_in(waveform("wav 16", 900))
    np.testing.assert_array_equal((await ds.read(2))["jingle"], first)
    np.testing.assert_array_equal((await ds.read([0, 2]))["jingle"][1], first)
    assert (await ds.read(2, decode=False))["jingle"] == SOUNDS[0]
    last = await ds.read(4)
    np.testing.assert_array_equal(last["sound"], wave(500, 1))
    assert last["clip"].shape == (5, 8, 8, 3)
    assert np.abs(last["clip"].astype(int) - 90).max() < 4
    assert last["jingle"] is None
    assert (await ds.read(0))["clip"] is None


async def test_lists_of_videos() -> None:
    type = aiolake.Sequence(aiolake.Sequence(Video()))
    async with created(Backend(), {"films": type}) as ds:
        given = [[[FILMS[0], FILMS[2]], []], [], None]
        await append(ds, films=given)
        (first, second), empty = (await ds.read(0))["films"]
        np.testing.assert_array_equal(first, frames_in(video("h264 mp4", 6)))
        np.testing.assert_array_equal(second, frames_in(video("vp9 webm", 4)))
        assert len(empty) == 0
        assert (await ds.read([1, 2]))["films"] == [[], None]


@pytest.mark.parametrize("near", [False, True])
async def test_media_are_looked_into_by_threads_only(
    near: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def noted(file: MediaFile, container: Container) -> Any:
        seen.append(threading.current_thread().name)
        return opening.opened(file, container)

    monkeypatch.setattr("aiolake.codecs.media.video.opened", noted)
    backend = Backend(near=near)
    async with created(backend, {"film": Video()}) as ds:
        async with ds.transaction() as tx:
            await tx.append({"film": FILMS[0]})
            await tx.update(slice(0, 0), {"film": []})
        assert len(seen) == 1
        for row in (0, [0]):
            await ds.read(row)
            await ds.read(row)
        async with ds.batches(1) as batches:
            assert len([batch async for batch in batches]) == 1
        assert len(seen) == 6
        await ds.read(0, decode=False)
    assert len(seen) == 6
    assert all(name.startswith("aiolake-work") for name in seen)


async def test_byte_ranges(ds: aiolake.Dataset) -> None:
    film = FILMS[0]
    assert film is not None
    assert await ds.read_bytes(0, "film", 100, 300) == film[100:300]
    assert await ds.read_bytes(1, "film") == b""
    heard = SOUNDS[1]
    assert heard is not None
    assert await ds.read_bytes(1, "sound", 5) == heard[5:]


async def test_a_broken_file_names_its_column_and_row_and_changes_nothing(
    ds: aiolake.Dataset,
) -> None:
    whole = video("h264 mp4", 6)
    rows = [{"film": whole, "sound": None, "n": 0}, {"film": whole[:-9], "sound": None, "n": 1}]
    with pytest.raises(InvalidInputError, match=r"column 'film', row 1: .* cut off") as caught:
        async with ds.transaction() as tx:
            await tx.append(rows)
    assert caught.value.context == {"column": "film", "row": 1}
    assert len(ds) == 4


async def test_schemas_are_read_back() -> None:
    backend = Backend()
    schema: dict[str, Any] = {
        "a": Video(rate=(30000, 1001)),
        "b": Audio(16_000, "flac"),
        "c": Video(),
        "d": Audio,
    }
    async with created(backend, schema):
        pass
    async with opened(backend) as ds:
        assert [column.type for column in ds.schema.columns] == [
            Video(rate=(30000, 1001)), Audio(16_000, "flac"), Video(), Audio(),
        ]  # fmt: skip


def large_wav(nbytes: int) -> bytes:
    head = bytearray(waveform("wav 16", 100, 1)[:44])
    body = random.Random(1).randbytes(nbytes - 44)
    head[4:8] = (nbytes - 8).to_bytes(4, "little")
    head[40:44] = len(body).to_bytes(4, "little")
    return bytes(head) + body


@pytest.mark.parametrize("near", [False, True])
async def test_a_large_file_lies_in_small_parts_that_are_read_together(near: bool) -> None:
    data = large_wav(20 << 20)
    backend = Backend(near=near)
    async with created(backend, {"s": Audio()}, Options(chunk_bytes=32 << 20)) as ds:
        await append(ds, s=[data])
    async with opened(backend) as ds:
        await ds.read_bytes(0, "s", 0, 1)
        backend.counting.reset()
        assert await ds.read_bytes(0, "s", 9 << 20, (9 << 20) + 5) == data[9 << 20 :][:5]
        (request,) = backend.counting.counts.requests
        assert request.nbytes <= 1 << 20
    async with opened(backend) as ds:
        await ds.read_bytes(0, "s", 0, 1)
        backend.counting.reset()
        assert (await ds.read(0, decode=False))["s"] == data
        counts = backend.counting.reset()
        if not near:  # a store that answers at once is asked for each part
            assert len(counts.requests) == 3
            assert await ds.read_bytes(0, "s") == data
            assert backend.counting.counts.requests == ()
        np.testing.assert_array_equal((await ds.read(0))["s"], samples_in(data))
