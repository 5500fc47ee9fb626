"""A folder of pictures becomes a dataset: classes from subfolders, every file in order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import aiolake
from aiolake import InvalidInputError
from aiolake.intake.source import BadItem, read_file
from tests.ingest.files import OPTIONS, as_path, folder, jpeg, png, put, rows_of


async def ingest(ds: Path, source: Path, **how: object) -> aiolake.IngestReport:
    return await aiolake.ingest(ds, source, options=OPTIONS, **how)  # type: ignore[arg-type]


async def test_a_folder_becomes_a_dataset(tmp_path: Path) -> None:
    files = folder(tmp_path / "pictures", 300)
    report = await ingest(tmp_path / "ds", tmp_path / "pictures", commit_every=100)
    rows = await rows_of(tmp_path / "ds")
    assert [as_path(row["path"]) for row in rows] == list(files)
    assert [bytes(row["image"]) for row in rows] == list(files.values())
    assert [row["label"] for row in rows] == [path.split("/")[0] for path in files]
    assert report.created
    assert report.n_rows == report.n_items == 300
    assert report.nbytes == sum(map(len, files.values()))
    assert list(report.columns) == ["image", "label", "path"]
    assert len(report.snapshots) >= 3
    assert report.to_dict()["n_rows"] == 300
    assert "300 rows" in str(report)


async def test_nested_hidden_and_foreign_files(tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    for path in (
        "cats/a.JPG", "cats/2020/b.jpeg", "dogs/deep/er/c.jpg", "d.png",
        ".hidden/e.jpg", "cats/.f.jpg", "cats/notes.txt", "Thumbs.db", "cats/noending",
    ):  # fmt: skip
        put(root / path, png(1) if path.endswith("png") else jpeg(len(path)))
    os.symlink(root, root / "cats" / "loop")
    os.symlink(root / "dogs", root / "linked")
    (root / "empty").mkdir()
    report = await ingest(tmp_path / "ds", root)
    rows = await rows_of(tmp_path / "ds")
    assert [(as_path(row["path"]), row["label"]) for row in rows] == [
        ("cats/2020/b.jpeg", "cats"),
        ("cats/a.JPG", "cats"),
        ("d.png", None),
        ("dogs/deep/er/c.jpg", "dogs"),
        ("linked/deep/er/c.jpg", "linked"),
    ]
    assert report.n_foreign == 3


async def test_a_folder_without_classes_has_no_label(tmp_path: Path) -> None:
    put(tmp_path / "pictures" / "a.jpg", jpeg(1))
    report = await ingest(tmp_path / "ds", tmp_path / "pictures")
    assert list(report.columns) == ["image", "path"]


async def test_odd_file_names(tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    names = [
        "Zoë/été 日本.jpg", "a b/new\nline.jpg", "a b/'quoted\".jpg", "{x}/%20.jpg", "-/--.jpg",
        "😀/a.b.c.jpg",
    ]  # fmt: skip
    for i, name in enumerate(names):
        put(root / name, jpeg(i))
    os.makedirs(os.fsencode(root) + b"/raw")
    with open(os.fsencode(root) + b"/raw/\xff\xfe.jpg", "wb") as file:
        file.write(jpeg(99))
    await ingest(tmp_path / "ds", root)
    rows = await rows_of(tmp_path / "ds")
    expected = sorted([*names, "raw/\\xff\\xfe.jpg"], key=lambda name: name.encode())
    assert [as_path(row["path"]) for row in rows] == expected


def bad_files(root: Path) -> dict[str, str]:
    """Bad files of every kind, and a part of the reason each is given."""
    good = jpeg(1, 64)
    put(root / "bad/empty.jpg", b"")
    put(root / "bad/cut.jpg", good[: len(good) // 2])
    put(root / "bad/cut-in-header.jpg", good[:30])
    put(root / "bad/cut.png", png(1)[:-20])
    put(root / "bad/text.jpg", b"this is no picture")
    put(root / "bad/zeros.png", bytes(5000))
    put(root / "bad/huge.jpg", good + bytes(1 << 20))
    (root / "bad/directory.jpg").mkdir()
    os.symlink("nowhere.jpg", root / "bad/broken-link.jpg")
    os.symlink("circle.jpg", root / "bad/circle.jpg")
    os.mkfifo(root / "bad/pipe.jpg")
    return {
        "bad/broken-link.jpg": "symbolic link to nothing",
        "bad/circle.jpg": "form a loop",
        "bad/cut-in-header.jpg": "cut off",
        "bad/cut.jpg": "cut off",
        "bad/cut.png": "cut off",
        "bad/directory.jpg": "is a directory",
        "bad/empty.jpg": "empty",
        "bad/huge.jpg": "more than max_file_bytes",
        "bad/pipe.jpg": "no regular file",
        "bad/text.jpg": "no picture",
        "bad/zeros.png": "no picture",
    }


async def test_bad_files_of_every_kind_are_skipped_counted_and_listed(tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    files = folder(root, 50)
    bad = bad_files(root)
    report = await ingest(
        tmp_path / "ds", root, on_error="skip", commit_every=10, max_file_bytes=1 << 20,
        errors_to=tmp_path / "errors.jsonl",
    )  # fmt: skip
    assert report.n_rows == 50
    assert report.n_skipped == len(bad)
    reasons = {skipped.name: skipped.reason for skipped in report.skipped}
    assert list(reasons) == list(bad)
    for name, part in bad.items():
        assert part in reasons[name], (name, reasons[name])
    rows = await rows_of(tmp_path / "ds")
    assert [as_path(row["path"]) for row in rows] == list(files)
    assert len((tmp_path / "errors.jsonl").read_bytes().splitlines()) == len(bad)
    assert "bad/empty.jpg" in str(report)


@pytest.mark.parametrize(("commit_every", "n_committed"), [(10_000, 0), (16, 48)])
async def test_a_bad_file_ends_the_run_by_name(
    tmp_path: Path, commit_every: int, n_committed: int
) -> None:
    files = folder(tmp_path / "p", 60, 1)
    put(tmp_path / "p/class0/00047x.jpg", b"no")
    with pytest.raises(InvalidInputError, match="class0/00047x") as caught:
        await ingest(tmp_path / "ds", tmp_path / "p", commit_every=commit_every)
    assert caught.value.n_rows == n_committed
    assert len(await rows_of(tmp_path / "ds")) == n_committed
    (tmp_path / "p/class0/00047x.jpg").write_bytes(jpeg(1000))
    report = await ingest(tmp_path / "ds", tmp_path / "p")
    assert report.resumed_at == n_committed
    rows = await rows_of(tmp_path / "ds")
    assert [as_path(row["path"]) for row in rows] == sorted([*files, "class0/00047x.jpg"])


async def test_too_many_bad_files_end_the_run(tmp_path: Path) -> None:
    folder(tmp_path / "p", 10)
    bad_files(tmp_path / "p")
    with pytest.raises(InvalidInputError, match="max_errors=3"):
        await ingest(tmp_path / "ds", tmp_path / "p", on_error="skip", max_errors=3)
    report = await ingest(tmp_path / "ds", tmp_path / "p", on_error="skip", max_errors=11)
    assert report.n_rows == 11
    assert report.n_skipped == 10


async def test_decoding_finds_what_a_header_hides(tmp_path: Path) -> None:
    put(tmp_path / "p/good.png", png(1))
    damaged = bytearray(png(2))
    damaged[60:90] = bytes(30)
    put(tmp_path / "p/damaged.png", bytes(damaged))
    seen = await ingest(tmp_path / "a", tmp_path / "p", on_error="skip", check="decode")
    assert [skipped.name for skipped in seen.skipped] == ["damaged.png"]
    unseen = await ingest(tmp_path / "b", tmp_path / "p")
    assert unseen.n_rows == 2


def test_files_that_vanish_or_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadItem, match="no such file"):
        read_file(str(tmp_path / "gone.jpg"), 10, 10)
    put(tmp_path / "file", b"x")
    with pytest.raises(BadItem, match="part of its path"):
        read_file(str(tmp_path / "file/x.jpg"), 10, 10)
    with pytest.raises(BadItem, match="cannot be read"):
        read_file("nul\0.jpg", 10, 10)

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(BadItem, match="no permission"):
        read_file(str(tmp_path / "secret.jpg"), 10, 10)


async def test_a_file_that_vanishes_while_it_goes(tmp_path: Path) -> None:
    files = folder(tmp_path / "p", 100, 1)
    last = tmp_path / "p" / list(files)[-1]

    def on_progress(_: aiolake.IngestProgress) -> None:
        last.unlink(missing_ok=True)

    report = await ingest(
        tmp_path / "ds", tmp_path / "p", on_error="skip", commit_every=10, on_progress=on_progress,
        n_readers=1,
    )  # fmt: skip
    assert report.n_rows == 99
    assert "no such file" in report.skipped[0].reason


async def test_progress_is_told(tmp_path: Path) -> None:
    folder(tmp_path / "p", 100)
    told: list[aiolake.IngestProgress] = []

    async def on_progress(progress: aiolake.IngestProgress) -> None:
        told.append(progress)

    await ingest(tmp_path / "ds", tmp_path / "p", commit_every=20, on_progress=on_progress)
    assert [each.n_items for each in told] == sorted(each.n_items for each in told)
    assert told[-1].n_items == told[-1].total == told[-1].n_rows == 100
    assert told[-1].snapshot is not None


async def test_huge_files_are_read_one_at_a_time(tmp_path: Path) -> None:
    big = jpeg(1) + bytes(6 << 20)
    for i in range(12):
        put(tmp_path / f"p/{i:02d}.jpg", big if i % 3 else jpeg(i))
    report = await ingest(tmp_path / "ds", tmp_path / "p", max_bytes=1 << 20)
    assert report.n_rows == 12
    rows = await rows_of(tmp_path / "ds")
    assert [as_path(row["path"]) for row in rows] == [f"{i:02d}.jpg" for i in range(12)]
    assert [len(row["image"]) > 1000 for row in rows] == [bool(i % 3) for i in range(12)]


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"a": aiolake.Image, "b": aiolake.Image}, "one column of files"),
        ({"a": aiolake.Text}, "one column of files"),
        ({"a": aiolake.Image, "n": aiolake.Tensor("int64")}, "nothing for the column 'n'"),
        ({"a": aiolake.Image, "c": aiolake.ClassLabel(["class1"])}, "'class0', 'class2'"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_written(
    tmp_path: Path, schema: dict[str, aiolake.ColumnType], part: str
) -> None:
    folder(tmp_path / "p", 9)
    with pytest.raises(InvalidInputError, match=part):
        await ingest(tmp_path / "ds", tmp_path / "p", schema=schema)
    assert not (tmp_path / "ds").exists()
    async with aiolake.create_dataset(tmp_path / "ds", schema):
        pass
    with pytest.raises(InvalidInputError, match=part):
        await ingest(tmp_path / "ds", tmp_path / "p")
    assert len(list((tmp_path / "ds/log").rglob("*"))) == 2


async def test_appending_another_folder_of_known_classes(tmp_path: Path) -> None:
    folder(tmp_path / "p", 9)
    put(tmp_path / "q/class1/x.jpg", jpeg(77))
    await ingest(tmp_path / "ds", tmp_path / "p")
    async with aiolake.open_dataset(tmp_path / "ds") as ds:
        report = await aiolake.ingest(ds, tmp_path / "q")
        assert len(ds) == 10
    assert not report.created
    put(tmp_path / "q/new/x.jpg", jpeg(78))
    with pytest.raises(InvalidInputError, match="classes that column 'label' does not: 'new'"):
        await ingest(tmp_path / "ds", tmp_path / "q")


async def test_columns_of_other_names(tmp_path: Path) -> None:
    folder(tmp_path / "p", 6)
    names = aiolake.ClassLabel(["other", "class0", "class1", "class2"])
    report = await ingest(
        tmp_path / "ds", tmp_path / "p", schema={"kind": names, "picture": aiolake.Image}
    )
    assert list(report.columns) == ["kind", "picture"]


@pytest.mark.parametrize(
    ("what", "how", "part"),
    [
        ("missing", {}, "no folder"),
        ("empty", {}, "holds no pictures"),
        ("file.bin", {}, "unknown kind"),
        ("p", {"commit_every": 0}, "commit_every"),
        ("p", {"on_error": "ignore"}, "on_error"),
        ("p", {"max_errors": 3}, "give both"),
        ("p", {"n_readers": True}, "n_readers"),
        ("p", {"check": "all"}, "check"),
        ("p", {"name": 7}, "name"),
        ("p", {"errors_to": "/no/such/folder/x"}, "errors_to"),
    ],
)
async def test_slips_are_told(tmp_path: Path, what: str, how: dict[str, object], part: str) -> None:
    put(tmp_path / "file.bin", b"x")
    (tmp_path / "empty").mkdir()
    folder(tmp_path / "p", 3)
    with pytest.raises(aiolake.AiolakeError, match=part):
        await ingest(tmp_path / "ds", tmp_path / what, **how)


async def test_an_address_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="sources are local"):
        await aiolake.ingest(tmp_path / "ds", "s3://bucket/pictures")


async def test_a_fixed_handle_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "p", 3)
    await ingest(tmp_path / "ds", tmp_path / "p")
    async with aiolake.open_dataset(tmp_path / "ds", snapshot=1) as ds:
        with pytest.raises(aiolake.ReadOnlyError):
            await aiolake.ingest(ds, tmp_path / "p")
    with pytest.raises(InvalidInputError, match="takes an open dataset"):
        await aiolake.ingest(7, tmp_path / "p")  # type: ignore[arg-type]
