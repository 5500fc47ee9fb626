"""What is public is named, documented, narrow, and says nothing on standard output."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

import pytest

import aiolake
from tests.architecture.source import Module, modules

FACADES = ("Dataset", "View", "Transaction", "Session", "Loader", "HubClient")
MAX_PUBLIC_NAMES = 23
"""About 20: ``Dataset`` may gain a name or two before it must lose one."""


def exported(module: Module) -> list[str] | None:
    """What the module lists in ``__all__``, or ``None`` where it has none."""
    for node in module.tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and "__all__" in _targets(node):
            assert node.value is not None
            return list(ast.literal_eval(node.value))
    return None


def _targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def defined(module: Module) -> set[str]:
    """Public classes and functions a module defines."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in module.tree.body if isinstance(node, kinds)}
    return {name for name in names if not name.startswith("_")}


def gathered(module: Module) -> set[str]:
    """Public names a package's ``__init__`` takes from ``aiolake``, for types only or not."""
    return {
        alias.asname or alias.name
        for node in _statements(module.tree.body)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiolake")
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    }


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _statements(node.body)


EXPORTING = [module for module in modules() if exported(module) is not None]


@pytest.mark.parametrize("module", EXPORTING, ids=lambda module: module.name)
def test_all_names_only_what_is_there(module: Module) -> None:
    names = exported(module) or []
    assert names == list(dict.fromkeys(names))
    loaded = importlib.import_module(module.name)
    assert [name for name in names if not hasattr(loaded, name)] == []


@pytest.mark.parametrize(
    "module", [module for module in EXPORTING if module.is_package], ids=lambda module: module.name
)
def test_all_of_a_package_is_exactly_what_is_public(module: Module) -> None:
    assert defined(module) | gathered(module) <= set(exported(module) or [])


def test_a_package_that_gathers_names_lists_them() -> None:
    found = [
        module.name
        for module in modules()
        if module.is_package and gathered(module) and exported(module) is None
    ]
    assert not found


def test_every_directory_of_modules_is_a_package() -> None:
    # import-linter does not see a directory without __init__.py, and so would not check it.
    directories = {module.path.parent for module in modules()}
    assert [str(d) for d in directories if not (d / "__init__.py").exists()] == []


def test_every_module_says_what_it_is() -> None:
    assert [m.name for m in modules() if not ast.get_docstring(m.tree)] == []


def test_only_the_command_line_prints() -> None:
    found = [
        module.at(node)
        for module in modules()
        if module.part not in ("cli", "hubserver")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id == "print"
    ]
    assert not found


def public_names(cls: type) -> list[str]:
    """What a user of the class sees, inherited names included."""
    return [name for name in dir(cls) if not name.startswith("_")]


def too_wide(classes: list[type]) -> list[str]:
    """The classes with more public names than a reader can hold."""
    counts = {cls.__name__: len(public_names(cls)) for cls in classes}
    return [f"{name}: {n} public names" for name, n in counts.items() if n > MAX_PUBLIC_NAMES]


def test_no_facade_becomes_a_city() -> None:
    assert not too_wide([getattr(aiolake, name) for name in FACADES if hasattr(aiolake, name)])


def test_a_city_is_seen() -> None:
    city = type("City", (), {f"street_{n}": n for n in range(MAX_PUBLIC_NAMES + 1)})
    assert too_wide([city]) == ["City: 24 public names"]
