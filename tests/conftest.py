"""What holds for every test: nothing is left behind on an event loop, and runs repeat."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import logging
import os
import sys
from asyncio import runners
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    # Last, so that helpers are importable as ``tests.x`` while ``aiolake`` is the installed one.
    sys.path.append(str(ROOT))

pytest_plugins = ["tests.servers.fixtures"]

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=50, suppress_health_check=SLOW
)
settings.register_profile("soak", deadline=None, max_examples=2000, suppress_health_check=SLOW)
settings.load_profile("soak" if os.environ.get("AIOLAKE_SOAK") == "1" else "ci")

_LEFT_BEHIND = pytest.StashKey[list[str]]()
_cancel_all_tasks = runners._cancel_all_tasks  # type: ignore[attr-defined]


class _LoopErrors(logging.Handler):
    """Collects what event loops report when nobody is there to catch it."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


def _describe(task: asyncio.Task[Any]) -> str:
    stack = io.StringIO()
    task.print_stack(file=stack)
    return f"task {task.get_name()!r} was left behind:\n{stack.getvalue()}"


def pytest_configure(config: pytest.Config) -> None:
    """Share tests out as processes become free; watch where every loop's leavings pass."""
    # Here rather than in addopts, where ``-p no:xdist`` would trip over it.
    if config.getoption("dist", "no") == "load":
        config.option.dist = "worksteal"
    found = config.stash[_LEFT_BEHIND] = []

    def cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
        found.extend(_describe(task) for task in asyncio.all_tasks(loop))
        _cancel_all_tasks(loop)

    # asyncio has no hook here: Runner cancels what is left without a word.
    runners._cancel_all_tasks = cancel_all_tasks  # type: ignore[attr-defined]
    logging.getLogger("asyncio").addHandler(_LoopErrors(found))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that leaves a task or an unretrieved exception behind."""
    yield
    found = item.config.stash[_LEFT_BEHIND]
    if found:
        report = "\n".join(found)
        found.clear()
        pytest.fail(report, pytrace=False)


def pytest_report_header() -> str:
    """Say which aiolake is tested: the installed one, or the source tree."""
    spec = importlib.util.find_spec("aiolake")
    where = spec.origin if spec else "missing: pip install '.[test]'"
    return f"aiolake: {where}; hypothesis: {settings.get_current_profile_name()}"
