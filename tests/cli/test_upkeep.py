"""``verify`` and ``gc``."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import aiolake
from aiolake import Bytes, Tensor
from tests.cli.running import Cli

ROW = Tensor("uint8", (None,))
"""A type whose samples are checked one by one."""


def copy_of(pets: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pets, tmp_path / "copy"))


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def a_chunk(root: Path) -> Path:
    return next(path for path in sorted((root / "chunks").rglob("*")) if path.is_file())


@pytest.fixture
def littered(tmp_path: Path) -> Path:
    """A dataset with chunks of a transaction that failed."""
    root = tmp_path / "littered"

    async def build() -> None:
        options = aiolake.Options(chunk_bytes=1000, small_bytes=1)
        async with aiolake.create_dataset(root, {"x": Bytes()}, options=options) as ds:
            async with ds.transaction() as tx:
                await tx.append({"x": b"kept" * 500})
            with contextlib.suppress(RuntimeError):
                async with ds.transaction() as tx:
                    await tx.append([{"x": b"lost" * 500}] * 4)
                    await until(lambda: len(objects(root)) > 1)
                    raise RuntimeError

    asyncio.run(build())
    return root


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - files appear without a word
            await asyncio.sleep(0.01)


def objects(root: Path) -> list[Path]:
    return sorted(path for path in (root / "chunks").rglob("*") if path.is_file())


def test_verify_finds_a_sound_dataset_sound(cli: Cli, pets: Path) -> None:
    done = cli.ok("verify", pets)
    assert done.out.startswith("Sound: 5 log entries, 3 snapshots, ")
    document = cli.ok("verify", pets, "--json").document
    assert (document["ok"], document["problems"]) == (True, [])


def test_verify_deep_decodes_every_sample(cli: Cli, pets: Path) -> None:
    done = cli.ok("verify", pets, "--deep")
    document = cli.ok("verify", pets, "--deep", "--json").document
    assert document["problems"] == []
    assert f"{document['n_samples']:,} samples decoded" in done.out


def test_verify_names_a_damaged_head(cli: Cli, pets: Path, tmp_path: Path) -> None:
    root = copy_of(pets, tmp_path)
    newest = min(path for path in (root / "log").rglob("*") if path.is_file())
    flip_a_byte(newest)
    assert cli("info", root).code != 0
    for options in ((), ("--deep",)):
        done = cli("verify", root, *options)
        assert done.code == 1
        assert newest.name in done.out
        assert "Damaged: 1 problem in 5 log entries" in done.out


def test_verify_names_what_is_damaged(cli: Cli, pets: Path, tmp_path: Path) -> None:
    root = copy_of(pets, tmp_path)
    chunk = a_chunk(root)
    flip_a_byte(chunk)
    done = cli("verify", root)
    assert done.code == 1
    assert chunk.name in done.out
    assert "Damaged: 1 problem in" in done.out
    (problem,) = cli("verify", root, "--json").document["problems"]
    assert problem["key"] == chunk.relative_to(root).as_posix()


def test_verify_says_once_what_is_missing(cli: Cli, pets: Path, tmp_path: Path) -> None:
    root = copy_of(pets, tmp_path)
    for chunk in objects(root):
        chunk.unlink()
    out = cli("verify", root).out
    assert "Damaged: 2 problems in" in out
    assert len(out.splitlines()) == 3


def test_verify_does_not_flood_a_screen(cli: Cli, tmp_path: Path) -> None:
    root = tmp_path / "many"

    async def build() -> None:
        async with aiolake.create_dataset(root, {"x": ROW}) as ds, ds.transaction() as tx:
            await tx.append({"x": [i]} for i in range(100))

    asyncio.run(build())
    chunk = a_chunk(root)
    chunk.chmod(0o644)
    chunk.write_bytes(b"\xff" * 100)
    out = cli("verify", root).out
    assert "and 80 more (--json lists all)" in out
    assert len(out.splitlines()) == 22


def test_gc_only_says_what_it_would_do(cli: Cli, littered: Path) -> None:
    before = objects(littered)
    planned = cli.ok("gc", littered, "--dry-run", "--grace", "0s", "--json").document
    assert planned["dry_run"]
    assert len(planned["keys"]) == len(before) - 1
    assert objects(littered) == before


def test_gc_removes_what_no_snapshot_needs(cli: Cli, littered: Path) -> None:
    planned = cli.ok("gc", littered, "--dry-run", "--grace", "0s", "--json").document
    done = cli.ok("gc", littered, "--yes", "--grace", "0s")
    assert f"Removed {len(planned['keys'])} object" in done.out
    assert len(objects(littered)) == 1
    assert cli.ok("cat", littered, 0, "x").stdout == b"kept" * 500
    cli.ok("verify", littered)


def test_gc_spares_young_transactions(cli: Cli, littered: Path) -> None:
    before = objects(littered)
    cli.ok("gc", littered, "--yes")
    assert objects(littered) == before


def test_gc_does_nothing_where_nobody_can_be_asked(
    cli: Cli, littered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = objects(littered)
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        done = cli("gc", littered, "--grace", "0s")
    assert done.code == 1
    assert "add --yes" in done.err
    assert objects(littered) == before
