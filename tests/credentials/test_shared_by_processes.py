"""Many processes of one machine share a credential: one of them renews, and may die of it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.credentials import sharing
from tests.credentials.google.cloud import running_cloud
from tests.scale import pick

N_PROCESSES = pick(8, 32)
ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """One process; see ``sharing``."""

    def __init__(self, kind: str, cache: Path, argument: str) -> None:
        paths = [str(ROOT), *filter(None, sys.path)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", sharing.__name__, kind, str(cache), argument],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, command: str) -> None:
        """Ask for something."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def said(self) -> str:
        """What it answers."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it, now."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it, if it has not ended."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def workers(n: int, kind: str, cache: Path, argument: str = "") -> Iterator[list[Worker]]:
    """Processes that are ready."""
    with ExitStack() as stack:
        found = [Worker(kind, cache, argument) for _ in range(n)]
        for worker in found:
            stack.callback(worker.close)
        assert [worker.said() for worker in found] == ["ready"] * n
        yield found


def told(found: list[Worker], command: str) -> set[str]:
    """What all of them answer, asked at once."""
    for worker in found:
        worker.tell(command)
    return {worker.said() for worker in found}


def shared_by_all(kind: str, cache: Path, argument: str = "") -> None:
    """They get one credential, and one other when a server refuses it; files are their owner's."""
    with workers(N_PROCESSES, kind, cache, argument) as found:
        first = told(found, "get")
        second = told(found, "renew")
        assert len(first) == len(second) == 1
        assert first != second
        assert first != {""}
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in cache.iterdir()}
    assert len(modes) == 2  # the credential, and its lock
    assert set(modes.values()) == {0o600}


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands ``az`` and ``keys`` in the path, which count in this file how often they ran.

    All they give ends at one time, as what a vendor's cache hands out does.
    """
    count, commands = tmp_path / "count", tmp_path / "bin"
    ends = datetime.now(UTC) + timedelta(hours=1)
    printed = {
        "az": f'{{"accessToken": "t$n", "expiresOn": "-", "expires_on": {int(ends.timestamp())}}}',
        "keys": '{"Version": 1, "AccessKeyId": "AKIA$n", "SecretAccessKey": "s", '
        f'"SessionToken": "t", "Expiration": "{ends:%Y-%m-%dT%H:%M:%SZ}"}}',
    }
    commands.mkdir()
    for name, text in printed.items():
        quoted = text.replace('"', '\\"')
        lines = ["#!/bin/sh", f"echo >> {count}", f"n=$(wc -l < {count})", f'echo "{quoted}"']
        (commands / name).write_text("\n".join(lines))
        (commands / name).chmod(0o700)
    for name in os.environ:
        if name.startswith(("AZURE_", "AWS_")):
            monkeypatch.delenv(name)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {commands / 'keys'}\n")
    monkeypatch.setenv("PATH", str(commands), prepend=os.pathsep)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return count


@pytest.mark.soak
@pytest.mark.timeout(pick(60, 300))
@pytest.mark.parametrize("kind", ["aws", "azure"])
def test_one_asks_the_command_for_all(tmp_path: Path, counted: Path, kind: str) -> None:
    shared_by_all(kind, tmp_path / "cache")
    assert counted.read_text() == "\n" * 2


@pytest.mark.soak
@pytest.mark.timeout(pick(60, 300))
def test_one_asks_google_for_all(tmp_path: Path) -> None:
    with running_cloud() as cloud:
        shared_by_all("google", tmp_path / "cache", json.dumps(cloud.account()))
    assert cloud.asked == {"jwt-bearer": 2}


@pytest.mark.soak
@pytest.mark.timeout(pick(60, 300))
def test_all_follow_while_it_is_renewed_again_and_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with workers(N_PROCESSES, "short", tmp_path / "cache", str(log)) as found:
        tokens = [line.split() for line in told(found, "spin")]
    # 2 s of 0.7 s tokens: each came from one of a few renewals, and all saw the same ones.
    n_renewals = len(log.read_text().split())
    assert 2 <= n_renewals <= 8
    assert all(len(each) > 3 for each in tokens)
    assert {token for each in tokens for token in each} <= {str(n) for n in range(n_renewals)}


@pytest.mark.soak
@pytest.mark.timeout(pick(60, 300))
@pytest.mark.parametrize("kind", pick(["stuck and forked"], ["stuck", "stuck and forked"]))
def test_one_that_is_killed_while_it_renews_blocks_nobody(tmp_path: Path, kind: str) -> None:
    """Nor does a child of its, which inherited what holds the lock."""
    log, cache = tmp_path / "log", tmp_path / "cache"
    try:
        with (
            workers(1, kind, cache, str(log)) as (holder,),
            workers(N_PROCESSES, "source", cache, str(log)) as others,
        ):
            holder.tell("get")
            _until(log.exists)
            for worker in others:
                worker.tell("get")
            time.sleep(0.3)
            assert len(log.read_text().split()) == 1  # they wait for it
            holder.kill()
            began = time.monotonic()
            assert len({worker.said() for worker in others}) == 1
            assert time.monotonic() - began < 5
        assert len(log.read_text().split()) == 2
    finally:
        child = log.with_suffix(".child")
        if child.exists():
            os.kill(int(child.read_text()), signal.SIGKILL)


def _until(true: object) -> None:
    deadline = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
