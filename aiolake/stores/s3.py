"""S3 and what speaks its protocol: requests signed here, on the session's connections.

Credentials and endpoints are aiobotocore's; why the requests are not, see
``docs/design/006-s3.md``.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec

from aiolake.credentials.aws import aws_provider, require_aiobotocore
from aiolake.credentials.aws_creds import parse_aws_creds
from aiolake.credentials.lease import Lease
from aiolake.credentials.values import AwsCredential, Credential
from aiolake.errors import (
    ClosedError,
    CredentialExpiredError,
    InvalidInputError,
    NotFoundError,
    StoreError,
)
from aiolake.options import Options
from aiolake.stores._s3 import answers, listing
from aiolake.stores._s3.bucket import Bucket, shared_key
from aiolake.stores._s3.place import Place
from aiolake.stores._s3.reads import SignedReads
from aiolake.stores._s3.signing import EMPTY_SHA256, encoded_query
from aiolake.stores.base import (
    Begun,
    Buffer,
    CostModel,
    CreateOutcome,
    Listing,
    ListPage,
    ObjectMeta,
    Range,
    Store,
    Told,
)
from aiolake.stores.checks import NameLimit, check_key, check_limit, check_range, keys_of
from aiolake.stores.leased import send_leased
from aiolake.stores.network import Network
from aiolake.stores.transport.lane.head import request_bytes
from aiolake.stores.transport.values import Origin, Response
from aiolake.urls import Address

__all__ = ["S3Store", "open_s3"]

_COST = CostModel(gap_bytes=128 << 10, max_range_bytes=8 << 20)
"""A round trip of 30 ms is worth some MB of one connection, but 64 of them are open: what counts
is the bytes that nobody asked for."""

_EXPRESS = "--x-s3"
_HASHED_HERE_NBYTES = 1 << 20
_DELETE_BATCH = 1000
_FOUND = (200, 204, 206, 416)


def open_s3(address: Address, creds: object, options: Options, network: Network | None) -> Store:
    """The store at ``s3://bucket/prefix``; nothing is read or connected yet.

    Raises:
        InvalidInputError: ``creds`` make no sense.
        MissingExtraError: The packages of the extra ``s3`` are not installed.
    """
    assert network is not None
    given = parse_aws_creds(creds)
    require_aiobotocore()
    name, _, prefix = address.path.partition("/")
    bucket = network.shared(shared_key(name, given), lambda: Bucket(name, given))
    lease = network.keeper.lease(aws_provider(given))
    return S3Store(
        bucket,
        name,
        f"{prefix}/" if prefix else "",
        lease,
        network,
        all_headers=dict(given.all_headers),
        put_headers=dict(given.put_headers),
    )


class _Request(msgspec.Struct, frozen=True):
    """One request, before it is signed.

    Attributes:
        what: For messages: ``"reading 'chunks/x'"``.
        method: Of HTTP.
        key: Of the object; ``None`` for requests to the bucket.
        query: Encoded.
        headers: By names in lower case.
        body: In pieces.
        sha256: Of the body.
        accepted: Statuses that the caller understands.
    """

    what: str
    method: str
    key: str | None
    query: str = ""
    headers: Mapping[str, str] = {}
    body: Sequence[Buffer] = ()
    sha256: str = EMPTY_SHA256
    accepted: tuple[int, ...] = _FOUND


class S3Store:
    """A prefix of a bucket; made by ``open_s3``.

    Args:
        bucket: Where the bucket is; shared.
        name: Of the bucket.
        prefix: ``""``, or ends in ``/``.
        lease: Of the credential.
        network: Connections.
        all_headers: Sent with every request.
        put_headers: Sent with every object that is written.
    """

    def __init__(
        self,
        bucket: Bucket,
        name: str,
        prefix: str,
        lease: Lease,
        network: Network,
        *,
        all_headers: Mapping[str, str],
        put_headers: Mapping[str, str],
    ) -> None:
        self._bucket = bucket
        self._name = name
        self._prefix = prefix
        self._lease = lease
        self._network = network
        self._all_headers = all_headers
        self._put_headers = put_headers
        self.names = NameLimit(prefix, self.url)
        self._reads: SignedReads | None = None
        self._closed = False

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._name}/{self._prefix}".rstrip("/")

    @property
    def listing(self) -> Listing:
        """Ordered, but for directory buckets."""
        return Listing.UNORDERED if self._name.endswith(_EXPRESS) else Listing.ORDERED

    @property
    def cost(self) -> CostModel:
        """What requests cost."""
        return _COST

    @property
    def server(self) -> str:
        """Who answers, once that is known: two servers may have buckets of one name."""
        place = self._bucket.place
        return "" if place is None else place.server

    async def origin(self) -> Origin:
        """The server that requests go to, found out if need be."""
        return (await self._bucket.found()).origin

    @property
    def lease(self) -> Lease:
        """Of the credential in use."""
        return self._lease

    async def get(self, key: str) -> Buffer:
        """All bytes of an object."""
        self._check(key)
        return (await self._send(_Request(f"reading {key!r}", "GET", key))).body

    async def get_range(self, key: str, start: int, stop: int) -> Buffer:
        """The bytes ``[start, stop)`` of an object."""
        found = await self._range(key, start, stop, {})
        assert found is not None
        return found

    def begin_ranges(self, ranges: Sequence[Range], done: Told) -> Begun | None:
        """As ``get_range`` of each, where bucket, credential and connections are at hand."""
        place, credential = self._bucket.place, self._lease.current()
        if place is None or credential is None or self._closed:
            return None
        for key in keys_of(ranges):
            self._check(key)
        requests = self._read_requests(place, credential, ranges)
        sizes = [stop - start for _, start, stop in ranges]
        return self._network.transport.begin_ranges(place.origin, requests, sizes, done)

    def _read_requests(
        self, place: Place, credential: Credential, ranges: Sequence[Range]
    ) -> Iterator[bytes]:
        """What asks for each range, whole."""
        authority = place.origin.authority
        if not isinstance(credential, AwsCredential):
            for key, start, stop in ranges:
                headers = {**self._all_headers, "range": f"bytes={start}-{stop - 1}"}
                yield request_bytes("GET", place.target(self._prefix + key), authority, headers)
            return
        second = self._bucket.signer.at(credential, self._lease.now())
        reads = self._reads
        if reads is None or not reads.serves(second, authority):
            reads = self._reads = SignedReads(second, authority, self._all_headers)
        last, path = "", b""
        for key, start, stop in ranges:
            if key != last:
                last, path = key, place.target(self._prefix + key).encode("ascii")
            yield reads.request(path, start, stop)

    async def get_matching(
        self, key: str, start: int, stop: int | None, etag: str
    ) -> Buffer | None:
        """As ``get_range``, or ``None`` where the etag is another."""
        return await self._range(key, start, stop, {"if-match": f'"{etag}"'})

    async def _range(
        self, key: str, start: int, stop: int | None, headers: dict[str, str]
    ) -> Buffer | None:
        self._check(key)
        check_range(key, start, start if stop is None else stop)
        if start == stop:
            meta = await self.head(key)
            return b"" if not headers or headers["if-match"] == f'"{meta.etag}"' else None
        last = "" if stop is None else stop - 1
        response = await self._send(
            _Request(
                f"reading {key!r}",
                "GET",
                key,
                headers={"range": f"bytes={start}-{last}", **headers},
                accepted=(*_FOUND, 412) if headers else _FOUND,
            )
        )
        if response.status == 206:
            return response.body
        if response.status == 412:
            return None
        if response.status == 416:
            return b""
        return memoryview(response.body)[start:stop]  # a server without ranges

    async def head(self, key: str) -> ObjectMeta:
        """Size of an object."""
        self._check(key)
        what = f"looking at {key!r}"
        response = await self._send(_Request(what, "HEAD", key, accepted=(200, 301, 307, 400, 403)))
        if response.status != 200:
            # An answer to HEAD has no body that would say what is wrong.
            headers = {"range": "bytes=0-0"}
            await self._send(_Request(what, "GET", key, headers=headers))
            response = await self._send(_Request(what, "HEAD", key, accepted=(200,)))
        size = int(response.headers.get("content-length", 0))
        return ObjectMeta(key, size, response.headers.get("etag", "").strip('"') or None)

    async def put(self, key: str, data: Sequence[Buffer]) -> None:
        """Write an object, replacing any; one request."""
        self._check(key)
        await self._write(key, data, {}, (200, 201, 204))

    async def create(self, key: str, data: Sequence[Buffer]) -> CreateOutcome:
        """Write an object only if there is none; one request with the whole body."""
        self._check(key)
        headers = {"if-none-match": "*"}
        response = await self._write(key, data, headers, (200, 201, 204, 409, 412, 501))
        if response.status == 412:
            return CreateOutcome.EXISTS
        if response.status == 409:  # another create of it is under way, and may fail
            return CreateOutcome.UNKNOWN
        if response.status == 501:
            raise StoreError(
                f"the store of {self.url} knows no create-only puts (If-None-Match); datasets "
                "cannot be written to it safely, only read",
                url=self.url,
            )
        return CreateOutcome.CREATED

    async def _write(
        self, key: str, data: Sequence[Buffer], headers: dict[str, str], accepted: tuple[int, ...]
    ) -> Response:
        pieces = [bytes(part) if isinstance(part, bytearray) else part for part in data]
        request = _Request(
            f"writing {key!r}",
            "PUT",
            key,
            headers={**self._put_headers, **headers},
            body=pieces,
            sha256=await _sha256(pieces),
            accepted=accepted,
        )
        return await self._send(request)

    async def list(self, prefix: str, *, limit: int = 1000, token: str | None = None) -> ListPage:
        """At most ``limit`` objects whose keys begin with ``prefix``."""
        check_limit(limit)
        self.names.check(prefix)
        query = encoded_query(listing.list_query(self._prefix + prefix, limit, token))
        response = await self._send(
            _Request("listing objects", "GET", None, query, accepted=(200,))
        )
        return listing.parse_page(response.body, self._prefix)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, 1,000 with a request."""
        for key in keys:
            self._check(key)
        for first in range(0, len(keys), _DELETE_BATCH):
            await self._delete(keys[first : first + _DELETE_BATCH])

    async def _delete(self, keys: Sequence[str]) -> None:
        if len(keys) == 1:
            accepted = (200, 204, 404)
            await self._send(
                _Request(f"deleting {keys[0]!r}", "DELETE", keys[0], accepted=accepted)
            )
            return
        body = listing.delete_body([self._prefix + key for key in keys])
        response = await self._send(
            _Request(
                f"deleting {len(keys)} objects",
                "POST",
                None,
                "delete=",
                {"content-md5": listing.md5_of(body), "content-type": "application/xml"},
                [body],
                hashlib.sha256(body).hexdigest(),
                (200,),
            )
        )
        problems = listing.delete_problems(response.body)
        if problems:
            key, code, message = problems[0]
            place = await self._bucket.found()
            refusal = answers.Refusal(403 if "Denied" in code else 400, code, message, None, {})
            raise answers.error_for(refusal, f"deleting {key!r}", place, key, self.url)

    def _check(self, key: str) -> None:
        check_key(key)
        self.names.check(key)

    async def aclose(self) -> None:
        """Refuse further requests; the connections are the session's."""
        self._closed = True

    async def _send(self, request: _Request) -> Response:
        if self._closed:
            raise ClosedError(f"the store {self.url} was closed; open it again", url=self.url)
        return await send_leased(self._lease, partial(self._attempt, request))

    async def _attempt(self, request: _Request, credential: Credential) -> Response:
        """One attempt; a second where the first was dated or addressed wrongly, and did nothing."""
        response = await self._once(request, credential)
        if response.status in request.accepted and not _is_elsewhere(response):
            return response
        refusal = answers.read_refusal(response.status, response.headers, response.body)
        place = await self._bucket.found()
        region = answers.another_region(refusal, place.region)
        if region is not None:
            await self._bucket.move(region)
        elif answers.is_clock_skew(refusal):
            self._lease.saw_date(response.headers.get("date"))
        elif response.status in request.accepted:
            return response
        else:
            raise self._error(refusal, request, place)
        response = await self._once(request, credential)
        if response.status in request.accepted:
            return response
        refusal = answers.read_refusal(response.status, response.headers, response.body)
        raise self._error(refusal, request, place)

    async def _once(self, request: _Request, credential: Credential) -> Response:
        bucket = self._bucket
        place = bucket.place or await bucket.found()
        path = place.bucket_target
        if request.key is not None:
            path = place.target(self._prefix + request.key)
        headers = self._signed(place, credential, request, path)
        target = f"{path}?{request.query}" if request.query else path
        return await self._network.transport.send(
            place.origin, request.method, target, headers, request.body
        )

    def _signed(
        self, place: Place, credential: Credential, request: _Request, path: str
    ) -> dict[str, str]:
        """All headers of a request."""
        headers = {**self._all_headers, **request.headers}
        if isinstance(credential, AwsCredential):
            headers |= self._bucket.signer.headers(
                credential,
                request.method,
                path,
                request.query,
                {"host": place.origin.authority, **headers},
                request.sha256,
                self._lease.now(),
            )
        return headers

    def _error(self, refusal: answers.Refusal, request: _Request, place: Place) -> Exception:
        error = answers.error_for(refusal, request.what, place, request.key, self.url)
        if isinstance(error, CredentialExpiredError):
            self._lease.saw_refusal(refusal.headers.get("date"))
        if isinstance(error, NotFoundError) and request.key is None and refusal.code == "":
            return InvalidInputError(
                f"{request.what}: nothing like an S3 bucket answers at {place.origin.url}"
                f"{place.path}; check endpoint_url",
                bucket=place.bucket,
            )
        return error


def _is_elsewhere(response: Response) -> bool:
    """Whether an answer to HEAD that the caller would look into says where the bucket is."""
    return response.status in (301, 307, 400) and "x-amz-bucket-region" in response.headers


async def _sha256(data: Sequence[Buffer]) -> str:
    """Of a body; in a thread where it takes longer than a callback may."""
    if sum(map(len, data)) <= _HASHED_HERE_NBYTES:
        return _sha256_now(data)
    return await asyncio.to_thread(_sha256_now, data)


def _sha256_now(data: Sequence[Buffer]) -> str:
    digest = hashlib.sha256()
    for part in data:
        digest.update(part)
    return digest.hexdigest()
