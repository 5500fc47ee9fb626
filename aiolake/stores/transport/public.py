"""Which addresses anybody may be led to. Pure."""

from __future__ import annotations

import ipaddress

__all__ = ["is_public"]


def is_public(address: str) -> bool:
    """Whether an address is neither private, nor of this machine, nor local to its network.

    Raises:
        ValueError: It is no address but a name.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not found.is_multicast
