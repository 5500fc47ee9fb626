"""Bytes under right checksums that no writer wrote: a value or an error of ours, soon and small.

Flips below a checksum are found by it (``test_reader.py``); here the checksums are made right, as
somebody would who wants to harm a reader.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import aiolake
from aiolake import AiolakeError, FormatError
from aiolake.codecs import ByteCodec, EntryCodec, FixedCodec, LinkCodec, codec_of, zstd
from aiolake.format.checksum import crc32c
from aiolake.format.entry import Piece
from aiolake.format.keys import KeyRun, Records, decode_run, encode_run
from aiolake.format.lists import check_list, encode_list
from aiolake.format.manifest import decode_block
from aiolake.format.statistics import Statistics, decode_zones, encode_zones
from aiolake.keys import entry_key
from tests.format.samples import TYPES, is_encoded, value_of
from tests.format.scenario import KEY, ROOMY, History
from tests.scale import pick

MOST_NBYTES = 1 << 30
"""A frame may claim 65,536 times its length, which is reserved but not touched."""
READ = [name for name, type in TYPES.items() if not isinstance(type, aiolake.Video | aiolake.Audio)]


def broken(data: bytes, rng: random.Random) -> bytes:
    """Flipped bits, and now and then a cut, a repetition or other bytes in their place."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0:
                del out[at : at + rng.randrange(9)]
            case 1:
                out[at:at] = out[at : at + rng.randrange(20)]
            case 2:
                out[at : at + 8] = rng.choice([b"\xff" * 8, b"\0" * 8, rng.randbytes(8)])
            case _ if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Nothing takes more memory than a sound dataset of this size does."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_NBYTES
    finally:
        tracemalloc.stop()


@pytest.mark.soak
@pytest.mark.parametrize("name", TYPES)
def test_payloads_and_shape_numbers(name: str) -> None:
    rng = random.Random(name)
    type = TYPES[name]
    codec = codec_of(type)
    if isinstance(codec, LinkCodec) or is_encoded(type):
        return  # what other people's decoders make of it is tested with them
    for _ in range(pick(60, 3000)):
        value = value_of(type, rng, null=0)
        if isinstance(codec, FixedCodec):
            check_page(codec, value, rng)
        else:
            check_entry(codec, value, rng)


def check_page(codec: FixedCodec, value: Any, rng: random.Random) -> None:
    rows = codec.encode_rows([value, None, value])
    payload = damaged(bytes(codec.page_payload(rows, 0, 3)), codec.compression == "zstd", rng)
    n = rng.choice([0, 1, 3, 4, 1 << 16])
    try:
        page = codec.read_page(payload, n, rng.random() < 0.8)
        codec.batch(page)
        for i in range(min(n, 4)):
            codec.to_value(page.array, page.valid, i)
    except FormatError:
        pass


def check_entry(codec: EntryCodec, value: Any, rng: random.Random) -> None:
    encoded = codec.encode(value)
    packed = getattr(codec, "compression", "") == "zstd" or "Mask" in type(codec).__name__
    payload = damaged(bytes(encoded.payload), packed, rng)
    shape = list(encoded.shape)
    if shape and rng.random() < 0.5:
        shape[rng.randrange(len(shape))] = rng.choice([0, 1, 7, (1 << 31), (1 << 32) - 1])
    for read in (codec.decode, codec.raw):
        with contextlib.suppress(FormatError):
            read(payload, tuple(shape))
    if isinstance(codec, ByteCodec):
        check_short(codec, value, rng)


def check_short(codec: ByteCodec, value: Any, rng: random.Random) -> None:
    rows = codec.encode_rows([value, None, value])
    if sum(map(len, rows.values)) < 1 << 16:
        payload = damaged(codec.page_payload(rows), codec.compression == "zstd", rng)
        try:
            page = codec.read_page(payload, rng.choice([0, 2, 3, 1 << 16]), rng.random() < 0.8)
            codec.all_values(page)
            page.check_nulls()
        except FormatError:
            pass


def damaged(payload: bytes, packed: bool, rng: random.Random) -> bytes:
    """A payload broken, or packed again after its content was."""
    if packed and rng.random() < 0.7:
        return zstd.compress(broken(zstd.decompress(payload), rng))
    return broken(payload, rng)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets whose newest entries hold all there is but payloads."""
    root = tmp_path_factory.mktemp("sound")

    async def write() -> None:
        rng = random.Random(3)
        for i, names in enumerate((READ[::3], READ[1::3], READ[2::3])):
            types = {KEY: aiolake.Text(), **{name: TYPES[name] for name in names}}
            async with aiolake.create_dataset(
                root / str(i), types, key=KEY, row_metadata=True, options=ROOMY
            ) as ds:
                told = History(ds, types, rng, keyed=True)
                async with ds.transaction() as tx:
                    await tx.append(told.rows(6))

    asyncio.run(write())
    return root


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(1, 60)))
@pytest.mark.parametrize("which", range(3))
async def test_entries(sound: Path, which: int, seed: int) -> None:
    """Whatever an entry says, of blocks, statistics, keys, rows and types."""
    rng = random.Random(3 * seed + which)
    path = sound / str(which) / entry_key(2)
    good = path.read_bytes()
    body = good[:-10]
    path.chmod(0o644)
    n_read = 0
    try:
        for _ in range(40):
            bad = broken_json(body, rng)
            path.write_bytes(b"%s\n%08x\n" % (bad, crc32c(bad)))
            n_read += await read_all(sound / str(which))
    finally:
        path.write_bytes(good)
    assert n_read  # else only the outermost decoder was tried


def broken_json(body: bytes, rng: random.Random) -> bytes:
    """One number, text or run of base64 in it changed."""
    if rng.random() < 0.2:
        return broken(body, rng)
    value = msgspec.json.decode(body)
    inner = value["snapshot"]
    if rng.random() < 0.2:
        inner = value
    while isinstance(inner, dict | list) and inner:
        at = rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        if not isinstance(inner[at], dict | list) or not inner[at]:
            inner[at] = changed(inner[at], rng)
            break
        inner = inner[at]
    return msgspec.json.encode(value)


def changed(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        far = [0, 1, -1, (1 << 31) + 1, 1 << 53, 1 << 62, (1 << 63) - 1, (1 << 64) - 1, 10**30]
        return rng.choice([value + 1, value - 1, value ^ 1 << rng.randrange(20), *far])
    if isinstance(value, str):
        try:
            data = msgspec.convert(value, bytes)
        except msgspec.ValidationError:
            data = b""
        if len(value) > 40 and data:
            return msgspec.to_builtins(reblocked(data, rng))
        return broken(value.encode(), rng).decode("utf-8", "replace")
    return rng.choice([None, 0, 1.5, "x", [], {}])


def reblocked(data: bytes, rng: random.Random) -> bytes:
    """Bytes broken; those of a compressed block after unpacking."""
    if data[:1] == b"\1" and rng.random() < 0.8:
        try:
            return b"\1" + zstd.compress(broken(zstd.decompress(data[1:]), rng))
        except FormatError:
            pass
    return broken(data, rng)


async def read_all(root: Path) -> bool:
    """Read in every way; whether it could be opened."""
    try:
        ds = await aiolake.open_dataset(root)
    except AiolakeError:
        return False
    async with ds:
        rows = slice(0, 50)
        names = [n for n, c in ds.schema.items() if not isinstance(c.type, aiolake.Link)]
        links = [n for n in ds.schema if n not in names]
        calls: list[Callable[[], Awaitable[Any]]] = [
            partial(aiolake.verify, ds, depth="samples"),
            ds.stats,
            partial(ds.get, "key 1"),
            partial(ds.get, "key 9", default=None),
            partial(where, ds),
            *(partial(ds.read, rows, columns=[name]) for name in names),
            *(partial(ds.read, 0, columns=[name]) for name in names),
            *(partial(aiolake.references, ds, rows, name) for name in links),
        ]
        for call in calls:
            with contextlib.suppress(AiolakeError):
                await call()
    return True


async def where(ds: aiolake.Dataset) -> None:
    found = await ds.where(**{KEY: aiolake.between("key 2", "key 4")})
    await found.read(slice(0, 9), columns=[KEY])


@given(st.randoms(use_true_random=False))
def test_blocks(rng: random.Random) -> None:
    block = bytes.fromhex(
        "00 02000000 0100 03 01" + "0700000000000000" + "61" * 26 + "0000 ffff"
        + "0000000000000000" * 2 + "0500000000000000 0700000000000000" + "00000000" * 2
        + "01000000 02000000" + "01" + "02000000" + "0000 0000"
        + "0000000000000000 0300000000000000" + "0300000000000000 0400000000000000" + "00000000" * 2
    )  # fmt: skip
    assert len(decode_block(block, "a block")) == 2
    try:
        decode_block(block[:1] + broken(block[1:], rng), "a block")
    except FormatError as error:
        assert "a block" in str(error)  # noqa: PT017


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(pick(30, 2000)))
def test_runs_of_keys(seed: int) -> None:
    rng = random.Random(seed)
    high = np.sort(np.asarray([rng.getrandbits(64) for _ in range(3000)], np.uint64))
    run, data = encode_run(Records(high, high, high), 1, "a" * 26)
    bad = bytearray(broken(data, rng))
    n = -(-run.n // 1024)
    for i in range(n):  # each block's checksum, then that of their table
        start = 20 * n + 24 * 1024 * i
        crc = crc32c(bytes(bad[start : start + 24 * min(1024, run.n - 1024 * i)]))
        bad[16 * n + 4 * i : 16 * n + 4 * i + 4] = crc.to_bytes(4, "little")
    sealed = msgspec.structs.replace(run, crc=crc32c(bytes(bad[: 20 * n])))
    try:
        decode_run(bytes(bad), sealed)
    except FormatError as error:
        assert "a" * 26 in str(error)  # noqa: PT017


def test_a_run_of_as_many_keys_as_can_be_said() -> None:
    with pytest.raises(FormatError):
        decode_run(b"", KeyRun(1, "a" * 26, 1 << 62, 0))


@given(st.randoms(use_true_random=False), st.integers(0, 1 << 62))
@example(random.Random(1), 1 << 60)
def test_zones(rng: random.Random, n_zones: int) -> None:
    _, data = encode_zones([Statistics(1, 0, i, i + 1) for i in range(9)], 4096)
    for bad in (data, zstd.compress(broken(zstd.decompress(data), rng)), broken(data, rng)):
        for n in (9, n_zones):
            try:
                decode_zones(bad, n, "zones")
            except FormatError as error:
                assert "zones" in str(error)  # noqa: PT017


@given(st.randoms(use_true_random=False))
def test_lists(rng: random.Random) -> None:
    pieces = [Piece(column=i % 3, rows=(i, 1), constant=aiolake.types.Constant()) for i in range(9)]
    ref, data = encode_list(pieces, 1, "a" * 26)
    bad = broken(data, rng)
    segments = tuple(
        msgspec.structs.replace(s, crc=crc32c(bad[ref.header + s.start : ref.header + s.stop]))
        for s in ref.segments or ()
    )
    sealed = msgspec.structs.replace(ref, crc=crc32c(bad[: ref.header]), segments=segments)
    try:
        check_list(bad, sealed)
    except FormatError as error:
        assert "a" * 26 in str(error)  # noqa: PT017
