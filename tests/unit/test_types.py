"""Column types and the schema: what is accepted, what is refused, and their JSON to the letter."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import ml_dtypes
import msgspec
import numpy as np
import pytest

from aiolake.dtypes import canonical_dtype, dtype_kind, dtype_nbytes
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.types import (
    MAX_COLUMNS,
    BBox,
    Bytes,
    ClassLabel,
    Column,
    ColumnType,
    Constant,
    Embedding,
    Image,
    Json,
    Keypoints,
    Mask,
    Schema,
    Sequence,
    Tensor,
    Text,
    check_column_names,
    is_fixed,
    parse_schema,
    summary,
)

GOLDEN: list[tuple[ColumnType, bytes]] = [
    (
        Tensor("float32", (None, 3)),
        b'{"type":"tensor","dtype":"float32","shape":[null,3],"compression":"none"}',
    ),
    (
        Tensor("datetime64[us]", (), "zstd"),
        b'{"type":"tensor","dtype":"datetime64[us]","shape":[],"compression":"zstd"}',
    ),
    (
        Image(),
        b'{"type":"image","format":"jpeg","quality":95,"orientation":"stored","mode":null}',
    ),
    (
        Image("png", 80, "exif", "RGB"),
        b'{"type":"image","format":"png","quality":80,"orientation":"exif","mode":"RGB"}',
    ),
    (ClassLabel(["daisy", "rosé"]), '{"type":"class_label","names":["daisy","rosé"]}'.encode()),
    (Text(), b'{"type":"text","compression":"none","max_bytes":null}'),
    (Text("zstd", 16), b'{"type":"text","compression":"zstd","max_bytes":16}'),
    (Json(), b'{"type":"json","compression":"none"}'),
    (Bytes("zstd"), b'{"type":"bytes","compression":"zstd"}'),
    (Embedding(768), b'{"type":"embedding","n":768,"dtype":"float32"}'),
    (
        Sequence(Sequence(Json())),
        b'{"type":"sequence","of":{"type":"sequence","of":{"type":"json","compression":"none"}}}',
    ),
    (BBox(), b'{"type":"bbox","format":"xyxy","normalized":false,"dtype":"float32"}'),
    (
        Mask("bool", instances=True),
        b'{"type":"mask","dtype":"bool","names":[],"instances":true,"ignore":null}',
    ),
    (
        Mask("uint16", ["sky", "sea"], ignore=255),
        b'{"type":"mask","dtype":"uint16","names":["sky","sea"],"instances":false,"ignore":255}',
    ),
    (
        Keypoints(names=["eye", "ear"], skeleton=[("ear", 0)]),
        b'{"type":"keypoints","n":2,"names":["eye","ear"],"skeleton":[[1,0]]}',
    ),
]


@pytest.mark.parametrize(("type", "text"), GOLDEN, ids=lambda value: str(value)[:30])
def test_the_json_of_a_type_is_exactly_this_and_reads_back(type: ColumnType, text: bytes) -> None:
    assert msgspec.json.encode(type) == text
    back = msgspec.json.decode(text, type=ColumnType)
    assert back == type
    assert hash(back) == hash(type)
    assert pickle.loads(pickle.dumps(type)) == type


def test_the_json_of_a_schema_is_exactly_this_and_reads_back() -> None:
    late = Column(7, "t", Tensor("u1", 2), {"unit": [1, None]}, Constant(b"\x01\xff", (2,)))
    schema = Schema((Column(0, "img/left", Image()), late))
    text = (
        b'{"columns":[{"id":0,"name":"img/left","type":{"type":"image","format":"jpeg",'
        b'"quality":95,"orientation":"stored","mode":null}},{"id":7,"name":"t","type":{"type":"tensor","dtype":"uint8","shape":[2],'
        b'"compression":"none"},"metadata":{"unit":[1,null]},'
        b'"default":{"payload":"Af8=","shape":[2]}}]}'
    )
    assert msgspec.json.encode(schema) == text
    assert msgspec.json.decode(text, type=Schema) == schema
    assert pickle.loads(pickle.dumps(schema)) == schema


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"image","format":"gif","quality":95}',
        b'{"type":"image","format":"jpeg","quality":0}',
        b'{"type":"tensor","dtype":"object","shape":[]}',
        b'{"type":"tensor","dtype":"float32","shape":[-1]}',
        b'{"type":"class_label","names":[]}',
        b'{"type":"image","format":"jpeg","quality":90,"orientation":"up"}',
        b'{"type":"image","format":"jpeg","quality":90,"mode":"CMYK"}',
        b'{"type":"text","compression":"none","max_bytes":0}',
        b'{"type":"sequence","of":{"type":"hologram"}}',
        b'{"type":"bbox","format":"yxyx"}',
        b'{"type":"mask","dtype":"float32"}',
        b'{"type":"keypoints","n":1,"skeleton":[[0,1]]}',
        b'{"type":"hologram"}',
        b'{"format":"jpeg"}',
    ],
)
def test_a_type_that_cannot_be_is_not_read_from_json(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=ColumnType)


DTYPES: list[tuple[Any, str]] = [
    ("float32", "float32"),
    ("<f4", "float32"),
    (">f8", "float64"),
    ("?", "bool"),
    ("u1", "uint8"),
    ("c16", "complex128"),
    (bool, "bool"),
    (int, "int64"),
    (float, "float64"),
    (complex, "complex128"),
    (np.bool_, "bool"),
    (np.float16, "float16"),
    (np.dtype(">i4"), "int32"),
    (np.dtype("M8[ns]"), "datetime64[ns]"),
    (np.dtype("m8[D]"), "timedelta64[D]"),
    ("m8[us]", "timedelta64[us]"),
    (ml_dtypes.bfloat16, "bfloat16"),
    (np.dtype(ml_dtypes.float8_e4m3fn), "float8_e4m3fn"),
    ("int4", "int4"),
]


@pytest.mark.parametrize(("given", "name"), DTYPES, ids=str)
def test_anything_numpy_like_becomes_the_canonical_name(given: Any, name: str) -> None:
    assert canonical_dtype(given) == name
    assert Tensor(given).dtype == name


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (object, "Json or Bytes"),
        ("O", "Json or Bytes"),
        (np.void, "one column per field"),
        (np.dtype([("a", "f4")]), "one column per field"),
        ("V8", "one column per field"),
        (np.longdouble, "float64"),
        (np.dtype(np.clongdouble), "complex128"),
        (str, "Text or Bytes"),
        ("<U5", "Text or Bytes"),
        (np.dtype("S3"), "Text or Bytes"),
        ("datetime64", "unit"),
        (np.dtype("M8[10s]"), "unit"),
        ("flaot32", "try 'float32'"),
        ("", "is no dtype"),
        (None, "is no dtype"),
        (3, "is no dtype"),
        (np.floating, "is no dtype"),
    ],
    ids=str,
)
def test_a_dtype_that_is_not_stored_is_refused_with_a_way_out(given: Any, advice: str) -> None:
    with pytest.raises(InvalidInputError, match=advice):
        Tensor(given)


@pytest.mark.parametrize("name", ["bool", "int8", "uint64", "float16", "complex64", "m8[s]"])
def test_kind_and_size_agree_with_numpy(name: str) -> None:
    dtype, canonical = np.dtype(name), canonical_dtype(name)
    assert dtype_kind(canonical) == dtype.kind
    assert dtype_nbytes(canonical) == dtype.itemsize


def test_a_shape_may_be_a_number_a_list_or_numpy_numbers() -> None:
    assert Tensor("i1", 3).shape == (3,)
    assert Tensor("i1", [None, np.int64(2)]).shape == (None, 2)
    assert Tensor("i1", (0,)).shape == (0,)


@pytest.mark.parametrize("shape", [(-1,), (True,), ("3",), "ab", (1.0,), (1,) * 33, (1 << 62, 2)])
def test_an_impossible_shape_is_refused(shape: Any) -> None:
    with pytest.raises(InvalidInputError):
        Tensor("float32", shape)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tensor("f4", (), "gzip"),  # type: ignore[arg-type]
        lambda: Text("lz4"),  # type: ignore[arg-type]
        lambda: Image("gif"),  # type: ignore[arg-type]
        lambda: Image(quality=101),
        lambda: Image(quality=True),
        lambda: ClassLabel(()),
        lambda: ClassLabel("daisy"),
        lambda: ClassLabel(("a", "b", "a")),
        lambda: ClassLabel(("a", "")),
        lambda: ClassLabel(("a", "\ud800")),
        lambda: ClassLabel((1,)),  # type: ignore[arg-type]
        lambda: Embedding(0),
        lambda: Embedding(2.0),  # type: ignore[arg-type]
        lambda: Embedding(4, bool),
        lambda: Embedding(4, "M8[s]"),
        lambda: Image(orientation="up"),  # type: ignore[arg-type]
        lambda: Image(mode="CMYK"),  # type: ignore[arg-type]
        lambda: Text(max_bytes=0),
        lambda: Text(max_bytes=4097),
        lambda: Text(max_bytes=True),
        lambda: Sequence("text"),  # type: ignore[arg-type]
        lambda: Sequence(Tensor),
        lambda: Sequence(Sequence(Sequence(Text()))),
        lambda: BBox("yxyx"),  # type: ignore[arg-type]
        lambda: BBox(normalized=1),  # type: ignore[arg-type]
        lambda: BBox(dtype="complex64"),
        lambda: BBox(normalized=True, dtype="int32"),
        lambda: Mask("float32"),
        lambda: Mask(instances=2),  # type: ignore[arg-type]
        lambda: Mask("bool", ["a"]),
        lambda: Mask(names=["a", "a"]),
        lambda: Mask(ignore=255),
        lambda: Mask(names=["a"], ignore=-1),
        lambda: Keypoints(0),
        lambda: Keypoints(1.5),  # type: ignore[arg-type]
        lambda: Keypoints(3, ["a", "b"]),
        lambda: Keypoints(3, skeleton=[(1, 3)]),
        lambda: Keypoints(3, skeleton=[(0, 1, 2)]),
        lambda: Keypoints(3, skeleton=[0, 1]),  # type: ignore[list-item]
        lambda: Keypoints(names=["a"], skeleton=[("a", "b")]),
        lambda: Column(-1, "a", Text()),
        lambda: Column(0, "a//b", Text()),
        lambda: Column(0, "a", Text),  # type: ignore[arg-type]
        lambda: Schema((Column(0, "a", Text()), Column(0, "b", Text()))),
        lambda: Schema((Column(0, "a", Text()), Column(1, "a", Text()))),
    ],
)
def test_bad_arguments_are_refused(make: Any) -> None:
    with pytest.raises(InvalidInputError):
        make()


def test_the_repeated_label_is_named() -> None:
    with pytest.raises(InvalidInputError, match="'b' occurs twice"):
        ClassLabel(("a", "b", "c", "b"))


def test_types_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Image().quality = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("type", "fixed"),
    [
        (Tensor("f4"), True),
        (Tensor("f4", (3, 0)), True),
        (Tensor("f4", (3, None)), False),
        (ClassLabel(["a"]), True),
        (Embedding(4), True),
        (Image(), False),
        (Text(), False),
        (Text(max_bytes=8), True),
        (Sequence(Tensor("f4")), False),
        (BBox(), False),
        (Mask(), False),
        (Keypoints(), False),
        (Json(), False),
        (Bytes(), False),
    ],
    ids=str,
)
def test_only_fixed_shapes_of_numbers_are_pages(type: ColumnType, fixed: bool) -> None:
    assert is_fixed(type) is fixed


@pytest.fixture
def schema() -> Schema:
    columns = (Column(0, "image", Image()), Column(1, "label", ClassLabel(["abcde"])))
    return Schema((*columns, Column(4, "meta/author", Text("zstd"))))


def test_a_schema_is_a_mapping_of_names_in_order(schema: Schema) -> None:
    assert schema.names == tuple(schema) == ("image", "label", "meta/author")
    assert len(schema) == 3
    assert "label" in schema
    assert "meta" not in schema
    assert (
        dict(schema) == dict(schema.items()) == dict(zip(schema.names, schema.columns, strict=True))
    )
    assert list(schema.keys()) == list(schema.names)
    assert tuple(schema.values()) == schema.columns
    assert schema["meta/author"] == Column(4, "meta/author", Text("zstd"))


def test_select_takes_the_order_asked_for(schema: Schema) -> None:
    assert schema.select(["meta/author", "image"]).names == ("meta/author", "image")
    assert schema.select(()).columns == ()


def test_an_unknown_column_is_refused_naming_what_is_near(schema: Schema) -> None:
    with pytest.raises(InvalidInputError, match=r"no column 'lable' \(near: 'label'\)") as caught:
        schema.select(["image", "lable"])
    assert caught.value.column == "lable"
    with pytest.raises(NotFoundError, match="columns are: image, label, meta/author"):
        schema["x"]
    with pytest.raises(InvalidInputError, match="named twice"):
        schema.select(["image", "image"])
    with pytest.raises(InvalidInputError, match="list of names"):
        schema.select("image")


def test_a_schema_shows_itself_readably() -> None:
    schema = Schema((Column(0, "id", Tensor("i8")), Column(1, "kind", ClassLabel(list("abcdef")))))
    label = "ClassLabel('a', 'b', 'c', ... 6 names)"
    assert repr(schema) == f"Schema(id: Tensor(dtype='int64', shape=()), kind: {label})"
    assert str(schema) == f"id    Tensor(dtype='int64', shape=())\nkind  {label}"
    assert summary(Text("zstd")) == "Text(compression='zstd')"
    assert str(Schema()) == ""


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (Image(), "Image(format='jpeg', quality=95)"),
        (Image(mode="RGB"), "Image(format='jpeg', quality=95, mode='RGB')"),
        (Text(max_bytes=16), "Text(max_bytes=16)"),
        (Sequence(Text), "Sequence(Text())"),
        (
            Sequence(Sequence(ClassLabel(list("abcde")))),
            "Sequence(Sequence(ClassLabel('a', 'b', 'c', ... 5 names)))",
        ),
        (BBox("cxcywh", True), "BBox(format='cxcywh', normalized=True, dtype='float32')"),
        (Mask("bool"), "Mask(dtype='bool')"),
        (Mask(names=list("abcde")), "Mask(dtype='uint8', names=('a', 'b', 'c', ... 5 names))"),
        (Keypoints(), "Keypoints()"),
        (
            Keypoints(6, skeleton=[(i, i + 1) for i in range(5)]),
            "Keypoints(n=6, skeleton=((0, 1), (1, 2), (2, 3), ... 5 lines))",
        ),
    ],
    ids=str,
)
def test_a_type_shows_itself_in_short(type: ColumnType, text: str) -> None:
    assert summary(type) == text


def test_parse_schema_keeps_the_order_and_fills_in_plain_types() -> None:
    parsed = parse_schema({"b": Image, "a/x": Tensor("f4"), "a/y": Json})
    assert parsed == (("b", Image()), ("a/x", Tensor("f4")), ("a/y", Json()))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({}, "at least one column"),
        ([("a", Text())], "maps names"),
        ({"a": Tensor}, "Tensor\\('float32'"),
        ({"a": "float32"}, "is no column type"),
        ({"a//b": Text()}, "no part may be empty"),
        ({"../a": Text()}, "no part may be empty"),
        ({"a\n": Text()}, "control character"),
        ({"\ud800": Text()}, "is no column name"),
        ({1: Text()}, "is no column name"),
        (
            {"a/b/c": Text(), "z": Text(), "a/b": Text()},
            "'a/b' is a column and cannot be the group",
        ),
        ({"a": Text(), "a/b": Text()}, "'a' is a column"),
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_is_refused(columns: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        parse_schema(columns)


def test_names_that_only_begin_alike_are_no_group() -> None:
    check_column_names(["a", "ab/c", "a-b", "ab-c"])


def test_ten_thousand_columns_are_the_most() -> None:
    names = [f"c{i}" for i in range(MAX_COLUMNS + 1)]
    check_column_names(names[:-1])
    with pytest.raises(InvalidInputError, match="at most 10,000"):
        check_column_names(names)


def test_types_need_no_numpy_and_codecs_no_picture_library() -> None:
    program = (
        "import sys, aiolake.types; assert 'numpy' not in sys.modules\n"
        "import aiolake.codecs\n"
        "found = {'PIL', 'simplejpeg', 'ml_dtypes', 'zstandard'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
