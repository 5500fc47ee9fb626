"""Requests on their way: signed with a leased credential, sent, and refused in words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import partial

import msgspec

from aiolake.credentials.lease import Lease
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    BearerCredential,
    Credential,
    SasCredential,
)
from aiolake.errors import AiolakeError, InvalidInputError, TransientStoreError
from aiolake.stores._azure.answers import Answer, read_answer
from aiolake.stores._azure.place import Place, target
from aiolake.stores._azure.refusals import Asked, is_misdated, refusal
from aiolake.stores._azure.signing import Pairs, shared_key
from aiolake.stores.base import Begun, Buffer, total_nbytes
from aiolake.stores.leased import send_leased
from aiolake.stores.network import Network
from aiolake.stores.transport.failures import innermost
from aiolake.stores.transport.lane.head import request_bytes
from aiolake.stores.transport.values import Response

__all__ = ["VERSION", "Request", "Wire"]

VERSION = "2021-12-02"
"""Of the service's protocol, ``x-ms-version``: an old one that has all that is used here (listings
encode names that XML has no characters for since 2021-02-12), so that most servers know it."""


class Request(msgspec.Struct, frozen=True):
    """A request without its credential.

    Attributes:
        method: Of HTTP.
        path: Encoded.
        query: Not encoded.
        headers: Besides version, date and authorization; lower-case names.
        accepts: The statuses that answer it; others are refusals.
        body: In pieces.
    """

    method: str
    path: str
    query: Pairs = ()
    headers: Mapping[str, str] = {}
    accepts: tuple[int, ...] = (200,)
    body: Sequence[Buffer] = ()


class Wire:
    """Sends the requests of one store.

    Args:
        place: Where.
        lease: Of the credential.
        network: Whose connections are used.
    """

    def __init__(self, place: Place, lease: Lease, network: Network) -> None:
        self.lease = lease
        self._place = place
        self._network = network
        self._date = (0, "")

    async def send(self, asked: Asked, request: Request) -> Response:
        """An answer that the request accepts; once more where a credential had expired.

        Raises:
            AiolakeError: What the refusal means; see ``refusals``.
            TransientStoreError: No answer came.
        """
        return await send_leased(self.lease, partial(self._attempt, asked, request))

    def begin(
        self, requests: Sequence[Request], done: Callable[[int, Response | None], None]
    ) -> Begun | None:
        """Send GETs at once; see ``Transport.begin``."""
        credential, origin = self.lease.current(), self._place.origin
        if credential is None:
            return None
        now, authority = self.lease.now(), origin.authority

        def whole(request: Request) -> bytes:
            headers, signature = self._authorized(request, credential, now)
            there = target(request.path, request.query, signature)
            return request_bytes("GET", there, authority, headers)

        return self._network.transport.begin(origin, "GET", map(whole, requests), done)

    def refused(self, asked: Asked, answer: Answer) -> AiolakeError:
        """The error for an answer that the request accepts and the verb does not."""
        return refusal(asked, answer, AnonymousCredential(), self.lease.source)

    async def _attempt(self, asked: Asked, request: Request, credential: Credential) -> Response:
        signed_at = self.lease.now()
        response = await self._dispatch(asked, request, credential, signed_at)
        if response.status in request.accepts:
            self.lease.saw_answer(credential, response.headers.get("date"))
            return response
        answer = read_answer(response.status, response.headers, response.body)
        if answer.status in (401, 403):
            self.lease.saw_date(response.headers.get("date"))
            if is_misdated(answer, credential, self.lease.now() - signed_at):
                response = await self._dispatch(asked, request, credential, self.lease.now())
                if response.status in request.accepts:
                    return response
                answer = read_answer(response.status, response.headers, response.body)
        raise refusal(asked, answer, credential, self.lease.source)

    async def _dispatch(
        self, asked: Asked, request: Request, credential: Credential, now: datetime
    ) -> Response:
        place = self._place
        headers, signature = self._authorized(request, credential, now)
        try:
            return await self._network.transport.send(
                place.origin,
                request.method,
                target(request.path, request.query, signature),
                headers,
                request.body,
            )
        except TransientStoreError as error:
            if isinstance(innermost(error), socket.gaierror):
                raise self._no_host(asked) from error
            raise

    def _authorized(
        self, request: Request, credential: Credential, now: datetime
    ) -> tuple[dict[str, str], str]:
        """All headers, and the signature that joins the query."""
        headers = {"x-ms-version": VERSION, "x-ms-date": self._http_date(now), **request.headers}
        if isinstance(credential, AccountKeyCredential):
            signed = headers
            if request.body:
                signed = {**headers, "content-length": str(total_nbytes(request.body))}
            headers["authorization"] = shared_key(
                credential.account_name,
                credential.account_key,
                request.method,
                request.path,
                request.query,
                signed,
            )
        elif isinstance(credential, SasCredential):
            return headers, credential.sas_token
        elif isinstance(credential, BearerCredential):
            self._check_private()
            headers["authorization"] = f"Bearer {credential.token}"
        return headers, ""

    def _http_date(self, now: datetime) -> str:
        """Of this second; made once for it."""
        second = int(now.timestamp())
        if self._date[0] != second:
            self._date = (second, format_datetime(now, usegmt=True))
        return self._date[1]

    def _check_private(self) -> None:
        if self._place.origin.scheme != "https":
            raise InvalidInputError(
                f"a token is sent over https alone, and the endpoint is {self._place.origin.url}; "
                "give an https:// endpoint_url, or an account_key for an emulator"
            )

    def _no_host(self, asked: Asked) -> TransientStoreError:
        host, account = self._place.origin.host, self._place.account
        return TransientStoreError(
            f"could not {asked.what}: the name {host!r} is not known; is {account!r} a storage "
            "account, spelled right, and the network up? An account of another cloud, or behind a "
            "private endpoint, needs endpoint_url in creds=",
            host=host,
            url=self._place.url,
        )
