from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys

import pytest

from aiolake._aio import generation, keep_for_ever, keep_in_child, on_child, random_source
from tests.unit._aio.helpers import in_child


class Mortal:
    """Tells when it dies."""

    def __init__(self, deaths: list[str]) -> None:
        self.deaths = deaths

    def __del__(self) -> None:
        self.deaths.append("died")


class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def hear(self) -> None:
        self.heard.append(generation())

    def fail(self) -> None:
        raise KeyError("in a callback")


def test_a_child_is_one_generation_further() -> None:
    here = generation()
    assert in_child(generation) == here + 1
    assert in_child(lambda: in_child(generation)) == here + 2
    assert generation() == here


def test_callbacks_run_in_the_child_only() -> None:
    listener = Listener()
    on_child(listener.hear)
    assert in_child(lambda: listener.heard) == [generation() + 1]
    assert listener.heard == []


def test_plain_functions_are_called_too() -> None:
    heard: list[int] = []
    on_child(lambda: heard.append(generation()))
    assert in_child(lambda: heard) == [generation() + 1]


def test_a_bound_method_does_not_keep_its_object_alive() -> None:
    deaths: list[str] = []

    class MortalListener(Mortal):
        def hear(self) -> None:
            self.deaths.append("heard")

    listener = MortalListener(deaths)
    on_child(listener.hear)
    del listener
    gc.collect()
    assert in_child(lambda: deaths) == ["died"]


def test_a_failing_callback_does_not_keep_the_others_from_running() -> None:
    before, after = Listener(), Listener()
    on_child(before.fail)
    on_child(after.hear)
    assert in_child(lambda: after.heard) == [generation() + 1]


def test_registered_objects_are_kept_in_the_child_and_mortal_here() -> None:
    deaths: list[str] = []
    held = [Mortal(deaths)]
    keep_in_child(held[0])

    def drop() -> list[str]:
        held.clear()
        gc.collect()
        return deaths

    assert in_child(drop) == []
    assert drop() == ["died"]


def test_keep_for_ever_keeps() -> None:
    deaths: list[str] = []

    def keep_and_drop() -> list[str]:
        keep_for_ever(Mortal(deaths))
        gc.collect()
        return deaths

    assert in_child(keep_and_drop) == []


EXIT = """
import os, sys
from aiolake._aio import keep_in_child

class Mortal:
    # Bound early: at the interpreter's end globals may be gone.
    def __del__(self, write=os.write, pid=os.getpid, parent=os.getpid()):
        write(1, b"died in parent" if pid() == parent else b"died in child")

mortal = Mortal()
if "kept" in sys.argv:
    keep_in_child(mortal)
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
    os._exit(0)
sys.exit(0)
"""


@pytest.mark.parametrize(("mode", "printed"), [("kept", ""), ("not", "died in child")])
def test_kept_objects_outlive_the_childs_interpreter(mode: str, printed: str) -> None:
    command = [sys.executable, "-c", EXIT, mode]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == printed, run.stderr


class Reader:
    """Reads a socket on a loop; when it dies the socket leaves the loop's epoll."""

    def __init__(self, loop: asyncio.AbstractEventLoop, source: socket.socket) -> None:
        self.loop, self.source = loop, source
        self.arrived = asyncio.Event()
        loop.add_reader(source, self.arrived.set)

    def __del__(self) -> None:
        self.loop.remove_reader(self.source)


@pytest.mark.parametrize("kept", [True, False])
async def test_a_child_that_drops_a_session_does_not_deafen_the_parent(kept: bool) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    readers = [Reader(asyncio.get_running_loop(), near)]
    arrived = readers[0].arrived
    if kept:
        keep_in_child(readers[0])

    def drop() -> None:
        readers.clear()
        gc.collect()

    # The reader's event is what the loop's callback holds, so the reader itself may die.
    in_child(drop)
    far.send(b"x")
    done, waiting = await asyncio.wait(
        {asyncio.get_running_loop().create_task(arrived.wait())}, timeout=0.3
    )
    for task in waiting:
        task.cancel()
    assert bool(done) is kept
    near.close()
    far.close()


def test_a_child_draws_other_random_numbers() -> None:
    random_source().seed(1)
    in_the_child = in_child(lambda: random_source().getrandbits(128))
    assert random_source().getrandbits(128) != in_the_child
    random_source().seed()


def test_the_environment_can_fork() -> None:
    assert in_child(os.getpid) != os.getpid()
