"""From an address to the store and log of what lies there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from aiolake import urls
from aiolake.chunks.fetch import Fetcher
from aiolake.chunks.follow import Follower
from aiolake.credentials.http_creds import with_query
from aiolake.dataset.links import Links
from aiolake.dataset.session import Borrowed, Session, borrow
from aiolake.dataset.state import Core
from aiolake.options import Options
from aiolake.stores.factory import load_store
from aiolake.versions.log import Log

__all__ = ["open_core", "with_core"]

T = TypeVar("T")


async def with_core(
    address: urls.Address,
    creds: Any,
    session: Session | None,
    options: Options | None,
    use: Callable[[Core, Borrowed], Coroutine[Any, Any, T]],
    links: tuple[str, ...] = (),
    link_creds: Mapping[str, Any] | None = None,
) -> T:
    """Open a store and a log, and close them again if ``use`` fails."""
    held = await borrow(session, options)
    core: Core | None = None
    try:
        await load_store(address.scheme)
        await asyncio.sleep(0)  # what comes from memory never waits, and an opening is long
        core = open_core(address, creds, held.session, options, links, link_creds)
        return await use(core, held)
    except BaseException:
        await (held.aclose() if core is None else held.aclose_after(core.store))
        raise


def open_core(
    address: urls.Address,
    creds: Any,
    session: Session,
    options: Options | None,
    links: tuple[str, ...] = (),
    link_creds: Mapping[str, Any] | None = None,
) -> Core:
    """A store and a log in a session.

    Args:
        address: Where.
        creds: The store's.
        session: Has the connections.
        options: Limits and sizes, if not the session's.
        links: Prefixes, from ``check_links``.
        link_creds: Credentials of objects outside, by the names references give.
    """
    chosen = options or session.options
    store = session._open_store(address, creds, chosen)
    log = Log(store, session._clock, chosen.commit_timeout, session._leave, session._pool.run)
    outside = Links(
        address.scheme,
        links,
        lambda root, secret: session._open_store(root, secret, chosen),
        link_creds,
    )
    return Core(
        url=str(address),
        session=session,
        store=store,
        log=log,
        fetcher=Fetcher(store, session._cache, session._disk),
        links=outside,
        follower=Follower(outside, session._cache),
        creds=with_query(creds, address.query),
    )
