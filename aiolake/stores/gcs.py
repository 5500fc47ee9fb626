"""Objects in Google Cloud Storage.

Reads, listings and deletes are requests of the JSON API on the session's own HTTP client, with a
leased token; uploads are single ``multipart`` requests, small ones by gcloud-aio-storage. Why, and
what that library is not used for: ``docs/design/007-gcs.md``.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiolake._aio import map_concurrently
from aiolake.credentials.google import provider_of
from aiolake.credentials.google_creds import Anonymous, GoogleCreds, parse
from aiolake.credentials.lease import Lease
from aiolake.credentials.values import AnonymousCredential, Credential
from aiolake.errors import AiolakeError, ClosedError, InvalidInputError, MissingExtraError
from aiolake.options import Options
from aiolake.stores._gcs.answers import Attempt, is_of_bucket, refusal
from aiolake.stores._gcs.bodies import check_whole, part_of, read_meta, read_page
from aiolake.stores._gcs.place import Place, place_of
from aiolake.stores._gcs.uploads import Uploads, bearer
from aiolake.stores.answers import tell_exactly
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
from aiolake.stores.checks import NameLimit, check_key, check_limit, check_range, keys_of
from aiolake.stores.leased import send_leased
from aiolake.stores.network import Network
from aiolake.stores.transport.lane.head import request_bytes
from aiolake.stores.transport.values import Origin, Response, Tls
from aiolake.urls import Address

__all__ = ["GcsStore", "open_gcs"]

_COST = CostModel(gap_bytes=256 << 10, max_range_bytes=8 << 20)
"""A first byte takes 30 to 60 ms, a connection brings some 50 to 100 MB/s: what lies in a gap of
256 KiB comes in a tenth of the time a request of its own would take. Beyond 8 MiB two connections
are faster than one."""

_DELETES = 16
_STORED = {"Accept-Encoding": "gzip"}
"""Bytes as they are stored: without it Google unpacks objects that are marked as gzip, and then
knows no ranges."""


def open_gcs(address: Address, creds: Any, options: Options, network: Network | None) -> GcsStore:
    """The store of a bucket and prefix; nothing is read or connected yet.

    Args:
        address: ``gcs://bucket/prefix``.
        creds: As in docs/stores/gcs.md.
        options: Limits.
        network: The session's connections and credentials.

    Raises:
        InvalidInputError: ``creds`` or the address make no sense.
        MissingExtraError: The vendor's packages are not installed.
    """
    _require_extra()
    if network is None:
        raise InvalidInputError("gcs:// needs network=, whose connections it uses")
    given = parse(creds)
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    place = place_of(address, _endpoint(given, emulator), _tls(given), given.user_project)
    # Without creds= an emulator is shown none, as Google's own libraries do.
    source = Anonymous() if emulator and creds is None else given.source
    lease = network.keeper.lease(provider_of(source, now=network.clock.now))
    return GcsStore(place, lease, network)


class GcsStore:
    """Objects under a prefix of a bucket.

    Args:
        place: Where they are.
        lease: The credential shown with each request.
        network: The session's connections.
    """

    def __init__(self, place: Place, lease: Lease, network: Network) -> None:
        self._place = place
        self._lease = lease
        self._network = network
        self.names = NameLimit(place.prefix, place.url)
        self._closed = False
        self._uploads = network.shared(
            ("gcs uploads", place.origin, place.base),
            lambda: Uploads(place.origin, place.base, network),
        )

    @property
    def url(self) -> str:
        """``gcs://bucket/prefix``."""
        return self._place.url

    @property
    def listing(self) -> Listing:
        """Ordered by name, and consistent with every write before it."""
        return Listing.ORDERED

    @property
    def cost(self) -> CostModel:
        """Of a bucket in the region of its reader."""
        return _COST

    @property
    def server(self) -> str:
        """Who answers: two servers may have buckets of one name."""
        return self._place.origin.url

    async def origin(self) -> Origin:
        """The server that requests go to."""
        return self._place.origin

    @property
    def lease(self) -> Lease:
        """The credential in use, and its renewals."""
        return self._lease

    async def get(self, key: str) -> Buffer:
        """All bytes of an object, compared with the checksum the server sends along."""
        self._check(key)
        response = await self._send(_Call("get", key, "GET", self._place.media(key), _STORED))
        check_whole(key, response.headers, response.body)
        return response.body

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """The bytes ``[start, stop)`` of an object."""
        self._check(key)
        check_range(key, start, stop)
        if start == stop:
            await self.head(key)  # HTTP has no empty ranges
            return b""
        target = self._place.media(key)
        response = await self._send(_ranged(key, target, start, stop, good=(200, 206, 416)))
        if response.status == 416:
            return b""
        return part_of(response.status, response.headers, response.body, start, stop)

    def begin_ranges(self, ranges: Sequence[Range], done: Told) -> Begun | None:
        """As ``get_range`` of each, where a token and connections are at hand."""
        credential = self._lease.current()
        if credential is None or self._closed:
            return None
        for key in keys_of(ranges):
            self._check(key)
        requests = (self._read_request(credential, *each) for each in ranges)
        told = tell_exactly(ranges, done)
        return self._network.transport.begin(self._place.origin, "GET", requests, told)

    def _read_request(self, credential: Credential, key: str, start: int, stop: int) -> bytes:
        """What asks for a range, whole."""
        call = _ranged(key, self._place.media(key), start, stop, good=(206,))
        headers = {**call.headers, **bearer(credential)}
        return request_bytes("GET", call.target, self._place.origin.authority, headers)

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        """As ``get_range``, or ``None`` where the object has another generation."""
        self._check(key)
        if stop is not None:
            check_range(key, start, stop)
        if start == stop or not etag.isdecimal():
            return b"" if (await self.head(key)).etag == etag else None
        target = self._place.media(key, etag)
        response = await self._send(
            _ranged(key, target, start, stop, good=(200, 206, 304, 412, 416))
        )
        # A server that knows no such condition says at least which generation it sent.
        if response.status in (304, 412) or response.headers.get("x-goog-generation", etag) != etag:
            return None
        if response.status == 416:
            return b""
        return part_of(response.status, response.headers, response.body, start, stop)

    async def head(self, key: str) -> ObjectMeta:
        """Size of an object; its generation is its etag."""
        self._check(key)
        response = await self._send(_Call("head", key, "GET", self._place.meta(key)))
        return read_meta(key, response.body)

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """Write an object, replacing any, in one request."""
        self._check(key)
        await self._upload("put", key, data, self._place.upload_query())

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Write an object only if there is none, in one request that is never resumed."""
        self._check(key)
        query = self._place.upload_query(generation="0")
        response = await self._upload("create", key, data, query, good=(200, 412))
        return CreateOutcome.EXISTS if response.status == 412 else CreateOutcome.CREATED

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """At most ``limit`` objects whose keys begin with ``prefix``, in order."""
        check_limit(limit)
        self.names.check(prefix)
        target = self._place.listing(prefix, limit, token)
        response = await self._send(_Call("list", prefix, "GET", target))
        return read_page(self._place.prefix, response.body)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, a request for each, 16 at a time."""
        for key in keys:
            self._check(key)
        await map_concurrently(self._remove, keys, limit=_DELETES)

    def _check(self, key: str) -> None:
        check_key(key)
        self.names.check(key)

    async def aclose(self) -> None:
        """Refuse further requests; the connections are the session's."""
        self._closed = True

    async def _remove(self, key: str) -> None:
        call = _Call("delete", key, "DELETE", self._place.removal(key), good=(200, 204, 404))
        response = await self._send(call)
        if response.status == 404 and is_of_bucket(response):
            raise refusal(response, self._attempt("delete", key), AnonymousCredential())

    async def _send(self, call: _Call) -> Response:
        async def send(credential: Credential) -> Response:
            headers = {**call.headers, **bearer(credential)}
            response = await self._network.transport.send(
                self._place.origin, call.method, call.target, headers
            )
            if response.status in call.good:
                self._lease.saw_answer(credential, response.headers.get("date"))
                return response
            raise self._refusal(response, call.verb, call.key, credential)

        return await self._leased(send)

    async def _upload(
        self,
        verb: str,
        key: str,
        data: Sequence[Buffer],
        query: dict[str, str],
        good: tuple[int, ...] = (200,),
    ) -> Response:
        async def send(credential: Credential) -> Response:
            response = await self._uploads.send(self._place, key, data, query, credential)
            if response.status in good:
                return response
            raise self._refusal(response, verb, key, credential)

        return await self._leased(send)

    async def _leased(self, send: Callable[[Credential], Awaitable[Response]]) -> Response:
        if self._closed:
            raise ClosedError(f"the store {self.url} was closed; open it again", url=self.url)
        return await send_leased(self._lease, send)

    def _refusal(
        self, response: Response, verb: str, key: str, credential: Credential
    ) -> AiolakeError:
        if response.status == 401:
            self._lease.saw_refusal(response.headers.get("date"))
        return refusal(response, self._attempt(verb, key), credential)

    def _attempt(self, verb: str, key: str) -> Attempt:
        return Attempt(verb, key, self.url, self._place.bucket, self._lease.source)


@dataclass(frozen=True, slots=True)
class _Call:
    """A request without a body, and the statuses that are no failure of it."""

    verb: str
    key: str
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    good: tuple[int, ...] = (200,)


def _ranged(key: str, target: str, start: int, stop: int | None, good: tuple[int, ...]) -> _Call:
    last = "" if stop is None else stop - 1
    whole = start == 0 and stop is None
    headers = _STORED if whole else {**_STORED, "Range": f"bytes={start}-{last}"}
    return _Call("get", key, "GET", target, headers, good)


def _tls(creds: GoogleCreds) -> Tls:
    if isinstance(creds.verify, str):
        return Tls(ca_file=creds.verify)
    return Tls(verify=creds.verify)


def _endpoint(creds: GoogleCreds, emulator: str | None) -> str | None:
    """Of the API: as given, or of the emulator that Google's own libraries would use."""
    if creds.endpoint_url is not None or not emulator:
        return creds.endpoint_url
    return emulator if "://" in emulator else f"http://{emulator}"


@functools.cache
def _require_extra() -> None:
    for package in ("aiohttp", "gcloud.aio.storage", "httpx"):
        try:
            found = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise MissingExtraError(
                f"gcs:// needs the package {package!r}: pip install 'aiolake[gcs]'", extra="gcs"
            )
