"""Tasks are started in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import modules, parse

RAW = {
    "asyncio": {
        "create_task",
        "ensure_future",
        "gather",
        "get_event_loop",
        "run_coroutine_threadsafe",
        "shield",
        "wait_for",
    },
    "anyio": {"CancelScope", "create_task_group", "from_thread", "to_thread"},
}
OWN_LOOP = {"create_task", "run_until_complete"}


def raw_uses(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Uses of the loop's raw calls, by attribute, by import and by the loop itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = RAW.get(node.module.split(".")[0], set())
            yield from ((node, alias.name) for alias in node.names if alias.name in names)
        elif isinstance(node, ast.Attribute) and _is_raw(node):
            yield node, ast.unparse(node)


def _is_raw(node: ast.Attribute) -> bool:
    owner = ast.unparse(node.value)
    if owner in RAW:
        return node.attr in RAW[owner]
    is_loop = owner.endswith(("loop", "_loop()"))
    return is_loop and node.attr in OWN_LOOP


def test_raw_tasks_are_started_only_in_aio() -> None:
    found = [
        f"{module.at(node)}: {what}"
        for module in modules()
        if module.part != "_aio"
        for node, what in raw_uses(module.tree)
    ]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "asyncio.create_task(f())",
        "from asyncio import gather",
        "asyncio.get_running_loop().create_task(f())",
        "self._loop.create_task(f())",
        "start = asyncio.ensure_future",
        "anyio.CancelScope(shield=True)",
        "from anyio import to_thread",
    ],
)
def test_a_raw_task_is_seen(source: str) -> None:
    assert list(raw_uses(parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "async def f():\n    async with asyncio.TaskGroup() as group: group.create_task(g())",
        "asyncio.run(main())",
        "asyncio.get_running_loop().run_in_executor(pool, f)",
        "from anyio import create_memory_object_stream",
    ],
)
def test_an_owned_task_is_allowed(source: str) -> None:
    assert not list(raw_uses(parse(source)))
