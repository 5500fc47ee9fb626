"""Following references to objects outside a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np

from aiolake._aio import SingleFlight, map_concurrently
from aiolake.chunks.cache import MemoryCache
from aiolake.chunks.plan import Fetch, Units, coalesce
from aiolake.errors import (
    CorruptDataError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from aiolake.format.manifest import Source
from aiolake.stores.base import Buffer, CostModel
from aiolake.stores.scheduled import ScheduledStore
from aiolake.types import shown_url

__all__ = ["Follower", "Outside", "Resolver"]

Where = Callable[[int], tuple[str, dict[str, object]]]
"""What a unit is to its reader: words for messages, and facts for handlers."""


class Outside(msgspec.Struct, frozen=True, eq=False):
    """An object outside: the store it is read by, and its key there."""

    store: ScheduledStore
    key: str


class Resolver(Protocol):
    """Says which objects outside may be read, and how."""

    def resolve(self, source: Source) -> Outside:
        """Where to read an object.

        Raises:
            PermissionDeniedError: Whoever opened the dataset did not allow it.
        """
        ...


class Follower:
    """Reads what references point to.

    Args:
        resolver: Decides what may be followed.
        cache: Where payloads of known etag are kept.
    """

    def __init__(self, resolver: Resolver, cache: MemoryCache) -> None:
        self._resolver = resolver
        self._cache = cache
        self._flights: SingleFlight[tuple[Source, int, int | None], Buffer] = SingleFlight()

    async def units(
        self,
        sources: Sequence[Source],
        units: Units,
        where: Where,
        *,
        keep: bool,
        may_end: bool = False,
    ) -> list[Buffer]:
        """The bytes of each unit; those of length -1 to their object's end.

        Args:
            sources: What ``units.key`` is an index of.
            units: What to read; neighbours in one object are read together.
            where: Names a unit in errors.
            keep: Whether payloads may stay in the cache.
            may_end: An object that ends within a unit is no error.

        Raises:
            PermissionDeniedError: A reference may not be followed.
            NotFoundError: An object is missing.
            CorruptDataError: An object has another etag than the reference says, or is shorter.
        """
        outside = self._resolved(sources, units, where)
        out: list[Buffer] = [b""] * len(units)
        lengths = units.length.copy()
        for u in range(len(units)):
            found = self._cache.get(_slot(sources, units, u))
            if found is not None:
                out[u], lengths[u] = found, 0
        keys = tuple(map(str, range(len(sources))))
        missing = Units(keys, units.key, units.start, lengths, units.crc)
        whole = np.flatnonzero(lengths < 0).tolist()
        fetches = [
            *coalesce(missing, _cost([each for each in outside if each is not None])),
            *(Fetch(keys[int(units.key[u])], int(units.start[u]), -1, (u,)) for u in whole),
        ]

        async def take(fetch: Fetch) -> None:
            source, at = sources[int(fetch.key)], outside[int(fetch.key)]
            assert at is not None
            data = memoryview(await self._fetch(source, at, fetch, where))
            for u in fetch.units:
                start = int(units.start[u]) - fetch.start
                stop = len(data) if fetch.stop < 0 else start + int(units.length[u])
                if stop > len(data) and not may_end:
                    raise _shorter(source, fetch.start + len(data), units, u, where)
                out[u] = data if len(fetch.units) == 1 else bytes(data[start:stop])
                if keep and source.etag is not None:
                    owned = out[u] = bytes(out[u])
                    self._cache.put(_slot(sources, units, u), owned, len(owned))

        await map_concurrently(take, fetches)
        return out

    def _resolved(
        self, sources: Sequence[Source], units: Units, where: Where
    ) -> list[Outside | None]:
        """How to read each source that a unit needs; all are asked for before anything is read."""
        found: list[Outside | None] = [None] * len(sources)
        for number in np.unique(units.key).tolist():
            try:
                found[number] = self._resolver.resolve(sources[number])
            except PermissionDeniedError as error:
                unit = int(np.flatnonzero(units.key == number)[0])
                words, facts = where(unit)
                message = f"{words} {error.message}"
                raise PermissionDeniedError(message, **{**error.context, **facts}) from error
        return found

    async def _fetch(self, source: Source, at: Outside, fetch: Fetch, where: Where) -> Buffer:
        """A range of an object, by one request however many want it at once."""
        stop = None if fetch.stop < 0 else fetch.stop
        words, facts = where(fetch.units[0])
        try:
            return await self._flights.do(
                (source, fetch.start, stop), lambda: _read(source, at, fetch.start, stop)
            )
        except NotFoundError as error:
            url = shown_url(source.url)
            message = (
                f"{words} refers to {url}, where there is no object; put it back, or update the row"
            )
            raise NotFoundError(message, url=url, **facts) from error
        except (PermissionDeniedError, InvalidInputError) as error:
            url = shown_url(source.url)
            message = f"{words} refers to {url}, which was refused: {error.message}"
            raise type(error)(message, url=url, **facts) from error
        except _ChangedError as error:
            url = shown_url(source.url)
            raise CorruptDataError(
                f"{words} refers to {url} while its etag is {source.etag!r}, and it has another "
                "now: the object was changed; update the row, or restore the object",
                url=url,
                etag=source.etag,
                **facts,
            ) from error


class _ChangedError(Exception):
    pass


async def _read(source: Source, at: Outside, start: int, stop: int | None) -> Buffer:
    if source.etag is not None:
        data = await at.store.get_matching(at.key, start, stop, source.etag)
        if data is None:
            raise _ChangedError
        return data
    if stop is not None:
        return await at.store.get_range(at.key, start, stop)
    if start == 0:
        return await at.store.get(at.key)
    size = (await at.store.head(at.key)).size
    return await at.store.get_range(at.key, start, max(start, size))


def _shorter(source: Source, end: int, units: Units, u: int, where: Where) -> CorruptDataError:
    words, facts = where(u)
    url, start = shown_url(source.url), int(units.start[u])
    stop = start + int(units.length[u])
    return CorruptDataError(
        f"{words} refers to bytes {start}..{stop} of {url}, which ends at byte {end}: the object "
        "was changed; update the row, or restore the object",
        url=url,
        start=start,
        stop=stop,
        **facts,
    )


def _slot(sources: Sequence[Source], units: Units, u: int) -> tuple[Source, int, int]:
    return sources[int(units.key[u])], int(units.start[u]), int(units.length[u])


def _cost(outside: Sequence[Outside]) -> CostModel:
    """Of one plan over several stores: the most careful of theirs."""
    costs = [each.store.cost for each in outside]
    gap = min((cost.gap_bytes for cost in costs), default=0)
    longest = min((cost.max_range_bytes for cost in costs), default=1)
    return CostModel(gap, longest)
