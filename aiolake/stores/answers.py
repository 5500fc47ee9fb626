"""What a refusal over HTTP means, where the provider's own code says nothing more. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aiolake.errors import (
    AiolakeError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    ThrottledError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.stores.base import Buffer, Range, Told
from aiolake.stores.transport.values import Response

__all__ = ["SPAN", "TRANSIENT", "exactly", "retry_after_s", "status_error", "tell_exactly"]

SPAN = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(?:\d+|\*)")
"""First and last byte, out of ``Content-Range``."""

TRANSIENT = frozenset({408, 500, 502, 503, 504})


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The pause that ``Retry-After`` asks for: a number of seconds, or until a time."""
    text = headers.get("retry-after")
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def status_error(
    status: int, message: str, headers: Mapping[str, str], **context: Any
) -> AiolakeError:
    """An error of the kind that a status means.

    Args:
        status: Of HTTP.
        message: What was attempted, on what, what the server said, what to try next.
        headers: By names in lower case.
        **context: Facts for handlers.
    """
    if status == 429 or (status == 503 and "retry-after" in headers):
        pause = retry_after_s(headers)
        return ThrottledError(
            message, **({} if pause is None else {"retry_after_s": pause}), **context
        )
    if status in TRANSIENT:
        return TransientStoreError(message, **context)
    kinds = {401: UnauthenticatedError, 403: PermissionDeniedError, 404: NotFoundError}
    return kinds.get(status, StoreError)(message, **context)


def exactly(response: Response, start: int, stop: int) -> Buffer | None:
    """The bytes ``[start, stop)``, if the answer is of all of them and of nothing else."""
    if response.status != 206 or len(response.body) != stop - start:
        return None
    span = SPAN.fullmatch(response.headers.get("content-range", ""))
    if span is None or (int(span[1]), int(span[2])) != (start, stop - 1):
        return None
    return response.body


def tell_exactly(ranges: Sequence[Range], done: Told) -> Callable[[int, Response | None], None]:
    """What tells of each range by its answer; see ``exactly``."""

    def ended(i: int, response: Response | None) -> None:
        _, start, stop = ranges[i]
        if response is None:
            done(i, None)
        else:
            done(i, response.bytes_or_refusal(exactly(response, start, stop)))

    return ended
