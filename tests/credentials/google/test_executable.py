"""Subject tokens from commands: what they are told, what they may say, and that none is left."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aiolake.credentials.google import provider_of
from aiolake.credentials.google_creds import parse
from aiolake.credentials.keeper import Keeper
from aiolake.credentials.lease import patience_s
from aiolake.credentials.provider import Provider
from aiolake.credentials.values import BearerCredential
from aiolake.errors import UnauthenticatedError
from tests.credentials.google.cloud import EMAIL, Cloud, running_cloud

ALLOW = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
GOOD = {"version": 1, "success": True, "token_type": ID_TOKEN, "id_token": "subject-1"}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW, "1")


def script(path: Path, body: str) -> Path:
    """An executable of Python; quicker to write than a shell's, and quoted less."""
    path.write_text(f"#!{sys.executable} -IS\nimport json, os, sys, time\n{body}\n")
    path.chmod(0o755)
    return path


def printing(path: Path, said: Any, status: int = 0) -> Path:
    return script(path, f"print({json.dumps(said)!r})\nsys.exit({status})")


def provider(cloud: Cloud, command: object, more: Any = None, **executable: Any) -> Provider:
    given = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/pools/p",
        "subject_token_type": ID_TOKEN,
        "token_url": f"{cloud.url}/token",
        "credential_source": {"executable": {"command": str(command), **executable}},
        **(more or {}),
    }
    return provider_of(
        parse(given).source, now=lambda: datetime.now(UTC), environ={ALLOW: os.environ[ALLOW]}
    )


async def token_of(cloud: Cloud, command: object, more: Any = None, **executable: Any) -> str:
    found = await provider(cloud, command, more, **executable).fetch()
    assert isinstance(found, BearerCredential)
    return found.token


async def refused(cloud: Cloud, command: object, **executable: Any) -> str:
    """The words, in which no secret is, nor in the traceback."""
    with pytest.raises(UnauthenticatedError) as caught:
        await token_of(cloud, command, **executable)
    shown = "".join(traceback.format_exception(caught.value))
    assert "subject-1" not in shown
    assert "hush" not in shown
    return str(caught.value)


async def test_what_a_command_prints_is_exchanged(cloud: Cloud, tmp_path: Path) -> None:
    saml = {"token_type": "urn:ietf:params:oauth:token-type:saml2", "saml_response": "subject-1"}
    jwt = {"token_type": "urn:ietf:params:oauth:token-type:jwt", "id_token": "subject-1"}
    for more in ({}, saml, jwt, {"expiration_time": int(time.time()) + 60}):
        command = printing(tmp_path / "command", {**GOOD, **more})
        token = await token_of(cloud, command)
        assert token.startswith("ya29.exchange.")
        assert cloud.seen["token-exchange"]["subject_token_type"] == ID_TOKEN


async def test_commands_run_only_where_they_are_allowed(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    command = script(tmp_path / "command", f"open({str(ran)!r}, 'w')")
    for value in ("", "0", "true"):
        monkeypatch.setenv(ALLOW, value)
        words = await refused(cloud, f"{command} --password hush")
        assert f"{ALLOW}=1" in words
        assert str(command) in words
    assert not ran.exists()
    assert patience_s(provider(cloud, command)) == 30.0


async def test_a_command_is_told_what_for(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_OWN", "kept")
    told, kept = tmp_path / "told", tmp_path / "kept"
    said = (
        f"json.dump([sys.argv[1:], dict(os.environ), sys.stdin.read()], open({str(told)!r}, 'w'))"
    )
    command = script(tmp_path / "command", f"{said}\nprint({json.dumps(GOOD)!r})")
    url = f"{cloud.url}/impersonate/{EMAIL}:generateAccessToken"
    acting = {"service_account_impersonation_url": url}
    await token_of(cloud, f"{command} --arg a=b", acting, output_file=str(kept))
    arguments, env, stdin = json.loads(told.read_text())
    assert (arguments, stdin) == (["--arg", "a=b"], "")
    prefix = "GOOGLE_EXTERNAL_ACCOUNT_"
    assert env["OUR_OWN"] == "kept"
    assert env[f"{prefix}AUDIENCE"] == "//iam.googleapis.com/pools/p"
    assert env[f"{prefix}TOKEN_TYPE"] == ID_TOKEN
    assert env[f"{prefix}INTERACTIVE"] == "0"
    assert env[f"{prefix}IMPERSONATED_EMAIL"] == EMAIL
    assert env[f"{prefix}OUTPUT_FILE"] == str(kept)
    await token_of(cloud, command)
    _, env, _ = json.loads(told.read_text())
    assert not {f"{prefix}IMPERSONATED_EMAIL", f"{prefix}OUTPUT_FILE"} & set(env)


async def test_what_a_command_keeps_is_used_while_it_is_good(cloud: Cloud, tmp_path: Path) -> None:
    runs, kept = tmp_path / "runs", tmp_path / "kept"
    command = script(
        tmp_path / "command",
        f"open({str(runs)!r}, 'a').write('x')\n"
        f"said = {{**{GOOD!r}, 'expiration_time': int(time.time()) + 60}}\n"
        f"json.dump(said, open({str(kept)!r}, 'w'))",  # and prints nothing
    )
    for _ in range(2):
        await token_of(cloud, command, output_file=str(kept))
    assert runs.read_text() == "x"
    over = {**GOOD, "expiration_time": int(time.time()) - 1}
    failed = {"version": 1, "success": False, "code": "1", "message": "no"}
    for n, text in enumerate((json.dumps(over), json.dumps(GOOD), json.dumps(failed), "{"), 2):
        kept.write_text(text)
        await token_of(cloud, command, output_file=str(kept))
        assert runs.read_text() == "x" * n


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"version": 1, "success": False, "code": "401", "message": "log\nin"}, "401, log in"),
        ({"version": 1, "success": False}, "without a code or message"),
        ({**GOOD, "version": 2}, "version 2"),
        ({**GOOD, "token_type": "access"}, "type 'access'; known are"),
        ({**GOOD, "id_token": ""}, "no 'id_token'"),
        ({**GOOD, "expiration_time": 1}, "has ended"),
        ({"success": True, "id_token": "hush"}, "field `version`"),
        ({"version": 1, "id_token": "hush"}, "field `success`"),
        (["hush"], "as Google defines it"),
    ],
)
async def test_what_is_no_token(cloud: Cloud, tmp_path: Path, said: Any, words: str) -> None:
    command = printing(tmp_path / "command", said)
    assert words in await refused(cloud, f"{command} --password hush")


async def test_a_status_says_that_a_command_failed(cloud: Cloud, tmp_path: Path) -> None:
    body = "print('hush')\nprint('hush', file=sys.stderr)\nsys.exit(3)"
    command = script(tmp_path / "command", body)
    assert "ended with status 3" in await refused(cloud, command)
    assert "ended with status 4" in await refused(cloud, printing(tmp_path / "other", GOOD, 4))
    failed = {"version": 1, "success": False, "code": "5", "message": "no"}
    assert "5, no" in await refused(cloud, printing(tmp_path / "third", failed, 5))


async def test_what_cannot_be_run_is_called_so(cloud: Cloud, tmp_path: Path) -> None:
    assert "No such file" in await refused(cloud, tmp_path / "missing")
    (tmp_path / "plain").write_text("")
    assert "Permission denied" in await refused(cloud, tmp_path / "plain")
    (tmp_path / "plain").chmod(0o755)
    (tmp_path / "plain").write_text("no program")
    assert "cannot be run" in await refused(cloud, tmp_path / "plain")


def hanging(tmp_path: Path) -> tuple[Path, Path]:
    """A command that starts another, and then both wait; and where they write who they are."""
    who = tmp_path / "who"
    body = (
        "child = os.fork()\n"
        f"if child: open({str(who) + '.new'!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
        f"if child: os.rename({str(who) + '.new'!r}, {str(who)!r})\n"
        "time.sleep(60)"
    )
    return script(tmp_path / "command", body), who


def nothing_is_left_of(who: Path) -> bool:
    return not any(_runs(int(pid)) for pid in who.read_text().split())


def _runs(pid: int) -> bool:
    """Whether a process is there, and is not one that has ended and waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_command_that_hangs_is_killed_with_all_that_it_started(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiolake.credentials.google_executable._SHORTEST_S", 0.1)
    command, who = hanging(tmp_path)
    assert "did not end within 0.5 s" in await refused(cloud, command, timeout_millis=500)
    await asyncio.to_thread(_until, lambda: nothing_is_left_of(who))


async def test_a_command_that_is_cancelled_is_killed_with_all_that_it_started(
    cloud: Cloud, tmp_path: Path
) -> None:
    command, who = hanging(tmp_path)
    async with Keeper() as keeper:
        lease = keeper.lease(provider(cloud, command))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(lease.get())
            await asyncio.to_thread(_until, who.exists)
            task.cancel()
        assert not nothing_is_left_of(who)  # others may wait for it: the keeper ends it
    await asyncio.to_thread(_until, lambda: nothing_is_left_of(who))


@pytest.mark.parametrize("turns", range(0, 12, 2))
async def test_a_start_that_is_cancelled_leaves_nothing(
    cloud: Cloud, tmp_path: Path, turns: int
) -> None:
    mark = f"aiolake-test-{os.getpid()}-{turns}"
    sleeper = provider(cloud, f"{sys.executable} -IS -c __import__('time').sleep(60) {mark}")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(sleeper.fetch())
        for _ in range(turns):
            await asyncio.sleep(0.002)
        task.cancel()
    await asyncio.to_thread(_until, lambda: not _named(mark))


def _until(holds: Any) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def _named(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if mark.encode() in line.split(b"\0"):
            found.append(str(path))
    return found


async def test_a_file_allows_its_command_time_and_the_keeper_waits(
    cloud: Cloud, tmp_path: Path
) -> None:
    assert patience_s(provider(cloud, "x")) == 150.0
    for millis in (4999, 120_001, "5000", True):
        with pytest.raises(ValueError, match="from 5000 to 120000"):
            await token_of(cloud, "x", timeout_millis=millis)
    for command in ("", "   "):
        with pytest.raises(ValueError, match="has no 'command'"):
            await token_of(cloud, command)
