"""Every type through a real dataset: what is written is what is read, in every form."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import aiolake
from aiolake import (
    Audio,
    BBox,
    Bytes,
    ClassLabel,
    ColumnType,
    Dataset,
    Embedding,
    Image,
    Json,
    Keypoints,
    Mask,
    Options,
    Sequence,
    Tensor,
    Text,
    Video,
)
from tests.dataset.helpers import Backend, png, same
from tests.media.files import frames_in, samples_in, video, waveform
from tests.scale import pick

OPTIONS = Options(chunk_bytes=1500, small_bytes=400, decode_threads=1)
MIB = 1 << 20
LABELS = ("daisy", "rose", "tulip")
PICTURES = [png(h, w, seed) for h, w, seed in ((1, 1, 0), (3, 2, 1), (2, 5, 2))]
FILMS = [video(name, 2, 16, 16) for name in ("mjpeg avi", "vp8 webm")]
SOUNDS = [waveform(name, 90, 1) for name in ("wav 16", "flac 16")]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)  # fmt: skip


def arrays(dtype: str, shape: tuple[int | None, ...]) -> st.SearchStrategy[Any]:
    """Arrays of a shape whose ragged dimensions are 0 to 3; halves of any bit pattern."""
    sizes = st.tuples(*(st.integers(0, 3) if n is None else st.just(n) for n in shape))
    if dtype == "float16":
        # Drawn as numbers they are filtered so much that hypothesis gives up now and then.
        halves = sizes.flatmap(lambda found: hnp.arrays(np.uint16, found))
        return halves.map(lambda bits: bits.view(np.float16))
    return sizes.flatmap(lambda found: hnp.arrays(np.dtype(dtype), found))


def numbers(low: float, high: float, *shape: int | None) -> st.SearchStrategy[Any]:
    """float32 arrays of finite numbers; ragged dimensions are 0 to 3."""
    sizes = st.tuples(*(st.integers(0, 3) if n is None else st.just(n) for n in shape))
    elements = st.floats(low, high, width=32)
    return sizes.flatmap(lambda found: hnp.arrays(np.float32, found, elements=elements))


def corners(boxes: Any) -> Any:
    """Boxes of any four numbers with the corners in order."""
    return np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )


def short_texts(max_bytes: int) -> st.SearchStrategy[str]:
    """Text of some bytes of UTF-8 that does not end in NUL."""

    def cut(text: str) -> str:
        return text.encode()[:max_bytes].decode(errors="ignore").rstrip("\0")

    return st.text(max_size=max_bytes).map(cut)


def listed(of: tuple[ColumnType, Any], n: int = 3) -> tuple[ColumnType, Any]:
    """A sequence of a type, and lists of its values."""
    return Sequence(of[0]), st.lists(of[1], max_size=n)


def fixed(dtype: str, *shape: int | None, **options: Any) -> tuple[ColumnType, Any]:
    return Tensor(dtype, shape, **options), arrays(dtype, shape)


TYPES: dict[str, tuple[ColumnType, st.SearchStrategy[Any]]] = {
    "bool": (Tensor("bool"), st.booleans()),
    "int8": (Tensor("int8"), st.integers(-128, 127)),
    "uint64": (Tensor("uint64"), st.integers(0, 2**64 - 1)),
    "float64": (Tensor("float64"), st.floats()),
    "complex128": (Tensor("complex128"), st.complex_numbers(allow_nan=False)),
    "float16s": fixed("float16", 3),
    "datetime": fixed("datetime64[us]", 2),
    "timedelta": fixed("timedelta64[ns]", 1, compression="zstd"),
    "matrix": fixed("int32", 2, 2, compression="zstd"),
    "nothing": fixed("float32", 0),
    "large": fixed("uint8", 5000),
    "ragged": fixed("float32", None, 3),
    "ragged zstd": fixed("int64", None, None, compression="zstd"),
    "label": (ClassLabel(LABELS), st.sampled_from([*LABELS, 0, 1, 2])),
    "embedding": (Embedding(4, "float16"), arrays("float16", (4,))),
    "text": (Text(), st.text(max_size=12)),
    "text zstd": (Text("zstd"), st.text(max_size=12)),
    "json": (Json(), JSON.filter(lambda value: value is not None)),
    "bytes": (Bytes(), st.binary(max_size=40) | st.just(bytes(3000))),
    "bytes zstd": (Bytes("zstd"), st.binary(max_size=40)),
    "image": (Image(), st.sampled_from(PICTURES)),
    "video": (Video(), st.sampled_from(FILMS)),
    "audio": (Audio(), st.sampled_from(SOUNDS)),
    "fixed text": (Text(max_bytes=9), short_texts(9)),
    "fixed text zstd": (Text("zstd", 600), short_texts(600)),
    "boxes": (BBox(), numbers(-9, 9, None, 4).map(corners)),
    "pixel boxes": (BBox("xywh", dtype="uint16"), arrays("uint16", (None, 4))),
    "normalized boxes": (BBox("cxcywh", True), numbers(0, 1, None, 4)),
    "mask": (Mask(), arrays("uint8", (None, None))),
    "class mask": (
        Mask("uint16", LABELS, ignore=300),
        arrays("bool", (None, None)).map(lambda bits: np.where(bits, 2, 300).astype(np.uint16)),
    ),
    "instance masks": (Mask("bool", instances=True), arrays("bool", (None, None, None))),
    "keypoints": (Keypoints(), numbers(-9, 9, None, None, 3)),
    "named keypoints": (Keypoints(names=["a", "b"]), numbers(-9, 9, None, 2, 2)),
}
TYPES |= {
    f"sequence of {name}": listed(TYPES[name])
    for name in (
        "uint64", "float16s", "matrix", "nothing", "ragged zstd", "label", "text", "json", "bytes",
        "image", "fixed text", "boxes", "instance masks",
    )
}  # fmt: skip
TYPES |= {
    f"sequence of {name}": listed(TYPES[name])
    for name in ("sequence of float16s", "sequence of text", "sequence of image")
}


@asynccontextmanager
async def dataset(
    schema: dict[str, ColumnType], options: Options = OPTIONS
) -> AsyncIterator[Dataset]:
    backend = Backend()
    async with (
        backend.session(options) as session,
        aiolake.create_dataset(backend.url, schema, session=session) as ds,
    ):
        yield ds


def stored_value(type: ColumnType, value: Any) -> Any:
    """What a row without decoding gives for what was written."""
    match type:
        case _ if value is None:
            return None
        case Sequence(of=of):
            items = [stored_value(of, item) for item in value]
            return as_batch(of, items) if is_array_column(of) else items
        case ClassLabel():
            return LABELS.index(value) if isinstance(value, str) else value
        case Text(max_bytes=None):
            return value.encode()
        case Tensor() if type.shape == () and type.dtype == "float64":
            return float(value)
        case _:
            return value


def as_batch(of: ColumnType, items: list[Any]) -> Any:
    """Items of fixed shape as one array."""
    match of:
        case Text():
            return np.asarray(items, f"U{of.max_bytes}")
        case Tensor():
            shape = [n for n in of.shape if n is not None]
            return np.asarray(items, of.dtype).reshape(len(items), *shape)
    return np.asarray(items, np.int32)


def check_raw(type: ColumnType, found: Any, written: Any) -> None:
    if isinstance(type, Json) and written is not None:
        assert json.loads(found) == written
        return
    if isinstance(type, Sequence) and written is not None and not is_array_column(type.of):
        check_each(check_raw, type.of, found, written)
        return
    expected = stored_value(type, written)
    if isinstance(expected, float | complex):
        assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()
        return
    assert same(found, expected), (type, found, expected)


def check_each(check: Any, of: ColumnType, found: Any, written: Any) -> None:
    assert isinstance(found, list)
    assert len(found) == len(written)
    for value, expected in zip(found, written, strict=True):
        check(of, value, expected)


def check_decoded(type: ColumnType, found: Any, written: Any) -> None:
    if written is None:
        assert found is None
    elif isinstance(type, Text | Json):
        assert found == written
    elif isinstance(type, Image):
        assert found.dtype == np.uint8
        assert found.ndim == 3
    elif isinstance(type, Video):
        assert same(found, frames_in(written))
    elif isinstance(type, Audio):
        assert same(found, samples_in(written))
    elif isinstance(type, Sequence) and not is_array_column(type.of):
        check_each(check_decoded, type.of, found, written)
    else:
        check_raw(type, found, written)


def is_array_column(type: ColumnType) -> bool:
    if isinstance(type, Tensor):
        return None not in type.shape
    if isinstance(type, Text):
        return type.max_bytes is not None
    return isinstance(type, ClassLabel | Embedding)


def check_column(type: ColumnType, found: Any, written: list[Any]) -> None:
    """A collated column: an array, masked where a row is None, or a list."""
    assert len(found) == len(written)
    if not is_array_column(type):
        check_each(check_raw, type, found, written)
        return
    missing = np.asarray([value is None for value in written], bool)
    assert isinstance(found, np.ndarray)
    assert isinstance(found, np.ma.MaskedArray) == bool(missing.any())
    mask = np.ma.getmaskarray(found).reshape(len(found), math.prod(found.shape[1:]))
    assert (mask == missing[:, None]).all()
    for value, expected in zip(np.asarray(found), written, strict=True):
        if expected is not None:
            wanted = np.asarray(stored_value(type, expected), found.dtype)
            assert np.asarray(value, found.dtype).tobytes() == wanted.tobytes()


async def check_dataset(ds: Dataset, type: ColumnType, written: list[Any]) -> None:
    """In every form: rows, slices, lists, masks, steps, views of views, batches."""
    n = len(written)
    assert len(ds) == n
    for i in range(n):
        check_raw(type, (await ds.read(i, decode=False))["x"], written[i])
        check_decoded(type, (await ds.read(i - n))["x"], written[i])
    mask = [i % 3 == 1 for i in range(n)]
    forms: list[tuple[Any, list[Any]]] = [
        (slice(None), written),
        (slice(None, None, -1), written[::-1]),
        (slice(-1, None, -2), written[-1::-2]),
        (slice(2, 2), []),
        ([], []),
        (np.asarray(mask), [value for i, value in enumerate(written) if mask[i]]),
    ]
    if n:
        forms.append(([n - 1, 0, -1, 0], [written[-1], written[0], written[-1], written[0]]))
    for selector, expected in forms:
        check_column(type, (await ds.read(selector, decode=False))["x"], expected)
        view = ds[selector].select("x")[::-1]
        check_column(type, (await view.read(slice(None), decode=False))["x"], expected[::-1])
    await check_batches(ds, type, written)


async def check_batches(ds: Dataset, type: ColumnType, written: list[Any]) -> None:
    for view, expected in ((ds[:], written), (ds[::-1], written[::-1])):
        at = 0
        async with view.batches(3, decode=False) as batches:
            async for batch in batches:
                check_column(type, batch["x"], expected[at : at + 3])
                at += len(batch["x"])
        assert at == len(expected)


@pytest.mark.soak
@pytest.mark.parametrize("name", TYPES)
@settings(
    max_examples=pick(6, 200),
    suppress_health_check=list(HealthCheck),  # few examples: any may be hard to draw
)
@given(data=st.data())
async def test_round_trips(name: str, data: st.DataObject) -> None:
    type, values = TYPES[name]
    rows = data.draw(st.lists(st.none() | values, max_size=8))
    more = data.draw(st.lists(st.none() | values, max_size=4))
    new = data.draw(st.lists(st.none() | values, max_size=len(rows)))
    default = data.draw(st.none() | values)
    async with dataset({"x": type}) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": value} for value in rows])
        await check_dataset(ds, type, rows)
        async with ds.transaction() as tx:
            await tx.append(columns={"x": more})
            await tx.update(list(range(len(new))), {"x": new})
        written = [*new, *rows[len(new) :], *more]
        await check_dataset(ds, type, written)
        async with ds.transaction() as tx:
            tx.add_column("y", type, default=default)
            tx.rename_column("x", "z")
        async with ds.transaction() as tx:
            tx.drop_column("z")
            tx.rename_column("y", "x")
        await check_dataset(ds, type, [default] * len(written))
        if written:
            await aiolake.optimize(ds)
            await check_dataset(ds, type, [default] * len(written))


@pytest.mark.parametrize("type", [Bytes(), Bytes("zstd"), Text(), Tensor("uint8", (None,))])
async def test_a_sample_in_parts(type: ColumnType) -> None:
    raw = np.random.default_rng(0).integers(97, 122, 17 * MIB + 3, dtype=np.uint8)
    huge: Any = raw
    if isinstance(type, Bytes):
        huge = raw.tobytes()
    elif isinstance(type, Text):
        huge = raw.tobytes().decode()
    small = huge[:5]
    async with dataset({"x": type}, Options()) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": small}, {"x": huge}, {"x": None}, {"x": small}])
        for i, expected in enumerate((small, huge, None, small)):
            assert same((await ds.read(i))["x"], expected)
        found = (await ds.read([1, 0]))["x"]
        assert same(found[0], huge)
        assert same(found[1], small)
        async with ds.batches(2) as batches:
            streamed = [value async for batch in batches for value in batch["x"]]
        assert [value is None for value in streamed] == [False, False, True, False]
        assert same(streamed[1], huge)


async def test_a_row_of_a_fixed_shape_in_parts() -> None:
    huge = np.random.default_rng(0).integers(0, 255, (9 * MIB,), dtype=np.uint8)
    async with dataset({"x": Tensor("uint8", (9 * MIB,))}, Options()) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": None}, {"x": huge}])
        assert (await ds.read(0))["x"] is None
        assert same((await ds.read(1))["x"], huge)
        batch = (await ds.read(slice(None)))["x"]
        assert batch.mask[0].all()
        assert not batch.mask[1].any()
        assert same(np.asarray(batch[1]), huge)


async def test_byte_ranges_of_a_huge_sample() -> None:
    huge = np.random.default_rng(0).bytes(17 * MIB)
    async with dataset({"x": Bytes()}, Options()) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": huge}, {"x": None}, {"x": b"abcdef"}])
        part = -(-len(huge) // 3)
        for start, stop in (
            (0, 10), (part - 5, part + 5), (part, 2 * part), (len(huge) - 3, len(huge) + 9),
            (len(huge), len(huge) + 1), (5, 5), (part + 1, None),
        ):  # fmt: skip
            assert await ds.read_bytes(0, "x", start, stop) == huge[start:stop]
        assert await ds.read_bytes(1, "x") == b""
        assert await ds.read_bytes(2, "x", 2, 4) == b"cd"
        assert await ds.read_bytes(-1, "x", 4, 99) == b"ef"
        assert await ds.read_bytes(-1, "x", 99, 100) == b""


async def test_many_pages_and_blocks() -> None:
    n = 10_000
    numbers = np.arange(n, dtype=np.int64) * 7
    texts = [None if i % 1000 == 3 else str(i) for i in range(n)]
    async with dataset({"x": Tensor("int64"), "t": Text()}, Options(chunk_bytes=20_000)) as ds:
        async with ds.transaction() as tx:
            await tx.append(columns={"x": numbers, "t": texts})
        async with ds.transaction() as tx:
            await tx.update(slice(4000, 4200), {"x": [None] * 200})
            await tx.delete(slice(0, 100))
        rows = [0, 3899, 3900, 3996, 4099, 4100, 9899, -1]
        batch = await ds.read(rows)
        kept = [i + 100 if i >= 0 else n - 1 for i in rows]
        assert batch["t"] == [texts[i] for i in kept]
        missing = [4000 <= i < 4200 for i in kept]
        assert batch["x"].mask.tolist() == missing
        assert [v for v in batch["x"].tolist() if v is not None] == [
            7 * i for i, gone in zip(kept, missing, strict=True) if not gone
        ]
        whole = await ds.read(slice(None))
        assert whole["t"] == texts[100:]
        assert np.array_equal(np.flatnonzero(whole["x"].mask), np.arange(3900, 4100))


async def test_pictures_are_kept_byte_for_byte_and_arrays_encoded() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    async with dataset({"x": Image("png")}) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": PICTURES[1]}, {"x": pixels}, {"x": None}])
        assert (await ds.read(0, decode=False))["x"] == PICTURES[1]
        assert await ds.read_bytes(0, "x") == PICTURES[1]
        assert same((await ds.read(1))["x"], pixels)
        batch = (await ds.read(slice(None)))["x"]
        assert [None if v is None else v.shape for v in batch] == [(3, 2, 3), (4, 6, 3), None]


async def test_a_view_keeps_its_snapshot_and_its_columns() -> None:
    async with dataset({"x": Tensor("int64"), "t": Text()}) as ds:
        async with ds.transaction() as tx:
            await tx.append([{"x": i, "t": str(i)} for i in range(10)])
        view = ds[2:8].select("t", "x")
        inner = view[::-2].select("x")
        async with ds.transaction() as tx:
            await tx.update(slice(None), {"x": [-1] * 10})
            await tx.delete([7])
            tx.rename_column("t", "text")
        assert list(await view.read(0)) == ["t", "x"]
        assert (await inner.read(slice(None)))["x"].tolist() == [7, 5, 3]
        assert (await ds[2:8].read(slice(None)))["x"].tolist() == [-1] * 6
        assert len(inner) == 3
        assert view.snapshot == inner.snapshot == 2
        assert inner.schema.names == ("x",)
        assert await ds.read(0) == {"x": -1, "text": "0"}
