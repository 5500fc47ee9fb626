"""Every example runs: ``python`` blocks as scripts, ``$ aiolake`` lines as commands.

The blocks of one file share names and an empty directory, in order. ``await`` may stand outside a
function, as in ``python -m asyncio``.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aiolake.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent>[ ]*)```(?P<kind>\w+)\n(?P<body>.*?)^(?P=indent)```", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; ``line`` is that of its first line in the file."""

    kind: str
    body: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text that name a language."""
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("body")) + 1
        yield Block(found["kind"], textwrap.dedent(found["body"]), line)


def documents() -> list[Path]:
    """README.md and the pages of docs/, without the design notes: those show what may come."""
    notes = ROOT / "docs" / "design"
    pages = sorted(page for page in (ROOT / "docs").rglob("*.md") if notes not in page.parents)
    return [page for page in (ROOT / "README.md", *pages) if page.exists()]


def run_python(block: Block, path: Path, names: dict[str, Any], runner: asyncio.Runner) -> None:
    """Run a block; a traceback shows the line of the Markdown file."""
    source = "\n" * (block.line - 1) + block.body
    code = compile(source, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.iscoroutine(result):
        runner.run(result)


def run_console(block: Block) -> None:
    """Run each ``$ aiolake ...`` line of a block; it must succeed."""
    for line in block.body.splitlines():
        if line.startswith("$ aiolake "):
            with pytest.raises(SystemExit) as exited:
                main(shlex.split(line, comments=True)[2:])
            assert exited.value.code == 0, line


def run_document(path: Path) -> None:
    """Run all blocks of a file in the current directory."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for block in blocks(path.read_text(encoding="utf-8")):
            if block.kind == "python":
                run_python(block, path, names, runner)
            elif block.kind == "console":
                run_console(block)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_document(path)


def write(directory: Path, *bodies: str) -> Path:
    """A page with ``python`` blocks."""
    page = directory / "page.md"
    page.write_text("\n".join(f"Text.\n\n```python\n{body}\n```\n" for body in bodies))
    return page


def test_blocks_of_a_page_share_names_and_may_await(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    page = write(
        tmp_path,
        "import asyncio\nfrom pathlib import Path\nx = 1",
        "await asyncio.sleep(0)\nx += 1",
        f"Path({str(seen)!r}).write_text(str(x))",
    )
    run_document(page)
    assert seen.read_text() == "2"


def test_a_failing_example_names_its_line(tmp_path: Path) -> None:
    page = write(tmp_path, "x = 1", "assert x == 2")
    with pytest.raises(AssertionError) as caught:
        run_document(page)
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == (str(page), 10)
