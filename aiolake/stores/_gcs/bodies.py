"""Bodies of requests and answers of the JSON API. Pure."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import google_crc32c
import msgspec
import numpy as np

from aiolake.errors import TransientStoreError
from aiolake.stores.answers import SPAN
from aiolake.stores.base import Buffer, ListPage, ObjectMeta

__all__ = [
    "check_whole",
    "checksum",
    "metadata",
    "multipart",
    "part_of",
    "read_meta",
    "read_page",
]

CONTENT_TYPE = "application/octet-stream"
"""Of every object: the default of a browser, or of a library, may be one that is transformed."""

_HASH = re.compile(r"(?:^|[,\s])crc32c=([A-Za-z0-9+/]{6}==)")


class _Item(msgspec.Struct):
    name: str
    size: str = "0"


class _Page(msgspec.Struct):
    items: list[_Item] = msgspec.field(default_factory=list)
    nextPageToken: str = ""


class _Meta(msgspec.Struct):
    size: str = "0"
    generation: str = ""


def checksum(data: Sequence[Buffer]) -> str:
    """The crc32c of an object in pieces, as Google writes it: base64 of 4 big-endian bytes."""
    crc = 0
    for part in data:
        crc = google_crc32c.extend(crc, _plain(part))
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


def metadata(name: str, data: Sequence[Buffer]) -> dict[str, Any]:
    """What is said of an object at its upload; the server refuses bytes of another checksum."""
    return {"name": name, "contentType": CONTENT_TYPE, "crc32c": checksum(data)}


def multipart(
    metadata: Mapping[str, Any], data: Sequence[Buffer]
) -> tuple[dict[str, str], list[Buffer]]:
    """Headers and body of an upload in one request, the object's pieces not joined.

    The boundary is 128 random bits, drawn when the data is there already: no data holds it.

    Source: https://cloud.google.com/storage/docs/uploading-objects (multipart/related, RFC 2387)
    """
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode()
        + msgspec.json.encode(metadata)
        + f"\r\n--{boundary}\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n".encode()
    )
    headers = {"Content-Type": f"multipart/related; boundary={boundary}"}
    return headers, [head, *data, f"\r\n--{boundary}--\r\n".encode()]


def read_meta(key: str, body: Buffer) -> ObjectMeta:
    """Size and generation of an object; the generation differs when the bytes do."""
    meta = _decoded(body, _Meta)
    return ObjectMeta(key, int(meta.size), meta.generation or None)


def read_page(prefix: str, body: Buffer) -> ListPage:
    """A page of a listing, which may be empty and not the last.

    Args:
        prefix: What all names begin with; keys are what follows. An object of that very name,
            which the console makes to show a folder, is none of the store's.
        body: Of the answer.
    """
    page = _decoded(body, _Page)
    n = len(prefix)
    objects = tuple(
        ObjectMeta(item.name[n:], int(item.size)) for item in page.items if len(item.name) > n
    )
    return ListPage(objects, page.nextPageToken or None)


def part_of(
    status: int, headers: Mapping[str, str], body: Buffer, start: int, stop: int | None
) -> Buffer:
    """The bytes ``[start, stop)`` out of the answer to a ranged GET.

    Raises:
        TransientStoreError: The answer holds other bytes than its headers say, or than were asked.
    """
    if status != 206:  # the whole object, from who does not know ranges
        return body if start == 0 and stop is None else memoryview(body)[start:stop]
    match = SPAN.fullmatch(headers.get("content-range", ""))
    if match is not None:
        first, last = int(match[1]), int(match[2])
        fits = stop is None or last < stop
        if first == start and fits and len(body) == last + 1 - first:
            return body
    raise TransientStoreError(
        f"bytes [{start}, {'' if stop is None else stop}) were asked for, and the answer of "
        f"{len(body)} bytes says {headers.get('content-range')!r}"
    )


def check_whole(key: str, headers: Mapping[str, str], body: Buffer) -> None:
    """Compare a whole object with the checksum its server sent along.

    Raises:
        TransientStoreError: It is another's: bytes changed on the way.
    """
    match = _HASH.search(headers.get("x-goog-hash", ""))
    if match is not None and match[1] != checksum([body]):
        raise TransientStoreError(
            f"the bytes of {key!r} do not have the crc32c their server sent along", key=key
        )


def _decoded(body: Buffer, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise TransientStoreError(
            f"the server's answer is not the JSON it should be: {error}"
        ) from error


def _plain(part: Buffer) -> Any:
    """The C function takes bytes, and arrays that are read-only."""
    if type(part) is bytes:
        return part
    array = np.frombuffer(part, np.uint8)
    array.flags.writeable = False
    return array
