"""What answers of a static server mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiolake.errors import AiolakeError, StoreError, TransientStoreError
from aiolake.stores.answers import SPAN, status_error
from aiolake.stores.base import Buffer
from aiolake.stores.transport.values import Response

__all__ = ["etag_of", "part_of", "refusal", "says_ranges", "size_of", "too_large"]

_TOTAL = re.compile(r"bytes (?:\*|\d+-\d+)/(\d+)")
_ADVICE = {
    401: "the server asks who you are; give creds={'token': ...} or 'username' and 'password'",
    403: "the server does not allow it; does a signed address still hold, and are creds= right? A "
    "server that says 403 of what is missing cannot serve a dataset: let it say 404",
    404: "there is no such object",
    410: "there is no such object any more",
    416: "the object ends before",
    429: "the server asks for fewer requests",
}


def refusal(response: Response, verb: str, key: str, url: str) -> AiolakeError:
    """The error to raise for an answer that is none of success.

    Args:
        response: The answer.
        verb: What was attempted.
        key: On what, without its query.
        url: The store's root.
    """
    status = response.status
    words = _ADVICE.get(status, "the server failed" if status >= 500 else "the server refused it")
    return status_error(
        404 if status == 410 else status,
        f"cannot {verb} {key!r} in {url}: {words} [{status}]",
        response.headers,
        key=key,
        url=url,
    )


def says_ranges(response: Response) -> bool:
    """Whether the server has shown, or says, that it knows ranges."""
    return response.status == 206 or response.headers.get("accept-ranges", "").lower() == "bytes"


def size_of(response: Response) -> int | None:
    """The object's size, out of an answer to HEAD or to a GET of a range."""
    total = _TOTAL.fullmatch(response.headers.get("content-range", ""))
    if total is not None:
        return int(total[1])
    length = response.headers.get("content-length", "")
    return int(length) if response.status == 200 and length.isdecimal() else None


def etag_of(headers: Mapping[str, str]) -> str | None:
    """The etag, without quotes; ``None`` for a weak one, which says little of the bytes."""
    found = headers.get("etag", "").strip()
    strong = len(found) > 2 and found[0] == found[-1] == '"'
    return found[1:-1] if strong else None


def part_of(response: Response, key: str, url: str, start: int, stop: int | None) -> Buffer:
    """The bytes ``[start, stop)`` out of the answer to a ranged GET.

    Raises:
        TransientStoreError: The answer is of another range than was asked for.
    """
    if response.status == 416:
        return _behind_the_end(response, key, url, start)
    if response.status == 200:  # of all of it, from who does not know ranges
        return memoryview(response.body)[start:stop]
    said = response.headers.get("content-range", "")
    span = SPAN.fullmatch(said)
    if span is not None:
        first, last = int(span[1]), int(span[2])
        inside = stop is None or last < stop
        if first == start and inside and len(response.body) == last - first + 1:
            return response.body
    raise _other_range(response, key, url, start, stop)


def _behind_the_end(response: Response, key: str, url: str, start: int) -> Buffer:
    size = size_of(response)
    if size is not None and start < size:
        raise _other_range(response, key, url, start, None)
    return b""


def _other_range(
    response: Response, key: str, url: str, start: int, stop: int | None
) -> TransientStoreError:
    return TransientStoreError(
        f"bytes {start} to {'the end' if stop is None else stop} of {key!r} in {url} were asked "
        f"for, and {response.headers.get('content-range')!r:.80} came, {len(response.body)} bytes "
        f"[{response.status}]",
        key=key,
        url=url,
    )


def too_large(key: str, url: str, size: int, most: int) -> StoreError:
    """A server without ranges, and an object that is not to be downloaded whole for a part."""
    return StoreError(
        f"cannot read a part of {key!r} in {url}: the server does not say that it knows ranges "
        f"(Accept-Ranges: bytes), and all {size:,} bytes would come for each part (at most "
        f"{most:,} are); serve it with nginx, Apache or an object store, or copy the dataset",
        key=key,
        url=url,
    )
