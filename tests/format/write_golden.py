"""Writes the golden datasets that are not there yet: ``python -m tests.format.write_golden``.

What is there is never overwritten: released formats must stay readable as they were written.
``test_golden.py`` holds every file against its checksum in ``v1.sha256``, which this writes too.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiolake
from aiolake import ColumnType, Options, Text
from tests.format.expected import CHECKSUMS, ROOT, save
from tests.format.samples import TYPES, value_of
from tests.format.scenario import KEY, ROOMY, TIGHT, History, Model, tight_limits

FEW = {name: TYPES[name] for name in ("vector", "packed", "boxes", "text", "facts")}
LONG = {**FEW, "blob": TYPES["blob"]}
N_ROWS = 3


async def every_type(directory: Path) -> None:
    """Each column type in one commit: values, then rows that are None throughout."""
    rng = random.Random(1)
    rows = [{k: value_of(t, rng, null=0.2) for k, t in TYPES.items()} for _ in range(N_ROWS)]
    rows += [dict.fromkeys(TYPES)]
    async with (
        aiolake.create_dataset(directory, TYPES, options=ROOMY) as ds,
        ds.transaction("every type") as tx,
    ):
        await tx.append(rows)
    save(_beside(directory), {2: Model(dict(TYPES), rows)}, {"branches": {"main": 2}, "tags": {}})


async def history(directory: Path) -> None:
    """Updates, deletes, changes of columns, names and restores, as they lie by default."""
    await _history(directory, FEW, ROOMY, seed=2)


async def spilled(directory: Path) -> None:
    """The like, with parts, manifests, lists and blobs wherever they can be."""
    with tight_limits():
        await _history(directory, LONG, TIGHT, seed=3)


async def keyed(directory: Path) -> None:
    """Keys and row metadata, replaced and merged rows, sequences and references."""
    types = {KEY: Text(), **{name: TYPES[name] for name in ("words", "far", "code", "whole")}}
    with tight_limits():
        async with aiolake.create_dataset(
            directory, types, key=KEY, on_duplicate="replace", row_metadata=True, options=TIGHT
        ) as ds:
            told = History(ds, types, random.Random(6), keyed=True)
            for change in (
                told.commit,
                told.replace,
                told.fork,
                told.commit,
                told.merge,
                told.replace,
            ):
                await change()
    save(_beside(directory), told.models, {"branches": told.branches, "tags": told.tags})


async def _history(
    directory: Path, types: Mapping[str, ColumnType], options: Options, *, seed: int
) -> None:
    async with aiolake.create_dataset(directory, types, options=options) as ds:
        told = History(ds, types, random.Random(seed))
        for change in (told.commit, told.commit, told.name, told.commit, told.restore,
                       told.commit, told.optimize, told.commit):  # fmt: skip
            await change()
    save(_beside(directory), told.models, {"branches": told.branches, "tags": told.tags})


async def anew(directory: Path) -> None:
    """A dataset made where another was deleted, some of its snapshots expired and collected."""
    async with aiolake.create_dataset(directory, FEW, options=ROOMY) as ds:
        await History(ds, FEW, random.Random(4)).commit()
    await aiolake.delete_dataset(directory)
    async with aiolake.create_dataset(directory, FEW, options=ROOMY) as ds:
        told = History(ds, FEW, random.Random(5))
        for change in (told.commit, told.commit, told.commit, told.forget):
            await change()
    save(_beside(directory), told.models, {"branches": told.branches, "tags": told.tags})


WRITERS: dict[str, Callable[[Path], Awaitable[None]]] = {
    "every_type": every_type,
    "history": history,
    "spilled": spilled,
    "anew": anew,
    "keyed": keyed,
}


def _beside(directory: Path) -> Path:
    return directory.with_suffix(".json")


async def write_missing(root: Path) -> list[str]:
    """Write the datasets that are not there yet; returns their names."""
    missing = [name for name in WRITERS if not (root / name).exists()]
    for name in missing:
        if _beside(root / name).exists():
            raise FileExistsError(f"{name}.json is there without its dataset; restore or remove it")
        await WRITERS[name](root / name)
    return missing


def checksums(root: Path) -> str:
    """A line for each file, as ``sha256sum`` writes it."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(root).as_posix()}\n"
        for path in files
    )


if __name__ == "__main__":
    for written in asyncio.run(write_missing(ROOT)):
        print(f"wrote {ROOT.name}/{written}")
    CHECKSUMS.write_text(checksums(ROOT))
