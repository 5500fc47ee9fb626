"""Commands on a cloud: what opens it comes from ``--creds``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import aiolake
from aiolake import Bytes, CopyProgress, Tensor
from aiolake.dataset import copy_rows
from tests.cli.running import Cli
from tests.servers.s3 import S3Server


class Root:
    """An empty root on a server that plays S3, and the file that opens it."""

    def __init__(self, server: S3Server, directory: Path, **other: str) -> None:
        self.url = f"s3://{server.new_bucket()}/set"
        self.creds = {
            "aws_access_key_id": server.access_key,
            "aws_secret_access_key": server.secret_key,
            "region": server.region,
            "endpoint_url": server.url,
            **other,
        }
        self.file = directory / "creds.json"
        self.file.write_text(json.dumps(self.creds))


@pytest.fixture
def root(moto: S3Server, tmp_path: Path) -> Root:
    return Root(moto, tmp_path)


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["verdict"] for finding in document["findings"]}


def test_a_dataset_is_made_looked_at_and_removed(cli: Cli, root: Root) -> None:
    creds = ("--creds", root.file)
    cli.ok("create", root.url, "x=Tensor(int64)", *creds)
    assert cli.ok("info", root.url, "--json", *creds).document["rows"] == 0
    for command in ("stats", "ls", "log", "verify", "branch", "tag"):
        cli.ok(command, root.url, *creds)
    cli.ok("rm", root.url, "--yes", *creds)
    assert cli("info", root.url, *creds).code == 1


def test_doctor_finds_a_healthy_bucket_healthy(cli: Cli, root: Root) -> None:
    done = cli.ok("doctor", root.url, "--creds", root.file, "--json")
    found = verdicts(done.document)
    assert done.document["verdict"] in ("ok", "note")
    for check in ("tcp", "reach", "list", "create", "create-only", "read", "delete", "latency"):
        assert found[check] == "ok", check
    assert found["credentials"] == found["bandwidth"] == "ok"
    assert str(root.creds["aws_secret_access_key"]) not in done.out


def test_doctor_says_that_nothing_answers_and_stops(
    cli: Cli, moto: S3Server, tmp_path: Path
) -> None:
    root = Root(moto, tmp_path, endpoint_url="http://127.0.0.1:1")
    done = cli("doctor", root.url, "--creds", root.file, "--json")
    assert done.code == 1
    found = verdicts(done.document)
    assert found["tcp"] == "failed"
    assert not {"reach", "create"} & set(found)
    assert "nothing listens" in done.out


def test_doctor_says_that_a_key_is_wrong(cli: Cli, moto_checked: S3Server, tmp_path: Path) -> None:
    root = Root(moto_checked, tmp_path, aws_secret_access_key="wrongwrongwrong")
    done = cli("doctor", root.url, "--creds", root.file)
    assert done.code == 1
    assert "FAILED" in done.out
    assert "wrongwrong" not in done.out


def test_doctor_says_that_a_bucket_is_missing(cli: Cli, root: Root) -> None:
    done = cli("doctor", "s3://no-such-bucket-at-all/x", "--creds", root.file)
    assert done.code == 1
    assert "FAILED  list" in done.out
    assert "there is no such bucket; check the address's spelling" in done.out
    for word in ("work without listing", "only reading works here", "aiolake create"):
        assert word not in done.out


async def filled(path: Path, n_rows: int = 400) -> None:
    async with (
        aiolake.create_dataset(path, {"x": Tensor("int64"), "b": Bytes()}) as ds,
        ds.transaction() as tx,
    ):
        rows = list(range(n_rows))
        await tx.append(columns={"x": rows, "b": [bytes([i % 251]) * 20_000 for i in rows]})


def test_cp_goes_to_a_cloud_and_back(cli: Cli, root: Root, tmp_path: Path) -> None:
    asyncio.run(filled(tmp_path / "here"))
    cli.ok("cp", tmp_path / "here", root.url, "--to-creds", root.file)
    cli.ok("cp", tmp_path / "here", root.url, "--to-creds", root.file)
    cli.ok("tag", root.url, "mine", "--creds", root.file)
    again = cli("cp", tmp_path / "here", root.url, "--to-creds", root.file)
    assert (again.code, "choose another address" in again.err) == (1, True)
    cli.ok("cp", root.url, tmp_path / "back", "--from-creds", root.file, "--history")
    for how in ((tmp_path / "back",), (root.url, "--creds", root.file)):
        found = cli.ok("verify", *how, "--json").document
        assert found["ok"]
    assert cli.ok("info", tmp_path / "back", "--json").document["rows"] == 400


class Killed(Exception):
    """As if the process had ended."""


@pytest.mark.parametrize("history", [False, True])
async def test_a_copy_that_was_killed_goes_on(
    root: Root, tmp_path: Path, history: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_rows, "COMMIT_BYTES", 1 << 20)
    await filled(tmp_path / "here")
    how: dict[str, Any] = {"history": history, "target_creds": root.creds}
    options = aiolake.Options(chunk_bytes=1 << 20, small_bytes=0)

    def killed(now: CopyProgress) -> None:
        if now.done > now.total // 2:
            raise Killed

    with pytest.raises(Killed):
        await aiolake.copy_dataset(
            tmp_path / "here", root.url, on_progress=killed, options=options, **how
        )
    copied = await aiolake.copy_dataset(tmp_path / "here", root.url, options=options, **how)
    assert 0 < copied.n_copied < (400 if not history else 5)
    assert copied.n_rows == 400
    async with aiolake.open_dataset(root.url, creds=root.creds) as ds:
        assert (await ds.read(399))["b"] == bytes([399 % 251]) * 20_000
        assert (await aiolake.verify(ds)).ok
        state = ds.credentials()
        assert state is not None
        assert state.kind == "AwsCredential"
