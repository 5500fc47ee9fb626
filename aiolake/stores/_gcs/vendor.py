"""Uploads by gcloud-aio-storage. Loaded when the first is sent, in a thread."""

from __future__ import annotations

from typing import Any

import aiohttp
from gcloud.aio.auth import Token
from gcloud.aio.storage import Storage

from aiolake.credentials.values import BearerCredential, Credential
from aiolake.options import Options
from aiolake.stores.transport.failures import connection_failure
from aiolake.stores.transport.trust import trusted
from aiolake.stores.transport.values import Origin, Response

__all__ = ["Vendor"]


class Vendor:
    """gcloud-aio-storage on one aiohttp session, used for one thing: multipart uploads.

    Args:
        origin: The server.
        base: What its paths begin with.
        options: Deadlines.
    """

    def __init__(self, origin: Origin, base: str, options: Options) -> None:
        self._origin = origin
        self._root = origin.url + base
        # Its default is 30 s in all; ours are those of every other request.
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=options.connect_timeout.total_seconds(),
            sock_read=options.stall_timeout.total_seconds(),
            ceil_threshold=3600,
        )
        self._session: Any = aiohttp.ClientSession(
            # The scheduler limits; idle connections are closed before the server does it.
            connector=aiohttp.TCPConnector(
                limit=0, ssl=trusted(origin.tls), keepalive_timeout=15.0
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
        )

    async def upload(
        self,
        bucket: str,
        metadata: dict[str, Any],
        data: bytes,
        query: dict[str, str],
        headers: dict[str, str],
        credential: Credential,
    ) -> Response:
        """Upload an object in one request, one attempt; the answer, whatever its status.

        Never resumable: that would be several requests, it retries a 412, and it can report
        success over an object of somebody else.

        Raises:
            TransientStoreError: The connection failed; the object may be there or not.
        """
        named = dict(metadata)
        try:
            answer = await self._storage(credential).upload(
                bucket,
                named.pop("name"),
                data,
                content_type=metadata["contentType"],
                parameters=dict(query),
                headers=dict(headers),
                metadata=named,
                force_resumable_upload=False,
                timeout=self._timeout,  # type: ignore[arg-type]  # its session takes either
            )
        except aiohttp.ClientResponseError as error:
            return _refused(error)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise connection_failure(error, self._origin, "POST") from error
        del answer
        return Response(200, {}, b"")

    def _storage(self, credential: Credential) -> Storage:
        """The vendor's client with the token of one request.

        It would send none to an endpoint that is not Google's own, but for ``api_is_dev=False``;
        and it would send its own token's for its own idea of that one's life.
        """
        if not isinstance(credential, BearerCredential):
            return Storage(
                session=self._session, token=_Leased(""), api_root=self._root, api_is_dev=True
            )
        return Storage(
            session=self._session,
            token=_Leased(credential.token),
            api_root=self._root,
            api_is_dev=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()


class _Leased(Token):
    """A token that is leased: whoever sends knows when it ends, and renews it."""

    def __init__(self, value: str) -> None:
        # Not the vendor's own, which reads files and the environment.
        self._value = value

    async def get(self) -> str:
        return self._value


def _refused(error: aiohttp.ClientResponseError) -> Response:
    """The vendor raises ``reason: body``."""
    _, _, body = error.message.partition(": ")
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return Response(error.status, headers, body.encode())
