"""``aiolake export-images``: a column's pictures as files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiolake.cli.address import opened
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.cli.rows import parse_rows
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.view import View
from aiolake.errors import AlreadyExistsError, InvalidInputError
from aiolake.render.text import count, picture_format, shown_path, values_of
from aiolake.types import ClassLabel, Image

__all__ = ["export_images"]

_STEP = 64
_SUFFIXES = {"jpeg": "jpg", "tiff": "tif", "picture": "bin"}
_UNSAFE = re.compile(r"[^\w.+-]+")


async def export_images(
    address: str,
    directory: Path,
    /,
    *,
    column: str | None = None,
    by: str | None = None,
    rows: str = ":",
    common: Common = DEFAULTS,
) -> Exit:
    """Write pictures to files, byte for byte as they are stored: 000042.jpg is row 42.

    Args:
        address: A dataset: URL, URL@branch, URL@tag or URL@17 (a snapshot).
        directory: Where to; it is made, and must be empty.
        column: Which column; by default the only one of pictures.
        by: A column of labels: each label's pictures go to a folder of its name.
        rows: Which: 0:20, -5: (with =, as in --rows=-5:), 7, or 3,1,4; all by default.
        common: Options of every command.
    """
    selector = parse_rows(rows)
    output = Output(as_json=common.json)
    async with opened(address, creds=common.creds) as dataset:
        pictures = _picture_column(dataset, column)
        labels = None if by is None else _label_column(dataset, by)
        _check_empty(directory)
        names = (pictures,) if by is None else (pictures, by)
        at = range(len(dataset))
        numbers = at[selector] if isinstance(selector, slice) else selector
        view = dataset.select(*dict.fromkeys(names))
        with output.progress("writing", len(numbers), "rows") as progress:
            written = 0
            for start in range(0, len(numbers), _STEP):
                step = numbers[start : start + _STEP]
                written += await _export(view, step, pictures, by, labels, directory)
                progress.advance(len(step))
    empty = len(numbers) - written
    output.document({"directory": str(directory), "files": written, "none": empty})
    nothing = f"; {count(empty, 'row')} without one" if empty else ""
    output.line(f"{count(written, 'picture')} in {shown_path(directory)}{nothing}.")
    return Exit.OK


def _picture_column(dataset: Dataset, name: str | None) -> str:
    if name is not None:
        if not isinstance(dataset.schema[name].type, Image):
            raise InvalidInputError(f"column {name!r} holds no pictures", column=name)
        return name
    found = [c.name for c in dataset.schema.columns if isinstance(c.type, Image)]
    if len(found) != 1:
        there = ", ".join(found) or "none"
        raise InvalidInputError(f"say which column with --column; columns of pictures: {there}")
    return found[0]


def _label_column(dataset: Dataset, name: str) -> ClassLabel:
    type = dataset.schema[name].type
    if not isinstance(type, ClassLabel):
        raise InvalidInputError(f"--by takes a column of labels; {name!r} is none", column=name)
    return type


def _check_empty(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise AlreadyExistsError(
            f"{shown_path(directory)} is there and not empty; choose a new directory, so that "
            "nothing is overwritten"
        )


async def _export(
    view: View,
    numbers: Sequence[int],
    pictures: str,
    by: str | None,
    labels: ClassLabel | None,
    directory: Path,
) -> int:
    data = await view.read(list(numbers), columns=[pictures], decode=False)
    folders: list[str] = [""] * len(numbers)
    if by is not None and labels is not None:
        batch = await view.read(list(numbers), columns=[by])
        folders = [_folder(labels, value) for value in values_of(batch[by])]
    rows = [number % len(view) for number in numbers]
    files = [
        (directory / folder / f"{row:06}.{_suffix(value)}", value)
        for row, folder, value in zip(rows, folders, data[pictures], strict=True)
        if value is not None
    ]
    await asyncio.get_running_loop().run_in_executor(None, _write, files)
    return len(files)


def _folder(labels: ClassLabel, value: Any) -> str:
    """A folder's name: the label, without what would leave the directory."""
    name = "none" if value is None else labels.names[int(value)]
    safe = _UNSAFE.sub("_", name).strip(".")
    return safe if safe == name else f"{safe}_{int(value)}"


def _suffix(data: bytes) -> str:
    kind = picture_format(data)
    return _SUFFIXES.get(kind, kind)


def _write(files: Sequence[tuple[Path, bytes]]) -> None:
    for path, data in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)
