"""Servers end with the tests that started them, and say why when they do not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.http import exchange
from tests.servers.processes import LOCALHOST, ServerFailedError, run, serving

ROOT = Path(__file__).resolve().parent.parent.parent
HTTP = [sys.executable, "-m", "http.server", "--bind", LOCALHOST]
STARTER = """
import sys, time
from tests.servers.processes import run
command = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(99)"]
with run("sleeper", command, lambda: True) as process:
    print(process._log, flush=True)
    time.sleep(99)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> bool:
    until = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def test_a_server_answers_in_its_block_and_not_after_it() -> None:
    def answers(port: int) -> bool:
        return exchange("GET", f"http://{LOCALHOST}:{port}/").status == 200

    with serving("http", lambda port: [*HTTP, str(port)], answers) as port:
        assert answers(port)
    with pytest.raises(ConnectionRefusedError):
        answers(port)


def test_a_server_that_ends_while_it_starts_shows_what_it_printed() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such option: --frob')"]
    with (
        pytest.raises(ServerFailedError, match=r"ended with 1 .*\n.*no such option: --frob"),
        run("broken", command, lambda: False),
    ):
        pass


def test_a_server_that_ends_too_early_fails_whoever_used_it() -> None:
    with pytest.raises(ServerFailedError, match="ended before it was told to"):
        use_one_that_ends()


def use_one_that_ends() -> None:
    with run("brief", [sys.executable, "-c", "pass"], lambda: True) as process:
        until = time.monotonic() + 10
        while not process.ended and time.monotonic() < until:
            time.sleep(0.02)


def test_a_server_dies_with_a_process_that_is_killed() -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    with starter.stdout as printed:
        log = Path(printed.readline().strip())
        until = time.monotonic() + 10
        while not log.read_text() and time.monotonic() < until:
            time.sleep(0.02)
        server = int(log.read_text())
        assert is_alive(server)
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    assert wait_until_gone(server)
