"""``aiolake.show``: rows of every type to look at."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image as Pictures

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
    InvalidInputError,
    Json,
    Keypoints,
    Link,
    Mask,
    OutOfRangeError,
    Tensor,
    Text,
    Video,
)
from aiolake import Sequence as Many

SCHEMA: dict[str, ColumnType] = {
    "photo/image": Image(),
    "photo/boxes": BBox("xywh"),
    "photo/classes": Many(ClassLabel(["cat", "dog"])),
    "photo/mask": Mask(),
    "photo/points": Keypoints(skeleton=[(0, 1)]),
    "label": ClassLabel(["a", "b"]),
    "text": Text(),
    "about": Json(),
    "raw": Bytes(),
    "vector": Embedding(8),
    "sound": Tensor("float32", (None, 2)),
    "when": Tensor("datetime64[s]"),
    "other/mask": Mask("bool", instances=True),
}


def encoded(picture: Any, format: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, format)
    return out.getvalue()


def row(i: int) -> dict[str, Any]:
    return {
        "photo/image": encoded(Pictures.new("RGB", (64, 48), (10 * i, 90, 90))),
        "photo/boxes": np.asarray([[8, 8, 16, 16], [30, 20, 10, 20]], np.float32),
        "photo/classes": [0, 1],
        "photo/mask": np.eye(48, 64, dtype=np.uint8),
        "photo/points": np.asarray([[[5, 5], [20, 30]]], np.float32),
        "label": i % 2,
        "text": f"<b>text {i}</b>",
        "about": {"i": i},
        "raw": b"\x00\x01",
        "vector": np.arange(8, dtype=np.float32),
        "sound": np.ones((5, 2), np.float32),
        "when": np.datetime64("2026-11-22", "s"),
        "other/mask": np.ones((4, 4, 2), bool),
    }


async def made(url: Path, schema: Mapping[str, ColumnType], rows: Sequence[Any]) -> Dataset:
    ds = await aiolake.create_dataset(url, schema)
    async with ds.transaction() as tx:
        await tx.append(rows)
    return ds


@pytest_asyncio.fixture
async def many(tmp_path: Path) -> AsyncIterator[Dataset]:
    """Three rows of every type, and a row of None."""
    rows = [*(row(i) for i in range(3)), dict.fromkeys(SCHEMA)]
    async with await made(tmp_path / "many", SCHEMA, rows) as ds:
        yield ds


async def test_every_type_is_shown(many: Dataset) -> None:
    sheet = await aiolake.show(many)
    html = sheet.to_html()
    assert [card.row for card in sheet.cards] == [0, 1, 2, 3]
    for part in ("&lt;b&gt;text 2&lt;/b&gt;", "photo/image + photo/boxes", "2026-11-22", "None"):
        assert part in html
    assert "cannot be shown" not in html
    assert sheet._repr_html_() in html


async def test_boxes_are_drawn_over_the_picture_of_their_group(many: Dataset) -> None:
    plain = await aiolake.show(many, [0], columns=["photo/image"])
    boxed = await aiolake.show(many, [0], columns=["photo/image", "photo/boxes"])
    assert plain.cards[0].fields[0].picture is not None
    assert boxed.cards[0].fields[0].picture is not None
    before = np.asarray(plain.cards[0].fields[0].picture)
    after = np.asarray(boxed.cards[0].fields[0].picture)
    changed = (before != after).any(axis=2)
    assert changed[8:25, 8].all()
    assert not changed[:, :6].any()


async def test_rows_and_views_are_chosen_as_in_read(many: Dataset) -> None:
    assert [card.row for card in (await aiolake.show(many, -1)).cards] == [3]
    assert [card.row for card in (await aiolake.show(many[1:3], [1, 0])).cards] == [1, 0]
    with pytest.raises(OutOfRangeError):
        await aiolake.show(many, 9)


async def test_what_cannot_be_shown_is_said(many: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a dataset or a view"):
        await aiolake.show("./x")  # type: ignore[arg-type]
    sheet = await aiolake.show(many)
    with pytest.raises(InvalidInputError, match=r"\.html or \.png"):
        sheet.save(tmp_path / "rows.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["many"]


async def test_what_is_too_much_to_be_drawn_is_counted(tmp_path: Path) -> None:
    schema: dict[str, ColumnType] = {"image": Image(), "boxes": BBox()}
    picture = encoded(Pictures.new("RGB", (64, 48)))
    rows = [{"image": picture, "boxes": np.tile([[1, 1, 9, 9]], (n, 1))} for n in (500, 1_200)]
    async with await made(tmp_path / "ds", schema, rows) as ds:
        few, many = (await aiolake.show(ds)).cards
    assert "drawn" not in few.fields[0].text
    assert "500 of 1,200 boxes drawn" in many.fields[0].text


async def test_columns_are_a_list_as_in_read(many: Dataset) -> None:
    assert len((await aiolake.show(many, 0, columns=["label"])).cards[0].fields) == 1
    with pytest.raises(InvalidInputError, match=r"a list of names: \['label'\]"):
        await aiolake.show(many, 0, columns="label")


async def test_a_sheet_is_saved_as_page_and_as_picture(many: Dataset, tmp_path: Path) -> None:
    sheet = await aiolake.show(many)
    assert sheet.save(tmp_path / "rows.html").read_text() == sheet.to_html()
    with Pictures.open(sheet.save(tmp_path / "rows.png")) as picture:
        assert picture.size[0] > 1000


async def test_a_handle_and_a_view_introduce_themselves(many: Dataset) -> None:
    html = many._repr_html_()
    assert "photo/boxes" in html
    assert "4 rows" in html
    assert "a view of 2 rows" in many[:2]._repr_html_()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
async def test_pictures_of_every_mode_are_shown(tmp_path: Path, mode: str) -> None:
    picture = Pictures.new("I;16" if mode == "I;16" else mode, (40, 30))
    data = encoded(picture, "TIFF" if mode == "CMYK" else "PNG")
    async with await made(tmp_path / "ds", {"x": Image()}, [{"x": data}]) as ds:
        (card,) = (await aiolake.show(ds)).cards
    assert card.fields[0].picture is not None
    assert card.fields[0].picture.size == (40, 30)


async def test_films_and_sounds_are_shown(tmp_path: Path) -> None:
    schema: dict[str, ColumnType] = {"film": Video(rate=5), "sound": Audio(sample_rate=8000)}
    frames = np.zeros((3, 32, 48, 3), np.uint8)
    frames[0] = 250
    row = {"film": frames, "sound": np.sin(np.arange(4000) / 9).astype(np.float32)}
    async with await made(tmp_path / "ds", schema, [row]) as ds:
        (card,) = (await aiolake.show(ds)).cards
    film, sound = (field.picture for field in card.fields)
    assert film is not None
    assert film.size == (48, 32)
    assert np.asarray(film)[20, 20].min() > 230
    assert sound is not None


async def test_links_are_shown_as_what_they_lead_to_or_as_they_are(tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "a.png"
    outside.parent.mkdir()
    outside.write_bytes(encoded(Pictures.new("RGB", (20, 10), (1, 2, 3))))
    schema: dict[str, ColumnType] = {"photo": Link(Image()), "note": Link(Text())}
    gone = f"{outside.parent.as_uri()}/gone.txt"
    row = {"photo": outside.as_uri(), "note": gone}
    url = tmp_path / "ds"
    async with await made(url, schema, [row]) as ds:
        (card,) = (await aiolake.show(ds)).cards
        assert [field.picture for field in card.fields] == [None, None]
        assert card.fields[0].text == f"{outside.as_uri()} (not followed)"
    async with aiolake.open_dataset(url, links=[outside.parent.as_uri() + "/"]) as ds:
        (card,) = (await aiolake.show(ds)).cards
        assert card.fields[0].picture is not None
        assert card.fields[0].picture.size == (20, 10)
        assert card.fields[1].text == f"{gone} (not followed)"
