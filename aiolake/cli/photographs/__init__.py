"""The few photographs that come with the package, for ``aiolake demo``; see ``SOURCES.md``."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["photographs"]


def photographs() -> list[Traversable]:
    """The JPEG files, by name; each has ``name`` and ``read_bytes()``."""
    found = (entry for entry in files(__name__).iterdir() if entry.name.endswith(".jpg"))
    return sorted(found, key=lambda entry: entry.name)
