"""What the Blob service answered, and the error that means. Pure.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

from aiolake.stores.base import Buffer

__all__ = ["Answer", "read_answer"]

_MOST_NBYTES = 64 << 10
_SPAN = re.compile(r"Start \[(.*?)\] - Expiry \[(.*?)\] - Current \[(.*?)\]")


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal.

    Attributes:
        status: Of HTTP.
        code: Azure's, ``""`` where the answer is not Azure's.
        message: One line.
        detail: What an authentication failed of; ``""`` for answers without a body.
        at: When, by the server's clock.
        retry_after_s: The pause it asked for.
        tenant: The directory that the account trusts, if it says so.
    """

    status: int
    code: str
    message: str
    detail: str
    at: datetime | None
    retry_after_s: float | None
    tenant: str | None

    @property
    def words(self) -> str:
        """What it said, for messages: its code, or its status."""
        return f"{self.code} ({self.status})" if self.code else f"HTTP {self.status}"

    @property
    def says_expired(self) -> bool:
        """Whether a credential was good once, in its own words."""
        span = _SPAN.search(self.detail)
        if span is not None:
            _, expiry, current = (_date(text) for text in span.groups())
            return bool(expiry and current and current >= expiry)
        return "expired" in self.detail.lower() or self.code == "ExpiredAuthenticationToken"

    @property
    def says_too_early(self) -> bool:
        """Whether a credential is not good yet."""
        span = _SPAN.search(self.detail)
        if span is None:
            return "not yet valid" in self.detail.lower()
        start, _, current = (_date(text) for text in span.groups())
        return bool(start and current and current < start)


def read_answer(status: int, headers: Mapping[str, str], body: Buffer) -> Answer:
    """Read a refusal: its body where it has one, else its headers, as answers to HEAD have."""
    fields = _fields(bytes(body[:_MOST_NBYTES]))
    message = fields.get("Message", "").partition("\n")[0].strip()
    tenant = re.search(r"authorization_uri=\"?https://[^/]+/([\w-]+)/", _challenge(headers))
    return Answer(
        status=status,
        code=fields.get("Code") or headers.get("x-ms-error-code", ""),
        message=message,
        detail=fields.get("AuthenticationErrorDetail", "").strip(),
        at=_date(headers.get("date", "")),
        retry_after_s=_seconds(headers.get("retry-after")),
        tenant=tenant.group(1) if tenant else None,
    )


def _challenge(headers: Mapping[str, str]) -> str:
    return headers.get("www-authenticate", "")


def _fields(body: bytes) -> dict[str, str]:
    if not body.lstrip(b"\xef\xbb\xbf").startswith(b"<"):
        return {}
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return {}  # a proxy's page
    return {child.tag: child.text or "" for child in root} if root.tag == "Error" else {}


def _date(text: str) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError):
        found = parsedate_to_datetime(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None
