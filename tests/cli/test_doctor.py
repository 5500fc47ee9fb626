"""``doctor``: what it finds at healthy, empty, closed and damaged addresses."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake import Text
from aiolake.cli.doctor.findings import Finding, Verdict
from aiolake.cli.doctor.store import check_store, was_measured
from aiolake.errors import FormatError, PermissionDeniedError
from aiolake.stores.base import Buffer, CreateOutcome
from aiolake.stores.memory import MemoryStore
from tests.cli.running import Cli


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["verdict"] for finding in document["findings"]}


def test_a_healthy_dataset_passes_every_check(cli: Cli, pets: Path) -> None:
    before = sorted(pets.rglob("*"))
    document = cli.ok("doctor", pets, "--json").document
    assert document["verdict"] == "ok"
    assert set(verdicts(document).values()) == {"ok"}
    assert {"list", "create", "create-only", "read", "latency", "bandwidth"} <= set(
        verdicts(document)
    )
    assert sorted(pets.rglob("*")) == before


def test_an_empty_address_works_and_holds_nothing(cli: Cli, tmp_path: Path) -> None:
    out = cli.ok("doctor", tmp_path).out
    assert "create-only  20 creates of one key: 1 created" in out
    assert "aiolake create makes one" in out
    assert "create_dataset()" not in out


def test_reading_only_writes_nothing(cli: Cli, pets: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in pets.rglob("*")}
    found = verdicts(cli.ok("doctor", pets, "--read-only", "--json").document)
    assert found["create"] == "skipped"
    assert found["latency"] == "ok"  # of the dataset's own objects
    assert {path: path.stat().st_mtime_ns for path in pets.rglob("*")} == before


def test_damage_is_found(cli: Cli, pets: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(pets, tmp_path / "copy"))
    for chunk in (root / "chunks").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    done = cli("doctor", root)
    assert done.code == 1
    assert "FAILED  rows" in done.out
    assert "aiolake verify" in done.out


def test_many_pieces_ask_for_optimize(cli: Cli, tmp_path: Path) -> None:
    async def build() -> None:
        async with aiolake.create_dataset(tmp_path / "ds", {"t": Text()}) as ds:
            for i in range(70):
                async with ds.transaction() as tx:
                    await tx.append({"t": str(i)})

    asyncio.run(build())
    done = cli.ok("doctor", tmp_path / "ds", "--read-only")
    assert "aiolake optimize makes one of the 70 pieces" in done.out
    assert "70 rows in one piece" in cli("optimize", tmp_path / "ds").out
    assert cli.ok("doctor", tmp_path / "ds", "--json").document["verdict"] == "ok"


class Keeping(MemoryStore):
    """A store that lets objects be created, and neither read nor deleted."""

    async def get(self, key: str) -> Buffer:
        raise PermissionDeniedError(f"{key!r} may not be read")

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        raise PermissionDeniedError(f"{key!r} may not be read")

    async def delete(self, keys: Sequence[str]) -> None:
        raise PermissionDeniedError(f"{keys!r} may not be deleted")


async def test_checks_have_their_names_where_they_fail_too() -> None:
    findings = await found(Keeping("keeping"))
    verdicts = {name: finding.verdict.value for name, finding in findings.items()}
    assert verdicts == {
        "list": "ok",
        "create": "ok",
        "create-only": "ok",
        "read": "failed",
        "latency": "failed",
        "bandwidth": "failed",
        "delete": "note",
    }


async def test_what_it_may_not_delete_is_in_no_datasets_way() -> None:
    url = "mem://checked-by-doctor"
    store = MemoryStore.named("checked-by-doctor")
    await store.create("doctor/abc/first", [b"aiolake doctor"])
    async with aiolake.create_dataset(url, {"t": Text()}) as ds:
        assert len(ds) == 0
    other = MemoryStore.named("checked-by-others")
    await other.create("doctor/abc/first", [b"x"])
    await other.create("notes.txt", [b"x"])
    with pytest.raises(FormatError, match=r"other objects \(notes\.txt\)"):
        await aiolake.create_dataset("mem://checked-by-others", {"t": Text()})


class Overwriting(MemoryStore):
    """A store that takes every create, as one that ignores the condition does."""

    async def create(self, key: str, data: Any) -> CreateOutcome:
        await self.put(key, data)
        return CreateOutcome.CREATED


class Garbling(MemoryStore):
    """A store that returns other bytes than it was given."""

    async def get(self, key: str) -> Buffer:
        return bytes(byte ^ 1 for byte in bytes(await super().get(key)))


class Refusing(MemoryStore):
    """A store that lets nobody write."""

    async def create(self, key: str, data: Any) -> CreateOutcome:
        raise PermissionDeniedError(f"{key!r} may not be created")


async def found(store: MemoryStore) -> dict[str, Finding]:
    return {finding.check: finding for finding in await check_store(store, write=True)}


async def test_where_writing_is_refused_nothing_is_measured_by_it() -> None:
    findings = list((await found(Refusing("refusing"))).values())
    assert [each.check for each in findings] == ["list", "create"]
    assert not was_measured(findings)
    assert was_measured(await check_store(MemoryStore("taking"), write=True))


async def test_a_store_that_ignores_create_only_is_found_out() -> None:
    finding = (await found(Overwriting("overwriting")))["create-only"]
    assert finding.verdict is Verdict.FAILED
    assert "do not write datasets to it" in finding.advice


async def test_a_store_that_garbles_is_found_out() -> None:
    findings = await found(Garbling("garbling"))
    assert findings["read"].verdict is Verdict.FAILED
    assert findings["bandwidth"].verdict is Verdict.FAILED
