"""Where a bucket is: its server, the path before its keys, and its region. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from aiolake.stores._s3.signing import encoded_path
from aiolake.stores.transport.values import Origin

__all__ = ["Place", "place_at"]


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and how to get there.

    Attributes:
        bucket: Its name.
        origin: The server.
        path: What stands before keys: ``""``, or ``/bucket`` in path style; encoded.
        region: Signatures name it.
    """

    bucket: str
    origin: Origin
    path: str
    region: str

    def target(self, key: str) -> str:
        """The encoded path of an object."""
        return f"{self.path}/{encoded_path(key)}"

    @property
    def server(self) -> str:
        """The server, whether buckets are hosts of their own there or paths."""
        host = self.origin.host.removeprefix(f"{self.bucket}.")
        return msgspec.structs.replace(self.origin, host=host).url

    @property
    def bucket_target(self) -> str:
        """The encoded path of the bucket."""
        return self.path or "/"


def place_at(origin: Origin, base: str, bucket: str, region: str, style: str) -> Place:
    """A bucket of a server that was named.

    Args:
        origin: The server.
        base: The path of ``endpoint_url``, without a slash at its end.
        bucket: The bucket.
        region: Of the store.
        style: ``path``, or ``virtual`` where names of buckets are names of hosts.
    """
    if style != "virtual":
        return Place(bucket, origin, f"{base}/{encoded_path(bucket)}", region)
    return Place(
        bucket, msgspec.structs.replace(origin, host=f"{bucket}.{origin.host}"), base, region
    )
