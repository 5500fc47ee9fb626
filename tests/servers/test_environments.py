"""Environments are built once, whole or not at all, whoever asks at the same time."""

from __future__ import annotations

import multiprocessing
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.servers.environments import (
    BuildFailedError,
    Environment,
    UnavailableError,
    prepare,
    ready,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIOLAKE_SERVERS_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def environment(build: Callable[[Path], None], *, index: bool = True) -> Environment:
    return Environment("thing", ("thing==1",), build, lambda: index)


def fill(count: Path, where: Path) -> None:
    where.mkdir()
    with open(count, "a") as file:
        file.write("built\n")
    time.sleep(0.3)
    (where / "done").touch()


def ask(count: Path) -> bool:
    return (ready(environment(partial(fill, count))) / "done").exists()


def fail(where: Path) -> None:
    where.mkdir()
    raise subprocess.CalledProcessError(1, "pip", output="ERROR: no matching distribution")


def test_four_processes_build_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(ask, [count] * 4, chunksize=1) == [True] * 4
    assert count.read_text() == "built\n"


def test_other_pins_are_another_directory() -> None:
    made = environment(fail)
    other = Environment(made.name, ("thing==2",), made.build, made.has_index)
    assert made.home != other.home


def test_what_a_killed_process_left_half_built_is_built_again(tmp_path: Path) -> None:
    thing = environment(partial(fill, tmp_path / "count"))
    half = thing.home.with_name(f"{thing.home.name}.half")
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    assert sorted(path.name for path in ready(thing).iterdir()) == ["done"]


def test_a_build_that_fails_is_told_with_what_it_printed_and_leaves_nothing_to_use() -> None:
    thing = environment(fail)
    with pytest.raises(BuildFailedError, match=r"(?s)thing==1.*no matching distribution"):
        ready(thing)
    assert not thing.home.exists()


def test_without_an_index_nothing_can_be_had() -> None:
    with pytest.raises(UnavailableError, match="Run once where it does"):
        ready(environment(fail, index=False))


def test_a_failure_ahead_of_the_tests_is_the_failure_of_each() -> None:
    tried = []

    def count(where: Path) -> None:
        tried.append(where)
        fail(where)

    thing = environment(count)
    prepare([thing])
    for _ in range(2):
        with pytest.raises(BuildFailedError):
            ready(thing)
    assert len(tried) == 1
