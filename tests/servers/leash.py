"""Runs a server, and ends it when whoever started it ends, however that happens.

Not imported by the tests: ``processes`` runs it as a program, with the server's command as its
arguments and a pipe as its standard input.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
GRACE_S = 5.0
LOOK_EVERY_S = 1.0


def main(command: list[str]) -> int:
    starter = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_the_leash
    )
    try:
        _wait(server, starter)
    finally:
        _end(server)
    return server.returncode


def _die_with_the_leash() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(server: subprocess.Popen[bytes], starter: int) -> None:
    """Until the server ends, or the starter does: its end of our standard input closes then.

    A child it forked may hold that end open, so we also look who our parent is.
    """
    ended = os.pidfd_open(server.pid)
    while os.getppid() == starter:
        readable, _, _ = select.select([sys.stdin.buffer, ended], [], [], LOOK_EVERY_S)
        if readable:
            return


def _end(server: subprocess.Popen[bytes]) -> None:
    for number, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        if server.poll() is not None:
            return
        try:
            os.killpg(server.pid, number)
            server.wait(patience_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
