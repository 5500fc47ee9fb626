"""``aiolake demo``: makes the dataset, runs the job, says what was done and how fast."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from aiolake import urls
from aiolake._aio import WorkPool
from aiolake.cli.common import DEFAULTS, Common
from aiolake.cli.demo.crops import CropSource
from aiolake.cli.demo.folder import check_pictures, find_files
from aiolake.cli.demo.job import (
    BATCH,
    Compared,
    Measured,
    compare,
    ingest,
    read_randomly,
    stream_shuffled,
)
from aiolake.cli.demo.sheet import write_sheet
from aiolake.cli.demo.source import Source
from aiolake.cli.exits import Exit
from aiolake.cli.output import Output
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.open import create_dataset, open_dataset
from aiolake.errors import InvalidInputError
from aiolake.render.text import count, printable, shown_path, size
from aiolake.types import ClassLabel

__all__ = ["demo"]

N_CROPS = 6000
_SEED = 20_241_117
_SHOWN_REFUSALS = 10
_TAG = "first-half"


@dataclass(frozen=True, slots=True)
class Report:
    """What the demo did."""

    what: str
    url: str
    sheet: Path
    nbytes: int
    steps: tuple[Measured, ...]
    compared: Compared


async def demo(
    *,
    dir: Path | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    crops: Annotated[int, Parameter(show=False)] = N_CROPS,
    common: Common = DEFAULTS,
) -> Exit:
    """Run the main job on real pictures: ingest, commit twice, read, shuffle, go back in time.

    Args:
        dir: Where the dataset goes; nothing may be there. By default ./aiolake-demo, or
            ./aiolake-demo-2 and so on.
        from_: A folder of your own pictures, subfolders are the labels; by default thousands of
            crops of the photographs that come with aiolake.
        crops: How many crops.
        common: Options of every command.
    """
    if crops < 2:
        raise InvalidInputError(f"--crops is at least 2, got {crops}")
    output = Output(as_json=common.json)
    pool = WorkPool(os.cpu_count() or 1)
    try:
        source = await _source(from_, crops, pool, output)
        root = fresh_directory(Path()) if dir is None else dir
        report = await _work(source, root, pool, output)
    finally:
        await pool.aclose()
    output.document(_as_json(report))
    _print_report(output, report)
    return Exit.OK


def fresh_directory(where: Path) -> Path:
    """``aiolake-demo`` or the first of ``aiolake-demo-2``, ``-3`` ... that is not taken."""
    names = itertools.chain(["aiolake-demo"], (f"aiolake-demo-{i}" for i in itertools.count(2)))
    return next(where / name for name in names if not os.path.lexists(where / name))


def sheet_of(root: Path) -> Path:
    """Where the contact sheet of a dataset goes: beside it, nothing is overwritten."""
    names = itertools.chain([root.name], (f"{root.name}-{i}" for i in itertools.count(2)))
    paths = (root.parent / f"{name}.png" for name in names)
    return next(path for path in paths if not os.path.lexists(path))


async def _source(from_: Path | None, crops: int, pool: WorkPool, output: Output) -> Source:
    if from_ is None:
        return CropSource(crops, _SEED)
    folder = await pool.run(find_files, from_)
    with output.progress("checking pictures", len(folder.files), "files") as progress:
        source, refused = await check_pictures(folder, pool, progress)
    for item in refused[:_SHOWN_REFUSALS]:
        output.note(printable(f"skipped {item.path}: {item.why}"))
    if len(refused) > _SHOWN_REFUSALS:
        output.note(f"skipped {count(len(refused) - _SHOWN_REFUSALS, 'more file')}")
    return source


async def _work(source: Source, root: Path, pool: WorkPool, output: Output) -> Report:
    root = Path(urls.parse(root).path)
    output.line(f"Writing {source.what} to {printable(str(root))} ...")
    first, ingested = await _write(source, root, pool, output)
    async with open_dataset(root) as dataset:
        reads = await _read(dataset, ingested, output)
        compared = await compare(dataset, first, 256, _SEED)
        sheet = sheet_of(root)
        pictures = await _samples(dataset)
        await pool.run(write_sheet, sheet, f"aiolake: {source.what}", pictures)
        return Report(
            source.what, dataset.url, sheet, ingested.nbytes, (ingested, *reads), compared
        )


async def _write(
    source: Source, root: Path, pool: WorkPool, output: Output
) -> tuple[int, Measured]:
    """Ingest in two transactions; the number of the first snapshot, and what it took."""
    half = len(source) // 2 or len(source)
    schema = source.schema
    async with create_dataset(root, schema, message="the demo's dataset") as dataset:
        with output.progress("ingesting", len(source), "rows") as progress:
            one = await ingest(dataset, source, range(half), "first half", pool, progress)
            first = dataset.snapshot
            rest = range(half, len(source))
            two = await ingest(dataset, source, rest, "second half", pool, progress)
        await dataset.tags.create(_TAG, first)
    return first, one.plus(two)


async def _read(dataset: Dataset, ingested: Measured, output: Output) -> tuple[Measured, ...]:
    per_row = ingested.nbytes / ingested.n_rows
    stored = await dataset.read(slice(None), columns=["label"])
    labels = np.bincount(stored["label"], minlength=len(_label_names(dataset)))
    n_batches = max(1, min(30, len(dataset) // BATCH))
    single, batches = await read_randomly(dataset, min(500, len(dataset)), n_batches, _SEED)
    with output.progress("a shuffled pass", len(dataset), "rows") as progress:
        shuffled = await stream_shuffled(dataset, labels, _SEED, progress)
    for step in (single, batches, shuffled):
        step.nbytes = round(step.n_rows * per_row)
    return single, batches, shuffled


def _label_names(dataset: Dataset) -> tuple[str, ...]:
    type = dataset.schema["label"].type
    assert isinstance(type, ClassLabel)
    return type.names


async def _samples(dataset: Dataset) -> list[tuple[bytes, str]]:
    rows = np.random.default_rng(_SEED).permutation(len(dataset))[:64]
    batch = await dataset.read(rows, columns=["image", "label"], decode=False)
    names = _label_names(dataset)
    return [(image, names[i]) for image, i in zip(batch["image"], batch["label"], strict=True)]


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "url": report.url,
        "contact_sheet": str(report.sheet),
        "nbytes": report.nbytes,
        "steps": [
            {
                "step": step.what,
                "rows": step.n_rows,
                "seconds": round(step.seconds, 4),
                "rows_per_second": round(step.rows_per_s, 1),
                "bytes_per_second": round(step.bytes_per_s),
            }
            for step in report.steps
        ],
        "first_snapshot": report.compared.old,
        "last_snapshot": report.compared.new,
        "rows_compared": report.compared.n_compared,
    }


def _print_report(output: Output, report: Report) -> None:
    compared = report.compared
    output.line(f"Done: {report.what}, {size(report.nbytes)}, in two transactions.")
    output.line()
    header = ("step", "rows", "seconds", "rows/s", "MB/s")
    output.table(header, [_step_row(step) for step in report.steps], right=header[1:])
    output.line()
    output.line(
        f"Snapshot {compared.old}, opened again, has {count(compared.n_rows, 'row')}; "
        f"{compared.n_compared:,} of them compared with snapshot {compared.new}: the same bytes."
    )
    output.line("Samples were read from local disk through the page cache, and decoded.")
    output.line(f"A contact sheet is in {printable(shown_path(report.sheet))}")
    output.line()
    output.line("Next, type")
    row = min(42, report.steps[0].n_rows - 1)
    for line in _next_lines(Path(urls.parse(report.url).path), row):
        output.line(f"  {line}".rstrip())


def _step_row(step: Measured) -> tuple[str, ...]:
    return (
        step.what,
        f"{step.n_rows:,}",
        f"{step.seconds:.2f}",
        f"{step.rows_per_s:,.0f}",
        f"{step.bytes_per_s / 1e6:,.1f}",
    )


def _next_lines(root: Path, row: int) -> list[str]:
    program = _program("aiolake", sys.argv[0])
    python = _program("python", sys.executable)
    where = shlex.quote(shown_path(root))
    return [
        f"{program} info {where}",
        f"{program} log {where}",
        f"{program} ls {where}@{_TAG}",
        f"{program} cat {where} {row} image > {row}.jpg",
        f"{program} verify {where}",
        "",
        f"{python} -m asyncio",
        ">>> import aiolake",
        f">>> ds = await aiolake.open_dataset({shown_path(root)!r})",
        f'>>> (await ds.read({row}))["image"].shape',
    ]


def _program(name: str, path: str) -> str:
    """How to call a program from here: by name, where the shell finds that one."""
    found = shutil.which(name)
    same = found is not None and Path(found).resolve() == Path(path).resolve()
    if same or not Path(path).name.startswith(name):
        return name
    return shlex.quote(shown_path(Path(os.path.abspath(path))))
