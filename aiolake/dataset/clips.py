"""Parts of videos and sounds, by time."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

import numpy as np

from aiolake.dataset.dataset import Dataset
from aiolake.dataset.select import one_position
from aiolake.dataset.view import View
from aiolake.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from aiolake.codecs.media.clips import AudioClip, VideoClip

__all__ = ["read_clip"]

_LONGEST_S = 1e9
"""No medium is as long, and in the finest unit of time it is a number FFmpeg can hold."""


async def read_clip(
    dataset: Dataset | View,
    row: SupportsIndex,
    column: str,
    start: float | timedelta = 0.0,
    stop: float | timedelta | None = None,
) -> VideoClip | AudioClip | None:
    """The frames or samples of one row whose time lies in ``[start, stop)``.

    Time is counted from the medium's first frame or sample, in seconds, and compared to the
    microsecond. Past the end is cut. Frames are what ``read`` gives, exactly; so are samples, but
    for compressed sound in MP4 and MP3, where they differ by less than one can hear.

    Args:
        dataset: An open dataset, or a view of one.
        row: An index.
        column: A ``Video`` or ``Audio`` column.
        start: Seconds, or a ``timedelta``.
        stop: Likewise; ``None`` is the end.

    Returns:
        A ``VideoClip`` (frames, times, rate) or an ``AudioClip`` (samples, start, sample_rate);
        ``None`` if the row is None.

    Raises:
        InvalidInputError: Another column type, a negative or reversed time, or more than 4 GiB.
        FormatError: The medium does not decode.
        MissingExtraError: PyAV or soundfile is not installed.

    Cancellation: nothing is left behind; decoding that has begun ends on its own.
    Cost: as ``read``; of a medium larger than 8 MiB one GET for each 1 to 8 MiB that its decoder
        touches: the index, and the part, from the key frame before it. A thread of the session is
        occupied meanwhile. Of Vorbis, of sound in other than WAV, FLAC, AIFF, Ogg, MP4 and MP3, and
        of AVI whose frames are stored out of order, all that is before the part is decoded too.
    """
    view = dataset._view if isinstance(dataset, Dataset) else dataset
    if not isinstance(view, View):
        raise InvalidInputError(f"read_clip() takes an open dataset or a view, got {dataset!r:.80}")
    view._guard.check()
    begin, end = _seconds(start, "start"), math.inf if stop is None else _seconds(stop, "stop")
    if not 0 <= begin <= end:
        raise InvalidInputError(f"{start!r}..{stop!r} is no time: it begins at 0, and ends later")
    reader = view._state.reader.column(view.schema.select([column]).names[0])
    one = one_position(row, len(view))
    if one is None:
        raise InvalidInputError(f"read_clip reads one row, got {row!r}")
    # Only here, since the clips of a dataset without media need not be loaded.
    from aiolake.chunks import clip
    from aiolake.codecs.media.clips import Span

    id = np.asarray([view._rows.at(one)], np.int64)
    try:
        return await clip.read_clip(reader, id, Span(begin, end))
    except NotFoundError as error:
        raise await view._core.explained(error, view.snapshot) from error


def _seconds(value: object, name: str) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, SupportsFloat) and not isinstance(value, str | bool | np.bool_):
        seconds = float(value)
        if math.isfinite(seconds):
            return min(seconds, _LONGEST_S)
    raise InvalidInputError(f"{name} is in seconds, or a timedelta; got {value!r}")
