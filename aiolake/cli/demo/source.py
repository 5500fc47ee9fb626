"""What the demo ingests: numbered rows, each made by a plain function in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aiolake.types import ColumnType

__all__ = ["Row", "Source"]

Row = dict[str, Any]


class Source(Protocol):
    """Pictures with labels."""

    @property
    def what(self) -> str:
        """What the rows are, for people: ``6,000 JPEG crops of 6 photographs``."""
        ...

    @property
    def making(self) -> str:
        """What is done for each row until it is committed, for people."""
        ...

    @property
    def schema(self) -> Mapping[str, ColumnType]:
        """The columns; there are ``image`` and ``label``."""
        ...

    def __len__(self) -> int: ...

    def row(self, i: int) -> Row:
        """Row ``i``; called in threads."""
        ...
