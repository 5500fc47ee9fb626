"""The watch of tests/conftest.py itself: each kind of leaving fails the test that left it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT

TESTS = """
import asyncio


async def fail() -> None:
    raise ValueError("nobody looked")


async def test_leaves_a_task() -> None:
    asyncio.get_running_loop().create_task(asyncio.sleep(60), name="lost")


def test_leaves_a_task_in_a_loop_of_its_own() -> None:
    asyncio.run(test_leaves_a_task())


async def test_leaves_an_exception() -> None:
    asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0.001)


async def test_leaves_nothing() -> None:
    await asyncio.get_running_loop().create_task(asyncio.sleep(0))
"""


def test_what_a_test_leaves_on_its_loop_fails_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_leaving.py").write_text(TESTS)
    options = ["-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [*sys.path, str(ROOT)]))},
    )
    assert "4 passed, 3 errors" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("'lost' was left behind") >= 2
    assert "nobody looked" in done.stdout
