"""What a column of links holds: the references themselves."""

from __future__ import annotations

import numpy as np

from aiolake.chunks.links import LinkReader
from aiolake.dataset.dataset import Dataset
from aiolake.dataset.select import Selector, one_position, positions
from aiolake.dataset.view import View
from aiolake.errors import InvalidInputError, NotFoundError
from aiolake.types import Reference

__all__ = ["references"]


async def references(
    of: Dataset | View, rows: Selector, column: str
) -> Reference | list[Reference | None] | None:
    """What rows of a column of links refer to; nothing outside is read, and none is needed.

    Args:
        of: An open dataset, or a view of it.
        rows: An index gives one reference, anything else a list; ``None`` for rows that are None.
        column: The column's name.

    Raises:
        InvalidInputError: It is no column of links.

    Cost: the manifest blocks touched.
    """
    view = of._view if isinstance(of, Dataset) else of
    if not isinstance(view, View):
        raise InvalidInputError(f"references() takes an open dataset or a view, got {of!r:.80}")
    view._guard.check()
    reader = view._state.reader.column(view._schema.select([column]).names[0])
    if not isinstance(reader, LinkReader):
        raise InvalidInputError(
            f"column {column!r} holds {reader.column.type!r}; only Link columns hold references",
            column=column,
        )
    one = one_position(rows, len(view))
    at = positions(rows, len(view)) if one is None else np.asarray([one], np.int64)
    try:
        found = await reader.references(view._rows.take(at))
    except NotFoundError as error:
        raise await view._core.explained(error, view.snapshot) from error
    return found if one is None else found[0]
