"""A folder of files: its subfolders are the classes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.intake.source import (
    Item,
    check_picture,
    media_columns,
    read_file,
    shown_path,
)
from aiolake.types import ClassLabel, ColumnType, Image, Text

__all__ = ["PICTURES", "FolderReader", "FolderSource"]

PICTURES = frozenset(
    f".{ending}"
    for ending in (
        "avif", "bmp", "dib", "gif", "heic", "heif", "j2k", "jfif", "jp2", "jpe", "jpeg", "jpg",
        "pbm", "pgm", "png", "pnm", "ppm", "tga", "tif", "tiff", "webp",
    )
)  # fmt: skip
"""Endings of names, in lower case, that say that a file is a picture."""


class FolderSource:
    """The files below a folder, sorted by path; hidden ones are left out.

    Args:
        root: The folder.
        pictures_only: Leave out files whose names do not end as those of pictures do.
    """

    def __init__(self, root: str, *, pictures_only: bool = True) -> None:
        self._root = os.path.abspath(root)
        self._pictures_only = pictures_only
        self._paths: list[str] = []
        self.n_foreign = 0

    @property
    def what(self) -> str:
        """See ``Source``."""
        return f"the folder {shown_path(self._root)}"

    @property
    def identity(self) -> str | None:
        """See ``Source``."""
        return self._root

    @property
    def total(self) -> int | None:
        """See ``Source``."""
        return len(self._paths)

    def scan(self) -> None:
        """See ``Source``.

        Raises:
            NotFoundError: There is no such folder.
            InvalidInputError: It is no folder, holds no files, or may not be read.
        """
        if not os.path.exists(self._root):
            raise NotFoundError(f"there is no folder {shown_path(self._root)!r}")
        try:
            self._paths = sorted(self._walk("", ()), key=os.fsencode)
        except OSError as error:
            raise InvalidInputError(
                f"{self.what} cannot be read: {error}; a folder that is left out would be lost "
                "without a word"
            ) from error
        if not self._paths:
            kind = "pictures (by the endings of their names)" if self._pictures_only else "files"
            raise InvalidInputError(f"{self.what} holds no {kind}")

    def _walk(self, folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
        at = os.path.join(self._root, folder)
        status = os.stat(at)
        here = (status.st_dev, status.st_ino)
        if here in above:  # a symbolic link to a folder it lies in
            return
        with os.scandir(at) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = f"{folder}/{entry.name}" if folder else entry.name
                named = os.path.splitext(entry.name)[1].lower() in PICTURES
                # A folder that is named like a picture is a mistake to be told, not a class.
                if _is_folder(entry) and not (named and self._pictures_only):
                    yield from self._walk(path, (*above, here))
                elif named or not self._pictures_only:
                    yield path
                else:
                    self.n_foreign += 1

    def classes(self) -> tuple[str, ...]:
        """The names of the folders that hold files, sorted."""
        return tuple(sorted({name for path in self._paths if (name := class_of(path))}))

    def schema(self, given: Mapping[str, ColumnType]) -> dict[str, ColumnType]:
        """See ``Source``: the picture, its class if there are folders, and its path."""
        if given:
            return dict(given)
        classes = self.classes()
        label = {"label": ClassLabel(classes)} if classes else {}
        return {"image": Image(), **label, "path": Text()}

    def reader(
        self, columns: Mapping[str, ColumnType], *, max_file_bytes: int, decode: bool
    ) -> FolderReader:
        """See ``Source``."""
        files = media_columns(columns)
        labels = [name for name, type in columns.items() if isinstance(type, ClassLabel)]
        texts = [name for name, type in columns.items() if isinstance(type, Text)]
        if len(files) != 1 or len(labels) > 1 or len(texts) > 1:
            raise InvalidInputError(
                "a folder fills one column of files (Image, Bytes ...), at most one ClassLabel "
                f"with their folders, and at most one Text with their paths; got {_shown(columns)}"
            )
        others = [name for name in columns if name not in (*files, *labels, *texts)]
        if others:
            raise InvalidInputError(
                f"a folder has nothing for the column {others[0]!r}; ingest a CSV or JSONL table "
                "of paths and values",
                column=others[0],
            )
        if labels:
            self._check_classes(columns[labels[0]], labels[0])
        return FolderReader(
            root=self._root,
            file=files[0],
            type=columns[files[0]],
            label=labels[0] if labels else None,
            path=texts[0] if texts else None,
            max_file_bytes=max_file_bytes,
            decode=decode,
        )

    def _check_classes(self, type: ColumnType, column: str) -> None:
        assert isinstance(type, ClassLabel)
        known = set(type.names)
        new = [name for name in self.classes() if name not in known]
        if new:
            shown = ", ".join(map(repr, new[:5])) + (", ..." if len(new) > 5 else "")
            raise InvalidInputError(
                f"{self.what} has classes that column {column!r} does not: {shown}; a column's "
                "class names do not change, so rename the folders, or ingest into a new dataset "
                "whose schema= lists all classes",
                column=column,
            )

    def items(self) -> Iterator[Item]:
        """See ``Source``."""
        for number, path in enumerate(self._paths):
            yield Item(number, shown_path(path), os.fsencode(path), path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle: reading it as a file says so
        return False


def class_of(path: str) -> str | None:
    """The class of a file: the first folder of its path."""
    first, slash, _ = path.partition("/")
    return shown_path(first) if slash else None


def _shown(columns: Mapping[str, ColumnType]) -> str:
    return ", ".join(f"{name}: {type.__class__.__name__}" for name, type in columns.items())


class FolderReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the files of a folder; see ``Reader``."""

    root: str
    file: str
    type: ColumnType
    label: str | None
    path: str | None
    max_file_bytes: int
    decode: bool = False

    def read(self, item: Item, room: int) -> tuple[dict[str, Any], int]:
        """See ``Reader``."""
        path: str = item.value
        data = read_file(os.path.join(self.root, path), room, self.max_file_bytes)
        check_picture(self.type, data, decode=self.decode)
        row: dict[str, Any] = {self.file: data}
        if self.label is not None:
            row[self.label] = class_of(path)
        if self.path is not None:
            row[self.path] = item.name
        return row, len(data)
