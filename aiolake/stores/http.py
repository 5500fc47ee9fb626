"""Objects of a static server: read-only, without a listing."""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from typing import NoReturn

from aiolake.credentials.http_creds import Linked, parse, provider_of
from aiolake.credentials.lease import Lease
from aiolake.credentials.values import BearerCredential, Credential
from aiolake.errors import (
    ClosedError,
    CredentialExpiredError,
    InvalidInputError,
    MissingExtraError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
)
from aiolake.options import Options
from aiolake.stores._http.answers import (
    etag_of,
    part_of,
    refusal,
    says_ranges,
    size_of,
    too_large,
)
from aiolake.stores._http.place import Place, place_of, redirected, shown
from aiolake.stores.answers import exactly
from aiolake.stores.base import (
    Begun,
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ListPage,
    ObjectMeta,
    Range,
    Told,
)
from aiolake.stores.checks import check_key, check_limit, check_range, keys_of
from aiolake.stores.leased import send_leased
from aiolake.stores.network import Network
from aiolake.stores.transport.lane.head import request_bytes
from aiolake.stores.transport.values import Origin, Response, Tls
from aiolake.urls import Address

__all__ = ["WHOLE_NBYTES", "HttpStore", "LinkedStore", "open_http"]

_log = logging.getLogger("aiolake.stores")

WHOLE_NBYTES = 64 << 20
"""The largest object of which a part is cut out of the whole, from a server without ranges: twice
the largest chunk."""

_COST = CostModel(gap_bytes=256 << 10, max_range_bytes=8 << 20)
"""As a cloud's: servers of the web are as far away, and a connection is about as fast."""

_MOVED = (301, 302, 303, 307, 308)
_MOST_MOVES = 5
_NO_HEAD = (400, 403, 405, 501)
_HEADERS = {"User-Agent": "aiolake", "Accept": "*/*", "Accept-Encoding": "identity"}


def open_http(
    address: Address, creds: object, options: Options, network: Network | None
) -> HttpStore:
    """The store of a directory of a server; nothing is read or connected yet.

    Args:
        address: ``http(s)://host/prefix``.
        creds: As in docs/stores/http.md.
        options: Limits.
        network: The session's connections and credentials.

    Raises:
        InvalidInputError: ``creds`` or the address make no sense.
        MissingExtraError: The HTTP client is not installed.
    """
    _require_extra(address.scheme)
    if network is None:
        raise InvalidInputError(f"{address.scheme}:// needs network=, whose connections it uses")
    linked = creds if isinstance(creds, Linked) else None
    given = parse(creds if linked is None else linked.creds, address.query)
    place = place_of(
        address.scheme,
        address.path,
        given.query,
        Tls(given.verify, given.ca_bundle),
        public_only=linked is not None and linked.public_only,
    )
    provider = provider_of(given)
    lease = None if provider is None else network.keeper.lease(provider)
    kind = HttpStore if linked is None else LinkedStore
    return kind(place, lease, network, dict(given.headers))


class HttpStore:
    """Objects under a path of a server.

    Args:
        place: Where they are.
        lease: The token shown with each request, if there is one.
        network: The session's connections.
        headers: Sent with each request.
    """

    def __init__(
        self, place: Place, lease: Lease | None, network: Network, headers: Mapping[str, str]
    ) -> None:
        self._place = place
        self._origin = place.origin
        self._lease = lease
        self._network = network
        self._headers = {**_HEADERS, **headers}
        self._knows_ranges = False
        self._shows_ranges = False
        self._redirects = False
        self._warned = False
        self._closed = False

    @property
    def url(self) -> str:
        """``http(s)://host/prefix``, without a query."""
        return self._place.url

    @property
    def listing(self) -> Listing:
        """A static server lists nothing that a program could rely on."""
        return Listing.NONE

    @property
    def cost(self) -> CostModel:
        """Of a server some way off."""
        return _COST

    async def origin(self) -> Origin:
        """The server that requests go to now."""
        return self._origin

    @property
    def lease(self) -> Lease | None:
        """The token in use, and its renewals; ``None`` without one."""
        return self._lease

    async def get(self, key: str) -> Buffer:
        """All bytes of an object."""
        self._check(key)
        return (await self._send("get", key)).body

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """The bytes ``[start, stop)`` of an object.

        Raises:
            StoreError: The server does not know ranges, and the object is large.

        Cost: one request; one more before the first, where nothing has shown yet that the server
        knows ranges. From one that does not, the whole object comes.
        """
        self._check(key)
        check_range(key, start, stop)
        if start == stop:
            await self.head(key)  # HTTP has no empty ranges
            return b""
        response = await self._range(key, start, stop, {}, (200, 206, 416))
        return part_of(response, self._shown(key), self.url, start, stop)

    def begin_ranges(self, ranges: Sequence[Range], done: Told) -> Begun | None:
        """As ``get_range`` of each, of a server that has sent parts and has not sent on, where a
        token and connections are at hand."""
        credential = None if self._lease is None else self._lease.current()
        if self._lease is not None and credential is None:
            return None
        if not self._shows_ranges or self._redirects or self._closed:
            return None
        for key in keys_of(ranges):
            self._check(key)

        def ended(i: int, response: Response | None) -> None:
            _, start, stop = ranges[i]
            if response is None:
                done(i, None)
            else:
                self._learn(response)
                done(i, response.bytes_or_refusal(exactly(response, start, stop)))

        requests = (self._read_request(credential, *each) for each in ranges)
        return self._network.transport.begin(self._origin, "GET", requests, ended)

    def _read_request(
        self, credential: Credential | None, key: str, start: int, stop: int
    ) -> bytes:
        """What asks for a range, whole."""
        span = {"Range": f"bytes={start}-{stop - 1}"}
        headers = {**self._headers, **span, **_bearer(credential)}
        return request_bytes("GET", self._target(key), self._origin.authority, headers)

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        """As ``get_range``, or ``None`` where the object has another etag."""
        self._check(key)
        if stop is not None:
            check_range(key, start, stop)
        if start == stop or not etag.isprintable() or '"' in etag:
            return b"" if (await self.head(key)).etag == etag else None
        condition = {"If-Match": f'"{etag}"'}
        response = await self._range(key, start, stop, condition, (200, 206, 412, 416))
        # One that knows no such condition says at least which object it sent.
        if response.status == 412:
            return None
        if response.status != 416 and etag_of(response.headers) != etag:
            return None
        return part_of(response, self._shown(key), self.url, start, stop)

    async def head(self, key: str) -> ObjectMeta:
        """Size and etag of an object.

        Cost: one request; two where the server answers HEAD not at all, or without a length.
        """
        self._check(key)
        response = await self._send("head", key, method="HEAD", good=(200, *_NO_HEAD))
        size = size_of(response)
        if size is None:
            response = await self._send("head", key, {"Range": "bytes=0-0"}, good=(200, 206, 416))
            size = size_of(response)
        if size is None:
            size = len(response.body) if response.status == 200 else 0
        return ObjectMeta(key, size, etag_of(response.headers))

    async def put(self, key: str, data: Sequence[Buffer]) -> NoReturn:
        """Refused."""
        self._refuse("put", key)

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Refused."""
        self._refuse("create", key)

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """Refused: servers have no listing in common."""
        check_limit(limit)
        raise PermissionDeniedError(
            f"{self.url} cannot be listed: it is a static server; open a dataset there by its "
            "whole address",
            url=self.url,
        )

    async def delete(self, keys: Sequence[str]) -> None:
        """Refused."""
        if keys:
            self._refuse("delete", keys[0])

    async def aclose(self) -> None:
        """Refuse further requests; the connections are the session's."""
        self._closed = True

    def _check(self, key: str) -> None:
        check_key(key)

    def _target(self, key: str) -> str:
        return self._place.target(key)

    def _shown(self, key: str) -> str:
        return key

    def _refuse(self, verb: str, key: str) -> NoReturn:
        raise ReadOnlyError(
            f"cannot {verb} {self._shown(key)!r} in {self.url}: http(s):// is read-only; "
            "write by the store's own address (s3://, gcs://, az://, a directory), or copy the "
            "dataset",
            key=self._shown(key),
            url=self.url,
        )

    def _learn(self, response: Response) -> None:
        """What an answer to a request for a part shows of the server."""
        if response.status in (200, 206):
            self._shows_ranges = response.status == 206
        self._redirects = self._redirects or response.status in _MOVED

    async def _range(
        self,
        key: str,
        start: int,
        stop: int | None,
        headers: Mapping[str, str],
        good: tuple[int, ...],
    ) -> Response:
        if not self._knows_ranges:
            await self._expect_ranges(key)
        span = f"bytes={start}-{'' if stop is None else stop - 1}"
        response = await self._send("get", key, {**headers, "Range": span}, good=good)
        self._learn(response)
        if response.status == 200 and (start or stop is not None) and not self._warned:
            self._warned = True
            _log.warning("%s knows no ranges: whole objects come for parts of them", self.url)
        return response

    async def _expect_ranges(self, key: str) -> None:
        """Learn whether a part can be had without the whole, before the whole is there.

        Raises:
            StoreError: It cannot, as far as one knows, and the whole is large.
        """
        response = await self._send("head", key, method="HEAD", good=(200, *_NO_HEAD))
        size = size_of(response)
        if not self._knows_ranges and size is not None and size > WHOLE_NBYTES:
            raise too_large(self._shown(key), self.url, size, WHOLE_NBYTES)

    async def _send(
        self,
        verb: str,
        key: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        good: tuple[int, ...] = (200,),
    ) -> Response:
        if self._closed:
            raise ClosedError(f"the store {self.url} was closed; open it again", url=self.url)

        async def send(credential: Credential | None) -> Response:
            bearer = isinstance(credential, BearerCredential)
            response = await self._follow(
                method,
                self._target(key),
                {**self._headers, **(headers or {}), **_bearer(credential)},
            )
            if says_ranges(response):
                self._knows_ranges = True
            if response.status in good:
                if self._lease is not None and credential is not None:
                    self._lease.saw_answer(credential, response.headers.get("date"))
                return response
            error = refusal(response, verb, self._shown(key), self.url)
            if response.status == 401 and bearer and self._lease is not None:
                self._lease.saw_refusal(response.headers.get("date"))
                raise CredentialExpiredError(error.message, **error.context)
            raise error

        return await (send(None) if self._lease is None else send_leased(self._lease, send))

    async def _follow(self, method: str, target: str, headers: Mapping[str, str]) -> Response:
        """The answer, after a few steps from address to address of one server."""
        origin: Origin = self._origin
        for _ in range(_MOST_MOVES + 1):
            response = await self._network.transport.send(origin, method, target, headers)
            if response.status not in _MOVED:
                return response
            origin, new = redirected(origin, target, response.headers.get("location"), self.url)
            if origin != self._origin and new == target and response.status in (301, 308):
                self._origin = origin  # for good: TLS from now on
            else:
                self._redirects = True
            target = new
        raise StoreError(f"{self.url}: the server sends in circles", url=self.url)


class LinkedStore(HttpStore):
    """Objects outside a dataset: a key is what follows in the text of a URL, its query too."""

    def _check(self, key: str) -> None:
        if not key:
            raise InvalidInputError(f"a link to {self.url} names no object", url=self.url)

    def _target(self, key: str) -> str:
        return self._place.linked(key)

    def _shown(self, key: str) -> str:
        return shown(key)


def _bearer(credential: Credential | None) -> dict[str, str]:
    if isinstance(credential, BearerCredential):
        return {"Authorization": f"Bearer {credential.token}"}
    return {}


@functools.cache
def _require_extra(scheme: str) -> None:
    if importlib.util.find_spec("aiohttp") is None:
        raise MissingExtraError(
            f"{scheme}:// needs the package 'aiohttp': pip install 'aiolake[http]'", extra="http"
        )
