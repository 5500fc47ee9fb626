"""Bodies: what goes with one that is sent, and what of one that came was asked for. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from aiolake.errors import TransientStoreError
from aiolake.stores._azure.place import Place
from aiolake.stores.answers import SPAN
from aiolake.stores.base import Buffer, total_nbytes
from aiolake.stores.transport.values import Response

__all__ = ["body_within", "put_headers"]

_MOST_HASHED = 1 << 20


def put_headers(data: Sequence[Buffer]) -> dict[str, str]:
    """The headers of a Put Blob.

    Bodies up to 1 MiB, which log entries and manifests are, carry an MD5 that the service checks
    before it keeps them: 1.6 ms at most. Larger ones would hold the loop for 25 ms and more; TLS
    guards them on their way, and every sample in them has a CRC32C of its own.
    """
    headers = {"x-ms-blob-type": "BlockBlob", "content-type": "application/octet-stream"}
    if total_nbytes(data) <= _MOST_HASHED:
        md5 = hashlib.md5(usedforsecurity=False)
        for part in data:
            md5.update(part)
        headers["content-md5"] = base64.b64encode(md5.digest()).decode()
    return headers


def body_within(response: Response, place: Place, key: str, start: int, stop: int | None) -> Buffer:
    """The bytes ``[start, stop)`` of an object, out of the answer to a ranged GET.

    Raises:
        TransientStoreError: The answer is of another range than was asked for.
    """
    if response.status == 416:
        return b""  # at the end, or past it; azurite answers 206 at the end, without bytes
    if response.status == 200:
        return memoryview(response.body)[start:stop]  # of all of it: a cache knows no ranges
    span = SPAN.fullmatch(response.headers.get("content-range", ""))
    if span is None or not _is_asked(int(span[1]), int(span[2]), len(response.body), start, stop):
        raise TransientStoreError(
            f"bytes {start} to {stop or 'the end'} of {key!r} in {place.url} were asked for, and "
            f"{response.headers.get('content-range')!r} came, {len(response.body)} bytes",
            key=key,
        )
    return response.body


def _is_asked(first: int, last: int, n_bytes: int, start: int, stop: int | None) -> bool:
    fits = stop is None or last < stop
    return first == start and fits and n_bytes == last - first + 1
