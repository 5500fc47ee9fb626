"""Azure Blob Storage, and Data Lake Gen2 through the same endpoint: ``az://account/container/p``.

Every request is signed here and sent by the session's own HTTP client: a key, a signature or a
token of a lease, once more with a new one where it had expired.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from aiolake._aio import map_concurrently
from aiolake.credentials.azure_creds import read_azure_creds
from aiolake.credentials.lease import Lease
from aiolake.errors import ClosedError, NotFoundError
from aiolake.options import Options
from aiolake.stores._azure.answers import read_answer
from aiolake.stores._azure.bodies import body_within, put_headers
from aiolake.stores._azure.listing import list_query, read_page
from aiolake.stores._azure.place import Place, check_blob_key, place_of
from aiolake.stores._azure.refusals import Asked, created
from aiolake.stores._azure.wire import Request, Wire
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
from aiolake.stores.checks import NameLimit, Unit, check_limit, check_range, keys_of
from aiolake.stores.network import Network
from aiolake.stores.transport.values import Origin, Response, Tls
from aiolake.urls import Address

__all__ = ["AzureStore", "open_azure"]

_COST = CostModel(gap_bytes=128 << 10, max_range_bytes=8 << 20)
"""In its region the first byte comes after 10 ms or more. 64 requests that share 10 Gbit/s get
20 MB/s each, so 200 KB cost what a request does; fewer, since bytes take memory too. One blob's
connection gives about 60 MB/s, so large fetches are split."""

_DELETES_AT_ONCE = 32


def open_azure(
    address: Address, creds: Any, options: Options, network: Network | None
) -> AzureStore:
    """A prefix of a container; nothing is asked yet.

    Args:
        address: ``az://account/container/prefix``.
        creds: See docs/stores/azure.md.
        options: Not used: the network has its own.
        network: Whose connections and credentials it uses.

    Raises:
        InvalidInputError: The address or ``creds`` make no sense.
        MissingExtraError: A login is to be used, and azure-identity is not installed.
    """
    assert network is not None  # open_store refuses it
    account = address.path.partition("/")[0]
    found = read_azure_creds(account, creds, os.environ)
    ca_file = found.verify if isinstance(found.verify, str) else None
    place = place_of(address, found.endpoint, Tls(found.verify is not False, ca_file))
    lease = network.keeper.lease(found.provider)
    return AzureStore(place, Wire(place, lease, network))


class AzureStore:
    """Blobs under a prefix of a container.

    Made by ``open_azure``. Lists in the order of UTF-16, which for the keys of a dataset is byte
    order, also where the account has a hierarchical namespace and ``/`` sorts first.
    """

    listing = Listing.ORDERED
    cost = _COST

    def __init__(self, place: Place, wire: Wire) -> None:
        self._place = place
        self._wire = wire
        self.names = NameLimit(place.prefix, place.url, Unit.CHARACTERS)
        self._closed = False

    @property
    def url(self) -> str:
        """The address, canonical."""
        return self._place.url

    @property
    def server(self) -> str:
        """Who answers: two servers may have buckets of one name."""
        return self._place.origin.url

    async def origin(self) -> Origin:
        """The server that requests go to."""
        return self._place.origin

    @property
    def lease(self) -> Lease:
        """Of the credential in use."""
        return self._wire.lease

    async def get(self, key: str) -> Buffer:
        """All bytes of an object."""
        response = await self._wire.send(self._asked("read", key, "r"), self._blob("GET", key))
        self._refuse_directory(response, key)
        return response.body

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """The bytes ``[start, stop)`` of an object."""
        check_range(key, start, stop)
        if start == stop:
            await self.head(key)
            return b""
        request = self._blob("GET", key, {"range": f"bytes={start}-{stop - 1}"}, (200, 206, 416))
        response = await self._wire.send(self._asked("read", key, "r"), request)
        self._refuse_directory(response, key)
        return body_within(response, self._place, key, start, stop)

    def begin_ranges(self, ranges: Sequence[Range], done: Told) -> Begun | None:
        """As ``get_range`` of each, where a credential and connections are at hand."""
        if self._closed:
            return None
        keys_of(ranges)
        requests = [
            self._blob("GET", key, {"range": f"bytes={start}-{stop - 1}"})
            for key, start, stop in ranges
        ]
        return self._wire.begin(requests, tell_exactly(ranges, done))

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        """As ``get_range`` (``stop=None``: to the end), or ``None`` where the etag is another."""
        check_range(key, start, start if stop is None else stop)
        if start == stop:
            return b"" if (await self.head(key)).etag == etag else None
        last = "" if stop is None else str(stop - 1)
        headers = {"if-match": etag, "range": f"bytes={start}-{last}"}
        request = self._blob("GET", key, headers, (200, 206, 412, 416))
        response = await self._wire.send(self._asked("read", key, "r"), request)
        if response.status == 412:
            return None
        return body_within(response, self._place, key, start, stop)

    async def head(self, key: str) -> ObjectMeta:
        """Size and etag of an object."""
        response = await self._wire.send(self._asked("read", key, "r"), self._blob("HEAD", key))
        self._refuse_directory(response, key)
        headers = response.headers
        return ObjectMeta(key, int(headers.get("content-length", 0)), headers.get("etag"))

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """Write an object, replacing any: one Put Blob, never staged blocks."""
        request = self._blob("PUT", key, put_headers(data), (201,), data)
        await self._wire.send(self._asked("write", key, "w"), request)

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Write an object only if there is none; one request."""
        headers = {"if-none-match": "*", **put_headers(data)}
        asked = self._asked("create", key, "cw")
        request = self._blob("PUT", key, headers, (201, 409, 412), data)
        response = await self._wire.send(asked, request)
        if response.status == 201:
            return CreateOutcome.CREATED
        answer = read_answer(response.status, response.headers, response.body)
        outcome = created(answer)
        if outcome is None:
            raise self._wire.refused(asked, answer)
        return outcome

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """At most ``limit`` objects whose keys begin with ``prefix``, in order."""
        self._check_open()
        check_limit(limit)
        self.names.check(prefix)
        place = self._place
        query = list_query(place.prefix + prefix, limit, token)
        asked = self._asked("list", prefix, "l")
        request = Request("GET", place.container_path, query)
        response = await self._wire.send(asked, request)
        return await read_page(response.body, place.prefix)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, some at once; those that are not there are no error.

        Not by a batch, which a signature for a container or a blob may not send.
        """
        requests = [(key, self._blob("DELETE", key, accepts=(202, 404))) for key in keys]
        await map_concurrently(self._delete, requests, limit=_DELETES_AT_ONCE)

    async def aclose(self) -> None:
        """Refuse further requests; connections are the network's."""
        self._closed = True

    async def _delete(self, named: tuple[str, Request]) -> None:
        key, request = named
        asked = self._asked("delete", key, "d")
        response = await self._wire.send(asked, request)
        if response.status == 202:
            return
        answer = read_answer(response.status, response.headers, response.body)
        if answer.code == "ContainerNotFound":
            raise self._wire.refused(asked, answer)

    def _blob(
        self,
        method: str,
        key: str,
        headers: dict[str, str] | None = None,
        accepts: tuple[int, ...] = (200,),
        body: Sequence[Buffer] = (),
    ) -> Request:
        self._check_open()
        check_blob_key(key)
        self.names.check(key)
        return Request(method, self._place.blob_path(key), (), headers or {}, accepts, body)

    def _asked(self, verb: str, key: str, needs: str) -> Asked:
        return Asked(verb, key, self._place, needs)

    def _refuse_directory(self, response: Response, key: str) -> None:
        """With a hierarchical namespace a directory answers as an empty blob."""
        if response.headers.get("x-ms-meta-hdi_isfolder") == "true":
            raise NotFoundError(f"{key!r} in {self.url} is a directory, no object", key=key)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"the store {self.url} was closed; open it again", url=self.url)
