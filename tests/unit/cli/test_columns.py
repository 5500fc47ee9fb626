"""Column types as the command line takes them."""

from __future__ import annotations

import pytest

from aiolake import ClassLabel, ColumnType, Embedding, Image, InvalidInputError, Tensor, Text
from aiolake.cli.columns import parse_columns, parse_type


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("Image", Image()),
        (" Image() ", Image()),
        ("Image(png)", Image("png")),
        ("Image(format='png', quality=80)", Image("png", 80)),
        ("ClassLabel(cat, dog)", ClassLabel(["cat", "dog"])),
        ("ClassLabel('a cat', \"dog\")", ClassLabel(["a cat", "dog"])),
        ("ClassLabel([cat, dog])", ClassLabel(["cat", "dog"])),
        ("ClassLabel(names=(cat, dog))", ClassLabel(["cat", "dog"])),
        ("Embedding(768)", Embedding(768)),
        ("Tensor(float32, (None, 3))", Tensor("float32", (None, 3))),
        ("Tensor(float32, 3)", Tensor("float32", 3)),
        ("Tensor(int64)", Tensor("int64")),
        ("Text(compression=zstd)", Text(compression="zstd")),
    ],
)
def test_a_text_means_a_type(text: str, type: ColumnType) -> None:
    assert parse_type(text) == type


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Imag", "did you mean Image"),
        ("", "types are"),
        ("3", "types are"),
        ("Image(", "types are"),
        ("Image(format=tga)", "'jpeg' or 'png'"),
        ("Image(shape=3)", "help(aiolake.Image)"),
        ("Embedding(0)", "from 1"),
        ("Tensor", "help(aiolake.Tensor)"),
        ("__import__('os').system('true')", "types are"),
        ("Embedding(open('x'))", "no column type 'open'"),
        ("Embedding(1 + 1)", "no value"),
        ("Tensor(*x)", "no value"),
        ("Tensor(**x)", "types are"),
        ("(" * 500, "types are"),
    ],
)
def test_what_means_none_is_refused_in_words(text: str, part: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_type(text)
    assert part in refused.value.message


def test_columns_keep_their_order() -> None:
    columns = parse_columns(["b=Text", "a/c=Image"])
    assert list(columns.items()) == [("b", Text()), ("a/c", Image())]


@pytest.mark.parametrize(("given", "part"), [(["a"], "name=Type"), (["a=Text", "a=Text"], "twice")])
def test_columns_that_make_no_sense(given: list[str], part: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_columns(given)
    assert part in refused.value.message
