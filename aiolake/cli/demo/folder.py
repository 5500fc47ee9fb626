"""A folder of one's own pictures: its subfolders are the labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiolake._aio import WorkPool, map_concurrently
from aiolake.cli.demo.source import Row
from aiolake.cli.output import Progress
from aiolake.codecs import FixedCodec, codec_of
from aiolake.errors import AiolakeError, InvalidInputError, NotFoundError
from aiolake.render.text import count
from aiolake.types import ClassLabel, ColumnType, Image, Text

__all__ = ["Folder", "FolderSource", "Refused", "check_pictures", "find_files"]


@dataclass(frozen=True, slots=True)
class Folder:
    """Files that may be pictures.

    Attributes:
        root: Where they are.
        files: Their paths below ``root``, sorted.
    """

    root: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is no picture, and why."""

    path: Path
    why: str


def find_files(root: Path) -> Folder:
    """Every file below a folder, hidden ones left out.

    Raises:
        NotFoundError: There is no such folder.
        InvalidInputError: It is a file, or it holds no file.
    """
    if not root.exists():
        raise NotFoundError(f"there is no folder {root}; --from takes a folder of pictures")
    if not root.is_dir():
        raise InvalidInputError(f"{root} is a file; --from takes a folder of pictures")
    files = tuple(sorted(path.relative_to(root) for path in _walk(root)))
    if not files:
        raise InvalidInputError(f"the folder {root} holds no files; put pictures into it")
    return Folder(root, files)


def _walk(root: Path) -> Iterator[Path]:
    for directory, inner, names in os.walk(root, onerror=_raise):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (Path(directory, name) for name in names if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def label_of(path: Path, root: Path) -> str:
    """The first folder below the root; the root's own name for files directly in it."""
    return path.parts[0] if len(path.parts) > 1 else root.resolve().name or "pictures"


def refusal(root: Path, path: Path) -> Refused | None:
    """Why a file cannot be used, if it cannot: it is decoded in full."""
    codec = codec_of(Image())
    assert not isinstance(codec, FixedCodec)
    try:
        if not (root / path).is_file():
            return Refused(path, "it is no regular file")
        str(path).encode()
        encoded = codec.encode((root / path).read_bytes())
        codec.decode(encoded.payload, encoded.shape)
    except (AiolakeError, OSError, UnicodeEncodeError) as error:
        return Refused(path, str(error))
    return None


async def check_pictures(
    folder: Folder, pool: WorkPool, progress: Progress
) -> tuple[FolderSource, tuple[Refused, ...]]:
    """The pictures among the files, and the files that are none.

    Raises:
        InvalidInputError: None is a picture.
    """

    async def check(path: Path) -> Refused | None:
        refused = await pool.run(refusal, folder.root, path)
        progress.advance(1)
        return refused

    found = await map_concurrently(check, folder.files, limit=2 * pool.n_threads)
    refused = tuple(item for item in found if item is not None)
    good = [path for path, item in zip(folder.files, found, strict=True) if item is None]
    if not good:
        raise InvalidInputError(
            f"there is no picture among the {count(len(folder.files), 'file')} of {folder.root} "
            f"({refused[0].path}: {refused[0].why})"
        )
    return FolderSource(folder.root, good), refused


class FolderSource:
    """Pictures of a folder, byte for byte.

    Args:
        root: The folder.
        paths: Pictures below it.
    """

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        self._root = root
        self._paths = paths
        self._labels = [label_of(path, root) for path in paths]

    @property
    def what(self) -> str:
        """For people."""
        return f"{count(len(self), 'picture')} of {self._root}"

    @property
    def making(self) -> str:
        """How rows are made."""
        return "read files, ingest"

    @property
    def schema(self) -> Mapping[str, ColumnType]:
        """The picture, its folder, and its file's path."""
        names = tuple(sorted(set(self._labels)))
        return {"image": Image(), "label": ClassLabel(names), "path": Text()}

    def __len__(self) -> int:
        return len(self._paths)

    def row(self, i: int) -> Row:
        """Picture ``i``."""
        data = (self._root / self._paths[i]).read_bytes()
        return {"image": data, "label": self._labels[i], "path": self._paths[i].as_posix()}
