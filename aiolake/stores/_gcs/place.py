"""Where a store's objects are, and the requests of its verbs as paths and queries. Pure."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiolake.errors import InvalidInputError
from aiolake.stores.transport.values import Origin, Tls
from aiolake.urls import Address

__all__ = ["ENDPOINT", "Place", "place_of"]

ENDPOINT = "https://storage.googleapis.com"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_META_FIELDS = "size,generation"
_LIST_FIELDS = "nextPageToken,items(name,size)"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and what all names in it begin with, at an endpoint.

    Requests are those of the JSON API; an object's whole name is one segment of the path, so that
    ``/``, ``%`` and dots in it mean nothing to anybody on the way.

    Attributes:
        origin: The server.
        base: What its paths begin with; ``""`` at Google.
        bucket: The bucket.
        prefix: ``""``, or ends in ``/``.
        user_project: Who pays for requests to a bucket whose requester pays.

    Source: https://cloud.google.com/storage/docs/json_api/v1/objects
    """

    origin: Origin
    base: str
    bucket: str
    prefix: str
    user_project: str | None = None

    @property
    def url(self) -> str:
        """The root, as users write it."""
        return f"gcs://{self.bucket}/{self.prefix}".rstrip("/")

    def name(self, key: str) -> str:
        """The object's name in its bucket."""
        return self.prefix + key

    def media(self, key: str, generation: str | None = None) -> str:
        """The target of a GET of an object's bytes, of one generation of it if that is named."""
        return f"{self._object(key)}?alt=media{self._condition(generation)}{self._payer()}"

    def meta(self, key: str) -> str:
        """The target of a GET of an object's size and generation."""
        return f"{self._object(key)}?fields={_META_FIELDS}{self._payer()}"

    def removal(self, key: str) -> str:
        """The target of a DELETE."""
        payer = self._payer()
        return self._object(key) + (f"?{payer[1:]}" if payer else "")

    def listing(self, prefix: str, limit: int, token: str | None) -> str:
        """The target of a GET of one page of a listing."""
        query = {"prefix": self.prefix + prefix, "maxResults": str(limit), "fields": _LIST_FIELDS}
        if token is not None:
            query["pageToken"] = token
        # quote, not quote_plus: a space as "+" is known to forms alone.
        encoded = urlencode(query, quote_via=quote, safe="")
        return f"{self.base}/storage/v1/b/{quote(self.bucket, safe='')}/o?{encoded}{self._payer()}"

    def upload_query(self, generation: str | None = None) -> dict[str, str]:
        """The parameters of an upload; with ``generation="0"`` only where no object is."""
        query = {"fields": _META_FIELDS}
        if generation is not None:
            query["ifGenerationMatch"] = generation
        if self.user_project is not None:
            query["userProject"] = self.user_project
        return query

    def upload(self, query: dict[str, str]) -> str:
        """The target of a POST that uploads an object in one request."""
        encoded = urlencode({"uploadType": "multipart", **query}, quote_via=quote, safe="")
        return f"{self.base}/upload/storage/v1/b/{quote(self.bucket, safe='')}/o?{encoded}"

    def _object(self, key: str) -> str:
        name = quote(self.prefix + key, safe="")
        return f"{self.base}/storage/v1/b/{quote(self.bucket, safe='')}/o/{name}"

    def _condition(self, generation: str | None) -> str:
        return "" if generation is None else f"&ifGenerationMatch={quote(generation, safe='')}"

    def _payer(self) -> str:
        if self.user_project is None:
            return ""
        return f"&userProject={quote(self.user_project, safe='')}"


def place_of(
    address: Address, endpoint: str | None, tls: Tls, user_project: str | None = None
) -> Place:
    """The place of an address.

    Args:
        address: ``gcs://bucket/prefix``.
        endpoint: Of the API; Google's if ``None``.
        tls: How its certificate is checked.
        user_project: Who pays.

    Raises:
        InvalidInputError: The bucket's name can be none, or the endpoint is no URL.
    """
    bucket, _, prefix = address.path.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise InvalidInputError(
            f"{bucket!r} cannot be a bucket of Google Cloud Storage: 3 to 63 lower-case letters, "
            "digits, '-', '_' and '.', beginning and ending with a letter or digit; the address "
            "is gcs://bucket/prefix",
            url=str(address),
        )
    origin, base = _parsed(endpoint or ENDPOINT, tls)
    return Place(origin, base, bucket, f"{prefix}/" if prefix else "", user_project)


@functools.lru_cache(maxsize=256)
def _parsed(endpoint: str, tls: Tls) -> tuple[Origin, str]:
    origin, base = Origin.parse(endpoint, tls=tls, name="endpoint_url (or STORAGE_EMULATOR_HOST)")
    if base.endswith(("/storage/v1", "/storage/v1/b")):
        raise InvalidInputError(
            f"endpoint_url of gcs:// is the server's address alone: write {origin.url!r}, without "
            f"{base!r}, which is added"
        )
    return origin, base
