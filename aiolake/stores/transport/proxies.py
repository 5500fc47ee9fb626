"""Which proxy the environment names for a server."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from aiolake.stores.transport.values import Origin

__all__ = ["proxy_of"]


def proxy_of(origin: Origin) -> str | None:
    """What ``http_proxy`` or ``https_proxy`` says, unless ``no_proxy`` excepts the server.

    Behind a proxy nobody knows the address of the server, so what a dataset names is asked directly
    (``Origin.public_only``).
    """
    if origin.public_only:
        return None
    named = getproxies().get(origin.scheme)
    return None if named is None or proxy_bypass(origin.host) else named
