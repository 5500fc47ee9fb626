"""The package's source as trees, for the tests beside this file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "aiolake"


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package; ``name`` is dotted, without ``.__init__``."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        """The part of the package it belongs to: ``stores``, ``urls``, or ``aiolake`` itself."""
        return self.name.split(".")[1] if "." in self.name else self.name

    @property
    def is_package(self) -> bool:
        """Whether this is an ``__init__.py``."""
        return self.path.name == "__init__.py"

    def at(self, node: ast.expr | ast.stmt) -> str:
        """Where a node is, as ``file:line``."""
        return f"{self.path.relative_to(ROOT)}:{node.lineno}"


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, by name."""
    return tuple(sorted(map(_read, PACKAGE.rglob("*.py")), key=lambda module: module.name))


def _read(path: Path) -> Module:
    dotted = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    return Module(dotted.removesuffix(".__init__"), path, parse(path.read_text(encoding="utf-8")))


def parse(text: str) -> ast.Module:
    """Python source as a tree."""
    return ast.parse(text)


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Every absolute name imported anywhere in a tree: ``a.b`` and, for ``from a import b``, too.

    Imports under ``if TYPE_CHECKING`` count: what a part must not know, it must not name.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
