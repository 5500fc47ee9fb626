"""From an address to its store; providers are loaded when first asked for."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from aiolake.errors import InvalidInputError
from aiolake.options import Options
from aiolake.stores.base import Store
from aiolake.stores.network import Network
from aiolake.urls import Address

__all__ = ["open_store"]

Opener = Callable[[Address, Any, Options, Network | None], Store]

_OPENERS = {
    "mem": "aiolake.stores.factory:open_memory",
    "file": "aiolake.stores.factory:open_local",
    "s3": "aiolake.stores.s3:open_s3",
    "gcs": "aiolake.stores.gcs:open_gcs",
    "az": "aiolake.stores.azure:open_azure",
    "http": "aiolake.stores.http:open_http",
    "https": "aiolake.stores.http:open_http",
}
_LOCAL = ("mem", "file")
_TRANSPORT = "aiolake.stores.transport.client"


def open_store(
    address: Address,
    *,
    creds: Any = None,
    options: Options | None = None,
    network: Network | None = None,
) -> Store:
    """The store at an address; nothing is read or connected yet.

    Args:
        address: From ``urls.parse``.
        creds: What its provider understands; ``mem`` and ``file`` take none.
        options: Limits and durability.
        network: Whose connections and credentials it uses; ``mem`` and ``file`` need none.

    Raises:
        InvalidInputError: The scheme is not available, or ``creds`` make no sense there.
        MissingExtraError: The provider's packages are not installed.
    """
    name = _OPENERS.get(address.scheme)
    if name is None:
        known = ", ".join(f"{scheme}://" for scheme in _OPENERS)
        raise InvalidInputError(
            f"{address.scheme}:// is not available in this release yet; available are {known}",
            scheme=address.scheme,
        )
    if network is None and address.scheme not in _LOCAL:
        raise InvalidInputError(
            f"{address.scheme}:// needs network=, whose connections it uses; a session has one",
            scheme=address.scheme,
        )
    module, _, function = name.partition(":")
    opener: Opener = getattr(import_module(module), function)
    return opener(address, creds, options if options is not None else Options(), network)


async def load_store(scheme: str) -> None:
    """Load what opens a scheme, in a thread: packages take longer than a loop may wait.

    Opening loads it too, where it is not loaded yet.
    """
    name = _OPENERS.get(scheme)
    if name is None or scheme in _LOCAL:
        return
    module = name.partition(":")[0]
    wanted = [each for each in (module, _TRANSPORT) if each not in sys.modules]
    for each in wanted:
        # A package that is missing is named when the store is opened.
        with contextlib.suppress(ImportError):
            await asyncio.to_thread(import_module, each)


def open_memory(address: Address, creds: Any, options: Options, network: Network | None) -> Store:
    """A named root of this process's memory."""
    from aiolake.stores.memory import MemoryStore

    _refuse_creds(address, creds)
    return MemoryStore.named(address.path)


def open_local(address: Address, creds: Any, options: Options, network: Network | None) -> Store:
    """A directory."""
    from aiolake.stores.local import LocalStore

    _refuse_creds(address, creds)
    return LocalStore(address.path, durability=options.durability)


def _refuse_creds(address: Address, creds: Any) -> None:
    if creds is not None:
        raise InvalidInputError(
            f"{address} is of this machine, and needs no credentials; leave creds= out, or write "
            "the cloud's address: s3://bucket/prefix, gcs://bucket/prefix, "
            "az://account/container/prefix",
            scheme=address.scheme,
        )
