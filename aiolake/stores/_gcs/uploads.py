"""How an object is sent, always in one request: by gcloud-aio-storage, or in pieces."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiolake._aio import Guard
from aiolake.credentials.values import BearerCredential, Credential
from aiolake.stores._gcs.bodies import metadata, multipart
from aiolake.stores._gcs.place import Place
from aiolake.stores.base import Buffer, total_nbytes
from aiolake.stores.network import Network
from aiolake.stores.transport.trust import trusted
from aiolake.stores.transport.values import Origin, Response

if TYPE_CHECKING:
    from aiolake.stores._gcs.vendor import Vendor

__all__ = ["VENDOR_NBYTES", "Uploads", "bearer"]

VENDOR_NBYTES = 1 << 20
"""gcloud-aio copies an object three times, in one callback: 1 ms for so much, 12 ms for a chunk of
16 MiB and 27 for one of 32. Larger ones go through the session's HTTP client, in the pieces they
come in."""


def bearer(credential: Credential) -> dict[str, str]:
    """The headers that show a credential, and whose quota the request counts against."""
    if isinstance(credential, BearerCredential):
        return {"Authorization": f"Bearer {credential.token}", **quota(credential)}
    return {}


def quota(credential: Credential) -> dict[str, str]:
    """The header that names a credential's quota project, if it has one.

    Source: https://cloud.google.com/storage/docs/xml-api/reference-headers (x-goog-user-project)
    """
    if isinstance(credential, BearerCredential) and credential.quota_project is not None:
        return {"x-goog-user-project": credential.quota_project}
    return {}


class Uploads:
    """What the stores of one endpoint share in a session; opens nothing until it is used.

    Args:
        origin: The server.
        base: What its paths begin with.
        network: The session's.
    """

    def __init__(self, origin: Origin, base: str, network: Network) -> None:
        self._origin = origin
        self._base = base
        self._network = network
        self._guard = Guard("the uploads of a session")
        self._vendor: Vendor | None = None

    async def send(
        self,
        place: Place,
        key: str,
        data: Sequence[Buffer],
        query: dict[str, str],
        credential: Credential,
    ) -> Response:
        """Upload an object; the answer, whatever its status.

        Args:
            place: Whose origin and base these are.
            key: The object.
            data: Its bytes, in pieces.
            query: Conditions, as ``Place.upload_query`` gives them.
            credential: To show.

        Raises:
            TransientStoreError: The connection failed; the object may be there or not.
        """
        self._guard.check()
        said = metadata(place.name(key), data)
        if total_nbytes(data) <= VENDOR_NBYTES:
            vendor = await self._loaded()
            body = b"".join(data)
            more = quota(credential)
            return await vendor.upload(place.bucket, said, body, query, more, credential)
        headers, parts = multipart(said, data)
        return await self._network.transport.send(
            self._origin, "POST", place.upload(query), {**headers, **bearer(credential)}, parts
        )

    async def _loaded(self) -> Vendor:
        """The vendor's library takes 130 ms to load, and the system's certificates 20: in a
        thread, when they are first needed."""
        if self._vendor is None:
            module = await asyncio.to_thread(_load, self._origin)
            self._guard.check()
            if self._vendor is None:
                self._vendor = module.Vendor(self._origin, self._base, self._network.options)
        vendor = self._vendor
        assert vendor is not None
        return vendor

    async def aclose(self) -> None:
        """Close the connections; idempotent, and nothing after a fork."""
        if self._guard.forked:
            return
        self._guard.close()
        vendor, self._vendor = self._vendor, None
        if vendor is not None:
            await vendor.aclose()


def _load(origin: Origin) -> Any:
    trusted(origin.tls)  # which remembers it
    return importlib.import_module("aiolake.stores._gcs.vendor")
