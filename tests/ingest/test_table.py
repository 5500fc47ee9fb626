"""CSV and JSONL tables: types are inferred, paths are followed, bad lines are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aiolake
from aiolake import InvalidInputError
from aiolake.intake.infer import type_of_texts, type_of_values
from aiolake.types import ColumnType
from tests.ingest.files import OPTIONS, jpeg, put


async def ingest(ds: Path, source: Path, **how: Any) -> aiolake.IngestReport:
    return await aiolake.ingest(ds, source, options=OPTIONS, **how)


async def batch_of(url: Path) -> dict[str, Any]:
    async with aiolake.open_dataset(url) as ds:
        return await ds.read(slice(None), decode=False)


def texts(values: Any) -> list[str]:
    return [value if isinstance(value, str) else bytes(value).decode() for value in values]


async def test_a_csv_of_paths_and_values(tmp_path: Path) -> None:
    for i in range(20):
        put(tmp_path / f"files/{i}.jpg", jpeg(i))
    lines = [
        f"files/{i}.jpg,{i},{i / 4},{'true' if i % 2 else 'False'},0{i},n° {i}" for i in range(20)
    ]
    (tmp_path / "t.csv").write_text("\ufefffile,n,x,ok,code,text\n" + "\n".join(lines), "utf-8")
    report = await ingest(tmp_path / "ds", tmp_path / "t.csv", commit_every=7)
    assert report.columns == {
        "file": "Image(format='jpeg', quality=95)",
        "n": "Tensor(dtype='int64', shape=())",
        "x": "Tensor(dtype='float64', shape=())",
        "ok": "Tensor(dtype='bool', shape=())",
        "code": "Text()",
        "text": "Text()",
    }
    batch = await batch_of(tmp_path / "ds")
    assert [bytes(data) for data in batch["file"]] == [jpeg(i) for i in range(20)]
    assert batch["n"].tolist() == list(range(20))
    assert batch["x"].tolist() == [i / 4 for i in range(20)]
    assert batch["ok"].tolist() == [bool(i % 2) for i in range(20)]
    assert texts(batch["code"]) == [f"0{i}" for i in range(20)]
    assert texts(batch["text"]) == [f"n° {i}" for i in range(20)]


async def test_quotes_newlines_and_empty_fields(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,b\r\n"x, ""y""\nz",1\r\n,\r\n\r\n"",2\r\n')
    await ingest(tmp_path / "ds", tmp_path / "t.csv")
    batch = await batch_of(tmp_path / "ds")
    assert texts(batch["a"]) == ['x, "y"\nz', "", ""]
    assert batch["b"].tolist() == [1, None, 2]


async def test_bad_lines_are_named(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", jpeg(1))
    lines = [
        "file,n,when,label",
        "a.jpg,1,2026-01-02,cat",
        "a.jpg,1.5,2026-01-02,cat",
        "a.jpg,2",
        "a.jpg,3,2026-01-02,cat,more",
        "gone.jpg,4,2026-01-02,cat",
        "a.jpg,5,yesterday,cat",
        "a.jpg,99999999999999999999,2026-01-02,cat",
        "a.jpg,7,2026-01-02,cow",
        ".,8,2026-01-02,cat",
        "a.jpg,9,2026-01-03,dog",
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    schema: dict[str, ColumnType] = {
        "n": aiolake.Tensor("int64"),
        "when": aiolake.Tensor("datetime64[D]"),
        "label": aiolake.ClassLabel(["cat", "dog"]),
        "file": aiolake.Image(),
    }
    report = await ingest(tmp_path / "ds", tmp_path / "t.csv", schema=schema, on_error="skip")
    reasons = {skipped.name: skipped.reason for skipped in report.skipped}
    parts = {
        "line 3": "'1.5' is no int64",
        "line 4": "2 fields",
        "line 5": "5 fields",
        "line 6": "file gone.jpg: there is no such file",
        "line 7": "'yesterday' is no datetime64[D]",
        "line 8": "column 'n'",
        "line 9": "column 'label'",
        "line 10": "is a directory",
    }
    assert sorted(reasons) == sorted(parts)
    for line, part in parts.items():
        assert part in reasons[line], (line, reasons[line])
    batch = await batch_of(tmp_path / "ds")
    assert batch["n"].tolist() == [1, 9]
    assert batch["label"].tolist() == [0, 1]
    assert batch["when"].tolist() == np.array(["2026-01-02", "2026-01-03"], "M8[D]").tolist()
    with pytest.raises(InvalidInputError, match="line 3: column 'n'"):
        await ingest(tmp_path / "other", tmp_path / "t.csv", schema=schema)


async def test_broken_quotes_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a\ngood\n"bad" x\n\xff\xfe\nfine\n')
    report = await ingest(tmp_path / "ds", tmp_path / "t.csv", on_error="skip")
    assert [skipped.name for skipped in report.skipped] == ["line 3", "line 4"]
    assert texts((await batch_of(tmp_path / "ds"))["a"]) == ["good", "fine"]


async def test_jsonl(tmp_path: Path) -> None:
    put(tmp_path / "a.png", b"any bytes")
    rows = [
        {"id": 1, "score": 1, "box": [1.0, 2.0], "raw": "a.png", "tags": {"a": [1]}},
        {"id": 2, "score": 0.5, "box": None, "raw": None, "tags": None},
    ]
    lines = [json.dumps(row) for row in rows]
    bad = ["{", "[1]", '{"id": 3.5}', '{"id": "x"}', '{"raw": 7}']
    (tmp_path / "t.jsonl").write_text("\n".join([lines[0], "", *bad, lines[1]]))
    schema: dict[str, ColumnType] = {
        "raw": aiolake.Bytes(), "box": aiolake.Tensor("float32", (2,)),
        "id": aiolake.Tensor("int64"),
    }  # fmt: skip
    (tmp_path / "good.jsonl").write_text("\n".join(lines))
    await ingest(tmp_path / "ds", tmp_path / "good.jsonl", schema=schema)
    report = await ingest(tmp_path / "ds", tmp_path / "good.jsonl", resume=False)
    assert report.n_rows == 2
    batch = await batch_of(tmp_path / "ds")
    assert batch["id"].tolist() == [1, 2, 1, 2]
    assert batch["score"].tolist() == [1.0, 0.5, 1.0, 0.5]
    assert batch["raw"][:2] == [b"any bytes", None]
    assert batch["box"][0].tolist() == [1.0, 2.0]
    async with aiolake.open_dataset(tmp_path / "ds") as ds:
        assert (await ds.read(0))["tags"] == {"a": [1]}
    mixed = await ingest(tmp_path / "ds", tmp_path / "t.jsonl", on_error="skip")
    assert [skipped.name for skipped in mixed.skipped] == [f"line {n}" for n in range(3, 8)]
    assert "no JSON" in mixed.skipped[0].reason
    (tmp_path / "t.jsonl").write_text('{"id": 1, "new": 2}')
    with pytest.raises(InvalidInputError, match="no column 'score'"):
        await ingest(tmp_path / "ds", tmp_path / "t.jsonl", resume=False)


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("t.csv", "", "holds no rows"),
        ("t.csv", "a,b\n", "holds no rows"),
        ("t.csv", "a,a\n1,2\n", "each once"),
        ("t.csv", "a,\n1,2\n", "each once"),
        ("t.jsonl", "\n\n", "holds no rows"),
        ("t.jsonl", "[1]\n", "no object"),
        ("t.csv", "a/b,a\n1,2\n", "group"),
    ],
)
async def test_tables_without_sense_are_refused(
    tmp_path: Path, name: str, content: str, part: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInputError, match=part):
        await ingest(tmp_path / "ds", tmp_path / name)
    assert not (tmp_path / "ds").exists()


async def test_a_table_must_have_the_columns_of_the_dataset(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    await ingest(tmp_path / "ds", tmp_path / "a.csv")
    with pytest.raises(InvalidInputError, match="no column 'b', which the dataset has"):
        await ingest(tmp_path / "ds", tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("b,c,a\n1,2,3\n")
    with pytest.raises(InvalidInputError, match="no column 'c', which"):
        await ingest(tmp_path / "ds", tmp_path / "c.csv")
    with pytest.raises(InvalidInputError, match="leave it out of schema"):
        await ingest(tmp_path / "ds", tmp_path / "a.csv", schema={"a": aiolake.Text})
    with pytest.raises(InvalidInputError, match="has no column 'z'"):
        await ingest(tmp_path / "new", tmp_path / "a.csv", schema={"z": aiolake.Text})
    (tmp_path / "d.csv").write_text("b,a\n5,6\n")
    await ingest(tmp_path / "ds", tmp_path / "d.csv")
    assert (await batch_of(tmp_path / "ds"))["a"].tolist() == [1, 6]


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1))
def test_whole_numbers_are_int64(numbers: list[int]) -> None:
    assert type_of_texts(map(str, numbers)) == aiolake.Tensor("int64")
    assert type_of_values(numbers) == aiolake.Tensor("int64")


@given(st.lists(st.floats(), min_size=1))
def test_numbers_are_float64(numbers: list[float]) -> None:
    assert type_of_texts(map(repr, numbers)) == aiolake.Tensor("float64")
    assert type_of_values([None, *numbers]) == aiolake.Tensor("float64")


@pytest.mark.parametrize("text", ["007", "1_000", "x", "1,5", "+", "-", "1 2", "٣", "0x10", "00"])
def test_what_is_no_plain_number_is_text(text: str) -> None:
    assert type_of_texts(["1", text, ""]) == aiolake.Text()


def test_types_of_values() -> None:
    assert type_of_values([np.zeros((2, 3)), np.zeros((5, 3))]) == aiolake.Tensor(
        "float64", (None, 3)
    )
    assert type_of_values([jpeg(1), None]) == aiolake.Image()
    assert type_of_values([jpeg(1), b"x"]) == aiolake.Bytes()
    assert type_of_values([True, False]) == aiolake.Tensor("bool")
    assert type_of_values([True, 1]) == aiolake.Json()
    assert type_of_values([np.float32(1)]) == aiolake.Tensor("float32")
    assert type_of_values([{"a": 1}, "x"]) == aiolake.Json()
    assert type_of_values([None]) == aiolake.Text()


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
async def test_a_table_of_another_encoding_is_refused_by_that(
    tmp_path: Path, encoding: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("größe,n\n1,2\n", encoding)
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        await aiolake.ingest(tmp_path / "ds", table)
    assert not (tmp_path / "ds").exists()
