"""Samples that lie outside the dataset: where they are, as values."""

from __future__ import annotations

import msgspec

from aiolake.errors import InvalidInputError
from aiolake.types.plain import is_int
from aiolake.urls import parse_link

__all__ = ["MAX_OFFSET", "MAX_URL_NBYTES", "Reference", "as_reference", "shown_url"]

MAX_URL_NBYTES = 8192
MAX_OFFSET = 1 << 62
_MAX_NAME_NBYTES = 1024


class Reference(msgspec.Struct, frozen=True):
    """A sample outside the dataset, as a column of ``Link`` stores it.

    Attributes:
        url: The object: ``file:///abs/cat.jpg``, ``s3://bucket/cats.tar``, ``https://...``.
        offset: The sample's first byte in it.
        length: Its bytes; ``None`` is to the object's end.
        etag: What the object's etag must be; with another one it is refused.
        creds_key: The name of the credential to use, which whoever opens the dataset supplies.
    """

    url: str
    offset: int = 0
    length: int | None = None
    etag: str | None = None
    creds_key: str | None = None

    def __post_init__(self) -> None:
        _check_url(self.url)
        msgspec.structs.force_setattr(self, "url", str(parse_link(self.url)))
        _check_range(self.offset, self.length)
        for name, value in (("etag", self.etag), ("creds_key", self.creds_key)):
            if value is not None:
                _check_text(name, value, _MAX_NAME_NBYTES)


def _check_url(url: object) -> None:
    """Refuse what is no address of an object.

    Raises:
        InvalidInputError: No text, empty, too long, or with control characters.
    """
    _check_text("a link's url", url, MAX_URL_NBYTES)


def _check_text(what: str, value: object, at_most: int) -> None:
    ok = isinstance(value, str) and value != "" and value.isprintable()
    if not ok or not isinstance(value, str) or len(value.encode("utf-8", "replace")) > at_most:
        raise InvalidInputError(
            f"{what} is text of 1 to {at_most} bytes without control characters, got {value!r:.80}"
        )


def _check_range(offset: object, length: object) -> None:
    """Refuse offsets and lengths that no object has."""
    if not is_int(offset) or not 0 <= offset < MAX_OFFSET:  # type: ignore[operator]
        raise InvalidInputError(f"a reference's offset is a number from 0, got {offset!r}")
    if length is None:
        return
    if not is_int(length) or not 0 <= length < MAX_OFFSET:  # type: ignore[operator]
        raise InvalidInputError(
            f"a reference's length is a number from 0, or None for the rest, got {length!r}"
        )


def shown_url(url: str) -> str:
    """An address for messages: what may be a secret, the query and a password, is left out."""
    scheme, colon, rest = url.partition("://")
    rest = rest.partition("?")[0].partition("#")[0]
    authority, slash, path = rest.partition("/")
    return f"{scheme}{colon}{authority.rpartition('@')[2]}{slash}{path}" if colon else url


def as_reference(value: object) -> Reference:
    """A reference as users write it: one, or a url alone.

    Raises:
        InvalidInputError: It is neither.
    """
    if isinstance(value, Reference):
        return value
    if isinstance(value, str):
        return Reference(str(value))
    raise InvalidInputError(
        f"expected an aiolake.Reference or the url of an object, got {type(value).__name__}"
    )
