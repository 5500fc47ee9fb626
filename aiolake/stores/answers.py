"""What a refusal over HTTP means, where the provider's own code says nothing more. Pure."""

from __future__ import annotations

from collections.abc import Mapping
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

__all__ = ["TRANSIENT", "retry_after_s", "status_error"]

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
