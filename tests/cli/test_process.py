"""The installed program: pipes, terminals, Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.running import environment, program, run_program


def test_the_installed_program_runs(pets: Path) -> None:
    done = run_program("info", pets, cwd=pets.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rows      4" in done.stdout


def test_a_reader_that_goes_away_is_no_error(pets: Path) -> None:
    line = f"{program()[0]} ls {pets} --rows 0,1,2,3 --json | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("141", "")


def test_ctrl_c_ends_the_demo_without_a_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*program(), "demo", "--dir", "demo", "--crops", "20000"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        wait_for(tmp_path / "demo" / "log")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert err.startswith("aiolake: interrupted")
    assert "Traceback" not in err
    assert run_program("verify", "demo", cwd=tmp_path).returncode == 0


def wait_for(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def on_a_terminal(*arguments: object, typed: bytes = b"") -> tuple[int, str]:
    """Run the program on a pseudo-terminal; the exit code and what a person saw."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(program()[0], [*program(), *map(str, arguments)], environment())
    if typed:
        os.write(terminal, typed)
    seen = bytearray()
    while True:
        try:
            seen += os.read(terminal, 65536)
        except OSError:
            break
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), seen.decode()


def test_pictures_are_not_written_to_a_terminal(pets: Path) -> None:
    code, seen = on_a_terminal("cat", pets, 0, "image")
    assert code == 1
    assert "the value is binary (png 5x10x1" in seen


def test_a_terminal_gets_a_table(pets: Path) -> None:
    code, seen = on_a_terminal("log", pets)
    assert code == 0
    assert "two pets" in seen
    assert "\u2500\u2500\u2500" in seen


def test_cp_shows_on_a_terminal_how_far_it_is(pets: Path, tmp_path: Path) -> None:
    code, seen = on_a_terminal("cp", pets, tmp_path / "copy")
    assert code == 0
    assert "copying" in seen
    assert "4/4" in seen
    code, seen = on_a_terminal("cp", pets, tmp_path / "all", "--history")
    assert (code, "verifying" in seen) == (0, True)


def test_cp_with_json_shows_the_document_alone(pets: Path, tmp_path: Path) -> None:
    code, seen = on_a_terminal("cp", pets, tmp_path / "copy", "--json")
    assert (code, json.loads(seen)["rows"]) == (0, 4)


def test_gc_asks_on_a_terminal(pets: Path) -> None:
    code, seen = on_a_terminal("gc", pets, typed=b"n\n")
    assert code == 1
    assert "[y/N]" in seen
    assert "nothing was removed" in seen


def test_the_program_is_the_environments_own() -> None:
    assert Path(program()[0]).parent == Path(sys.executable).parent
