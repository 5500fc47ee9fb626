"""Parts of one medium, by time: only the stored parts are read that its decoder touches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from aiolake._aio import run_asking
from aiolake.chunks.assemble import Decode, batch_of
from aiolake.chunks.located import Located, Parted
from aiolake.chunks.parts import read_parts
from aiolake.chunks.read import ColumnReader
from aiolake.codecs.media.clips import AudioClip, Span, VideoClip, audio_clip, video_clip
from aiolake.codecs.media.files import MediaFile, RangedFile, WholeFile
from aiolake.errors import InvalidInputError
from aiolake.ranges import Ids
from aiolake.types import Audio, Video

__all__ = ["read_clip"]

_Clip: TypeAlias = VideoClip | AudioClip
_Cut: TypeAlias = Callable[[MediaFile, Span], _Clip]
_Ask: TypeAlias = Callable[[tuple[int, int]], bytes]


async def read_clip(reader: ColumnReader, id: Ids, span: Span) -> _Clip | None:
    """A part of one row's medium (``id`` is an array of one); ``None`` if the row is None.

    Raises:
        InvalidInputError: The column is of another type, or the part takes more than 4 GiB.
    """
    cut = _cut_of(reader)
    located = await reader.index.locate(id)
    parted = located.parted.get(0)
    if parted is not None:
        return await _read_parted(reader, located, parted, cut, span)
    payloads = await reader.fetcher.units(located.units, keep=True)
    data = batch_of(reader.codec, located, payloads, Decode.RAW)[0]
    return None if data is None else await reader.pool.run(cut, WholeFile(data), span)


def _cut_of(reader: ColumnReader) -> _Cut:
    match reader.column.type:
        case Video():
            return video_clip
        case Audio():
            return audio_clip
    raise InvalidInputError(
        f"column {reader.column.name!r} holds {reader.column.type!r}; clips are read of Video and "
        "Audio columns",
        column=reader.column.name,
    )


async def _read_parted(
    reader: ColumnReader, located: Located, parted: Parted, cut: _Cut, span: Span
) -> _Clip:
    """Of a medium in parts a thread asks for what its decoder touches, a whole part at least."""

    async def answer(wanted: tuple[int, int]) -> bytes:
        return await read_parts(reader.fetcher, located.units, parted, *wanted, keep=True)

    part_nbytes = int(located.units.length[parted.first])
    work = partial(_cut_ranges, parted.length, part_nbytes, cut, span)
    return await run_asking(reader.pool, work, answer)


def _cut_ranges(nbytes: int, part_nbytes: int, cut: _Cut, span: Span, ask: _Ask) -> _Clip:
    file = RangedFile(nbytes, part_nbytes, lambda start, stop: ask((start, stop)))
    try:
        return cut(file, span)
    finally:
        # What could not be read looks to a decoder like a file that ends there.
        file.check()
