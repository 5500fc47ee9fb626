"""What commands print: tables and progress on a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from aiolake.shown import table as text_table

__all__ = ["Output", "Progress", "is_terminal"]

_PLAIN_EVERY_S = 10.0


class Progress(Protocol):
    """Says how far some work is."""

    def advance(self, n: int) -> None:
        """``n`` more are done."""
        ...

    def at(self, n: int, total: int | None = None, label: str | None = None) -> None:
        """``n`` are done in all; of how many, and what is being done now, if that is new."""
        ...


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at a stream."""
    return stream is not None and bool(stream.isatty())


class Output:
    """Where a command prints to; a JSON document leaves no room for other lines.

    Args:
        as_json: Lines and tables are left out, ``document`` is printed.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """One line for people."""
        if not self.as_json:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """One line beside the result, on standard error."""
        print(text, file=sys.stderr, flush=True)

    def document(self, value: Any) -> None:
        """The result for programs, printed only where ``--json`` was given."""
        if self.as_json:
            print(json_text(value), flush=True)

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()
    ) -> None:
        """Rows under a header; the columns named in ``right`` are aligned to the right."""
        if self.as_json:
            return
        if is_terminal(sys.stdout):
            _print_rich(header, rows, right)
            return
        print(text_table(header, rows, right), flush=True)

    @contextmanager
    def progress(self, label: str, total: int | None, unit: str) -> Iterator[Progress]:
        """Progress of long work, on standard error: a bar on a terminal, else a line every ten
        seconds; nothing beside a document.

        Args:
            label: What is being done.
            total: How many there are, if that is known.
            unit: ``"rows"``, or ``"bytes"``, which are shown in MB.
        """
        if self.as_json:
            yield _Silence()
        elif is_terminal(sys.stderr):
            with _bar(label, total, unit) as bar:
                yield bar
        else:
            yield _Lines(label, total, unit)


def json_text(value: Any) -> str:
    """A JSON document; of a list one line for each of its values."""
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    lines = (json.dumps(inner, ensure_ascii=False, allow_nan=False) for inner in value)
    return "[" + ",\n ".join(lines) + "]"


def _print_rich(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(
            Text(name), justify="right" if name in right else "left", overflow="ellipsis"
        )
    for row in rows:
        table.add_row(*map(Text, row))
    Console(file=sys.stdout).print(table)


class _Silence:
    def advance(self, n: int) -> None:
        pass

    def at(self, n: int, total: int | None = None, label: str | None = None) -> None:
        pass


class _Lines:
    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._n = 0
        self._printed = time.monotonic()

    def advance(self, n: int) -> None:
        self.at(self._n + n)

    def at(self, n: int, total: int | None = None, label: str | None = None) -> None:
        self._n, self._label = n, label or self._label
        self._total = self._total if total is None else total
        now = time.monotonic()
        if now - self._printed >= _PLAIN_EVERY_S:
            self._printed = now
            print(self._text(), file=sys.stderr, flush=True)

    def _text(self) -> str:
        of = "" if self._total is None else f" of {_amount(self._total, self._unit)}"
        return f"{self._label}: {_amount(self._n, self._unit)}{of} {self._unit}"


def _amount(n: int, unit: str) -> str:
    return f"{n / 1e6:,.1f} million" if unit == "bytes" else f"{n:,}"


class _Bar:
    def __init__(self, progress: Any, task: Any) -> None:
        self._progress = progress
        self._task = task

    def advance(self, n: int) -> None:
        self._progress.advance(self._task, n)

    def at(self, n: int, total: int | None = None, label: str | None = None) -> None:
        self._progress.update(self._task, completed=n, total=total, description=label)


@contextmanager
def _bar(label: str, total: int | None, unit: str) -> Iterator[_Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    text = TextColumn("{task.description}", markup=False)
    console = Console(file=sys.stderr)
    with RichProgress(text, BarColumn(), amount, console=console, transient=True) as progress:
        yield _Bar(progress, progress.add_task(label, total=total))
