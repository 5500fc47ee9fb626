"""Many pages of short values at once: what Python would do page by page is done for all of them.

Only of pages without Nones, which is most of them; entries of one row may be among them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aiolake.errors import FormatError

__all__ = ["cut_bytes", "cut_text", "pick_rows", "split_pages"]

Ends: TypeAlias = npt.NDArray[np.int64]

_END = struct.Struct("<H")
_ENDS = struct.Struct("<HH")


def split_pages(pages: Sequence[bytes], n_rows: Ends) -> tuple[bytes, Ends]:
    """The values of all pages one after another, and where each ends.

    Args:
        pages: Not compressed. One of a single row is that row's bytes.
        n_rows: (pages,) rows of each, at least 1.

    Raises:
        FormatError: A page is not as long as its own table says.
    """
    heads = np.where(n_rows > 1, _END.size * n_rows, 0)
    lengths = np.fromiter(map(len, pages), np.int64, len(pages)) - heads
    if lengths.min(initial=0) < 0:
        raise FormatError("a page of short values is shorter than its table")
    stops = np.empty(int(n_rows.sum()), np.int64)
    of_pages = np.repeat(n_rows > 1, n_rows)
    at = heads.tolist()
    tables = b"".join([page[:head] for page, head in zip(pages, at, strict=True)])
    stops[of_pages] = np.frombuffer(tables, "<u2")
    stops[~of_pages] = lengths[n_rows == 1]
    if (stops[np.cumsum(n_rows) - 1] != lengths).any():
        raise FormatError("a page of short values is not as long as its table says")
    stops += np.repeat(np.cumsum(lengths) - lengths, n_rows)
    if (stops[1:] < stops[:-1]).any():
        raise FormatError("the values of a page overlap")
    return b"".join([page[head:] for page, head in zip(pages, at, strict=True)]), stops


def cut_bytes(content: bytes, stops: Ends) -> list[bytes]:
    """The values that end there."""
    return [content[start:stop] for start, stop in pairwise((0, *stops.tolist()))]


def cut_text(content: bytes, stops: Ends) -> list[str]:
    """The texts that end there, decoded together.

    Raises:
        FormatError: One is not UTF-8.
    """
    if content.isascii():
        text = str(content, "ascii")
    else:
        text, stops = _decoded(content, stops)
    return [text[start:stop] for start, stop in pairwise((0, *stops.tolist()))]


def _decoded(content: bytes, stops: Ends) -> tuple[str, Ends]:
    """All of it as one text, and where the values end counted in characters."""
    try:
        text = str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"a stored text is not UTF-8: {error}") from error
    begins = (np.frombuffer(content, np.uint8) & 0xC0) != 0x80
    # Together they may be UTF-8 where one of them ends within a character.
    if not begins[stops[stops < len(content)]].all():
        raise FormatError("a stored text is not UTF-8: it ends within a character")
    n_before = np.zeros(len(content) + 1, np.int32)
    np.cumsum(begins, out=n_before[1:])
    found: Any = n_before[stops]
    return text, found


def pick_rows(
    pages: Sequence[bytes], n_rows: Sequence[int], of: Sequence[int], rows: Sequence[int]
) -> list[bytes]:
    """A few values: for each the page it lies in, ``of``, and its place there.

    Raises:
        FormatError: A page is not as long as its own table says.
    """
    return [_pick(pages[page], n_rows[page], row) for page, row in zip(of, rows, strict=True)]


def _pick(page: bytes, n_rows: int, row: int) -> bytes:
    if n_rows == 1:
        return page
    head = _END.size * n_rows
    if head > len(page):
        raise FormatError(f"a page of {n_rows} short values is {len(page)} bytes long")
    start, stop = _ENDS.unpack_from(page, _END.size * (row - 1)) if row else (0, _first(page))
    (last,) = _END.unpack_from(page, head - _END.size)
    if head + last != len(page):
        raise FormatError(f"a page of {n_rows} values of {last} bytes is {len(page)} bytes long")
    if not start <= stop <= last:
        raise FormatError("the values of a page overlap")
    return page[head + start : head + stop]


def _first(page: bytes) -> int:
    (stop,) = _END.unpack_from(page)
    return int(stop)
