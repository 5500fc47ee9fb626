"""Which objects outside a dataset may be read, decided by whoever opens it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from aiolake import urls
from aiolake.chunks.follow import Outside
from aiolake.credentials.http_creds import Linked
from aiolake.errors import InvalidInputError, PermissionDeniedError
from aiolake.format.manifest import Source
from aiolake.stores.scheduled import ScheduledStore
from aiolake.types import shown_url

__all__ = ["Allowed", "Links", "check_links"]

_WEB = ("http", "https")
_ONLY_FROM_ITS_OWN = ("mem", "file")
"""What means another thing to everybody: a dataset from elsewhere must not name it."""

OpenStore = Callable[[urls.Address, Any], ScheduledStore]


class Allowed(msgspec.Struct, frozen=True):
    """An object outside that may be read.

    Attributes:
        root: Of the store to read it by.
        key: Its key there.
        creds: The store's credentials.
    """

    root: urls.Address
    key: str
    creds: Any = None


def check_links(links: Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Prefixes as they are kept: canonical addresses, without a slash at the end.

    Raises:
        InvalidInputError: Not a sequence of addresses.
    """
    if isinstance(links, str | bytes | os.PathLike) or not isinstance(links, Sequence):
        raise InvalidInputError(f"links is a list of prefixes, as [{links!r:.100}]; got no list")
    return tuple(str(urls.parse(link)) for link in links)


def allowed(
    source: Source, scheme: str, prefixes: Sequence[urls.Address], creds: Mapping[str, Any]
) -> Allowed:
    """How an object may be read.

    Args:
        source: The object.
        scheme: The dataset's own.
        prefixes: Where references may be followed to.
        creds: Credentials by the names references give.

    Raises:
        PermissionDeniedError: It may not.
    """
    address = _address(source)
    if address.scheme in _ONLY_FROM_ITS_OWN and address.scheme != scheme:
        raise _denied(source, f"{address.scheme}: is followed from {address.scheme}: datasets only")
    named = source.creds_key
    if named is not None and named in creds and _goes_anywhere(address.scheme, creds[named]):
        origin, _, key = address.path.lstrip("/").partition("/")
        secret = creds[named]
        if address.scheme in _WEB:
            secret = Linked(secret, public_only=True)
        return Allowed(urls.Address(address.scheme, origin), key, secret)
    inside = [prefix for prefix in prefixes if _holds(prefix, address)]
    if not inside:
        parent = str(_parent(address)) + "/"
        raise _denied(source, f"open the dataset with links=[{parent!r}]", prefix=parent)
    root = max(inside, key=lambda prefix: len(prefix.path))
    if root.path == address.path:
        root = _parent(address)
    key = address.path[len(root.path.rstrip("/")) + 1 :]
    return Allowed(root, key, _creds_within(root.scheme, named, creds))


def _goes_anywhere(scheme: str, creds: Any) -> bool:
    """Whether a credential may be used wherever a dataset points: a signature is of no use to who
    gets it; a token or password of the web is, so its hosts must be named by the opener too.
    """
    if scheme in _WEB:
        return creds is None or creds == "anonymous"
    return scheme not in _ONLY_FROM_ITS_OWN


def _creds_within(scheme: str, named: str | None, creds: Mapping[str, Any]) -> Any:
    """What is shown under a prefix: never the credentials that happen to be around, for they are
    not the dataset's to use.
    """
    if scheme in _ONLY_FROM_ITS_OWN:
        return None
    if scheme in _WEB:
        return Linked("anonymous" if named is None else creds.get(named, "anonymous"))
    return "anonymous"


def _address(source: Source) -> urls.Address:
    """The address a stored reference names: it was checked when it was written, by whomever."""
    try:
        return urls.parse_link(source.url)
    except InvalidInputError as error:
        raise _denied(source, error.message) from error


def _holds(prefix: urls.Address, address: urls.Address) -> bool:
    """Whether a prefix, which ends at a boundary of the path, is the object's."""
    if prefix.scheme != address.scheme:
        return False
    return address.path == prefix.path or address.path.startswith(prefix.path.rstrip("/") + "/")


def _parent(address: urls.Address) -> urls.Address:
    path = address.path.partition("?")[0].rpartition("/")[0]
    return urls.Address(address.scheme, path or ("/" if address.scheme == "file" else address.path))


def _denied(source: Source, advice: str, **context: Any) -> PermissionDeniedError:
    url = shown_url(source.url)
    return PermissionDeniedError(
        f"refers to {url}, which this handle may not follow: {advice}", url=url, **context
    )


class Links:
    """Resolves references for one open dataset; a store for each prefix, opened once.

    Args:
        scheme: The dataset's own.
        prefixes: From ``check_links``.
        open_store: Opens a store in the dataset's session.
        creds: Credentials by the names references give.

    Raises:
        InvalidInputError: ``creds`` is no dict.
    """

    def __init__(
        self,
        scheme: str,
        prefixes: tuple[str, ...],
        open_store: OpenStore,
        creds: Mapping[str, Any] | None = None,
    ) -> None:
        self.prefixes = prefixes
        if creds is not None and not isinstance(creds, Mapping):
            raise InvalidInputError(
                "link_creds is a dict of credentials by the names that references give, as "
                f"{{'team': {{'profile_name': 'images'}}}}; got {type(creds).__name__}"
            )
        self.creds: Mapping[str, Any] | None = dict(creds) if creds else None
        self._scheme = scheme
        self._roots = tuple(urls.parse(prefix) for prefix in prefixes)
        self._open_store = open_store
        self._creds = self.creds or {}
        self._stores: dict[tuple[urls.Address, str | None], ScheduledStore] = {}

    def resolve(self, source: Source) -> Outside:
        """Where to read an object.

        Raises:
            PermissionDeniedError: It may not be followed.
        """
        found = allowed(source, self._scheme, self._roots, self._creds)
        slot = found.root, source.creds_key if source.creds_key in self._creds else None
        store = self._stores.get(slot)
        if store is None:
            store = self._stores[slot] = self._open_store(found.root, found.creds)
        return Outside(store, found.key)

    async def aclose(self) -> None:
        """Close its stores."""
        stores, self._stores = self._stores, {}
        async with AsyncExitStack() as closing:
            for store in stores.values():
                closing.push_async_callback(store.aclose)
