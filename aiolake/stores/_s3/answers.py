"""What S3 answered, and the error that means. Pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from aiolake.errors import (
    AiolakeError,
    CredentialExpiredError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    ThrottledError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.stores._s3.place import Place
from aiolake.stores.answers import retry_after_s, status_error
from aiolake.stores.base import Buffer

__all__ = ["Refusal", "another_region", "error_for", "is_clock_skew", "read_refusal"]

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired")
_SKEWED = ("RequestTimeTooSkewed",)
_THROTTLED = ("SlowDown", "RequestLimitExceeded", "ThrottlingException", "Throttling", "Busy")
_TRANSIENT = ("InternalError", "RequestTimeout", "OperationAborted", "ServiceUnavailable")
_UNKNOWN_KEY = ("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken")
_WRONG_KEY = ("SignatureDoesNotMatch", "AuthorizationHeaderMalformed")
_CREDENTIALS = (*_EXPIRED, *_SKEWED, *_UNKNOWN_KEY, *_WRONG_KEY)
_MOST_NBYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than the one hoped for.

    Attributes:
        status: Of HTTP.
        code: S3's, ``""`` where the answer has no body of its kind.
        message: S3's.
        region: The one it says is right, if it does.
        headers: By names in lower case.
    """

    status: int
    code: str
    message: str
    region: str | None
    headers: Mapping[str, str]

    @property
    def words(self) -> str:
        """What it said, for messages."""
        if not self.code:
            return f"HTTP {self.status}"
        return f"{self.code}: {self.message.rstrip('.')}" if self.message else self.code


def read_refusal(status: int, headers: Mapping[str, str], body: Buffer) -> Refusal:
    """Read a refusal: of its body, which answers to HEAD do not have, and its headers."""
    fields = _fields(bytes(body[:_MOST_NBYTES]))
    region = headers.get("x-amz-bucket-region") or fields.get("Region")
    return Refusal(
        status, fields.get("Code", ""), " ".join(fields.get("Message", "").split()), region, headers
    )


def another_region(refusal: Refusal, region: str) -> str | None:
    """The bucket's region where the refusal says that it is another."""
    moved = refusal.status in (301, 307) or refusal.code in (
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "IllegalLocationConstraintException",
        "IncorrectEndpoint",
    )
    moved = moved or (refusal.status == 400 and not refusal.code)  # to HEAD, without a body
    if moved and refusal.region and refusal.region != region:
        return refusal.region
    return None


def is_clock_skew(refusal: Refusal) -> bool:
    """Whether the request was dated by a wrong clock."""
    return refusal.code in _SKEWED


def error_for(refusal: Refusal, what: str, place: Place, key: str | None, url: str) -> AiolakeError:
    """The error a refusal means.

    Args:
        refusal: The answer.
        what: What was attempted: ``"reading 'chunks/x'"``.
        place: Bucket and endpoint.
        key: Of the object, if it was about one.
        url: The store's address.
    """
    code, status = refusal.code, refusal.status
    where = f"{what} in bucket {place.bucket!r} at {place.origin.url}"
    said = f"{where}: {refusal.words}"
    facts = {"bucket": place.bucket, **({} if key is None else {"key": key})}
    if code in _CREDENTIALS:
        return _of_credential(code, said, facts)
    if code == "NoSuchBucket":
        return NotFoundError(
            f"{where}: there is no such bucket; check the address's spelling, and that "
            f"endpoint_url is the store it lies on{_path_of(place)}",
            bucket=place.bucket,
        )
    if code in _THROTTLED or status == 429:
        pause = retry_after_s(refusal.headers)
        more = {} if pause is None else {"retry_after_s": pause}
        return ThrottledError(said, **more, **facts)
    if code in _TRANSIENT:
        return TransientStoreError(said, **facts)
    if status == 403:
        return PermissionDeniedError(
            f"{said}; the credential may not do this: it needs s3:{_permission(what)} on the "
            "bucket, and kms:Decrypt / kms:GenerateDataKey where objects are encrypted with KMS"
            f"{_or_missing(what)}",
            **facts,
        )
    if status in (301, 307) or code == "PermanentRedirect":
        return StoreError(
            f"{said}; the bucket is of another region: give region_name in creds=", **facts
        )
    if status == 404 and key is None:
        return NotFoundError(
            f"{said}; endpoint_url is the store's address without the bucket: check it"
            f"{_path_of(place)}",
            bucket=place.bucket,
        )
    if status == 404:
        return NotFoundError(f"there is no object {key!r} in {url}", **facts)
    return status_error(status, f"{said}{_unlike_s3(refusal)}", refusal.headers, **facts)


def _path_of(place: Place) -> str:
    """What an ``endpoint_url`` has after the server; few stores need it."""
    base = place.path.rpartition("/")[0]
    return f"; its path {base!r} seems to be too much" if base else ""


def _of_credential(code: str, said: str, facts: dict[str, str]) -> AiolakeError:
    if code in _EXPIRED or code in _SKEWED:
        advice = (
            "set the machine's clock" if code in _SKEWED else "the session token's life is over"
        )
        return CredentialExpiredError(f"{said}; {advice}", **facts)
    if code in _UNKNOWN_KEY:
        return UnauthenticatedError(
            f"{said}; check aws_access_key_id (and aws_session_token), and that they are of this "
            "store: endpoint_url and profile decide which one it is",
            **facts,
        )
    return UnauthenticatedError(
        f"{said}; check aws_secret_access_key for a missing character, and region_name", **facts
    )


def _or_missing(what: str) -> str:
    """What S3 calls forbidden, though it is not there."""
    if _permission(what) != "GetObject":
        return ""
    return (
        "; to who lacks s3:ListBucket, S3 says the same of what is not there: check the address too"
    )


def _permission(what: str) -> str:
    verbs = {"listing": "ListBucket", "deleting": "DeleteObject", "writing": "PutObject"}
    return verbs.get(what.partition(" ")[0], "GetObject")


def _unlike_s3(refusal: Refusal) -> str:
    return "" if refusal.code else "; does an S3 store answer there? see endpoint_url"


def _fields(body: bytes) -> dict[str, str]:
    if not body.lstrip().startswith(b"<"):
        return {}
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return {}  # a proxy's page
    if root.tag.rpartition("}")[2] == "ErrorResponse":  # as STS wraps it
        inner = root.find("{*}Error")
        root = root if inner is None else inner
    return {child.tag.rpartition("}")[2]: child.text or "" for child in root}
