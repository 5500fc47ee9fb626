"""Errors of ours for what the Blob service refused: what to try next. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from aiolake.credentials.azure_sas import permissions_in_words, sas_field
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    BearerCredential,
    Credential,
    SasCredential,
)
from aiolake.errors import (
    AiolakeError,
    CredentialExpiredError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    StoreError,
    ThrottledError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.stores._azure.answers import Answer
from aiolake.stores._azure.place import Place
from aiolake.stores.base import CreateOutcome

__all__ = ["Asked", "created", "is_expired", "is_misdated", "refusal"]

_AUTHENTICATION = frozenset(
    {
        "AuthenticationFailed",
        "AuthorizationFailure",  # what azurite says of an expired signature
        "ExpiredAuthenticationToken",
        "InvalidAuthenticationInfo",
    }
)
_EXISTS = frozenset(
    {"BlobAlreadyExists", "BlobImmutableDueToPolicy", "ConditionNotMet", "LeaseIdMissing"}
)
"""The last three are said of blobs that are there."""
_MISDATED = timedelta(minutes=5)
"""The service takes signatures dated up to 15 minutes from its own clock."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, for messages and advice.

    Attributes:
        verb: ``read``, ``list``, ``create``, ``write``, ``delete``.
        key: Of an object, or the prefix to list.
        place: Where.
        needs: Permissions of a signature of which one is enough.
    """

    verb: str
    key: str
    place: Place
    needs: str

    @property
    def what(self) -> str:
        """For messages: ``read 'a/b' in az://account/container``."""
        return f"{self.verb} {self.key!r} in {self.place.url}"

    def error(self, kind: type[AiolakeError], answer: Answer, advice: str) -> AiolakeError:
        """What was attempted, on what, what the service said, and what to try next."""
        said = answer.words + (f": {answer.message.rstrip('.')}" if answer.message else "")
        said += "; " if advice else ""
        context: dict[str, object] = {"key": self.key, "url": self.place.url}
        context["status"] = answer.status
        if answer.retry_after_s is not None:
            context["retry_after_s"] = answer.retry_after_s
        return kind(f"could not {self.what}: {said}{advice}", **context)


def is_expired(answer: Answer, credential: Credential) -> bool:
    """Whether a credential was refused for its age, so that a new one may do.

    An answer to HEAD has no words for it, nor has azurite for signatures: then the expiry we know
    and the server's clock tell, and a token that was refused without a word is asked for once more.
    """
    if answer.status not in (401, 403) or answer.code not in _AUTHENTICATION:
        return False
    if answer.says_expired:
        return True
    expires = credential.expires_at
    if expires is not None and answer.at is not None and answer.at >= expires:
        return True
    wordless = not answer.detail and not answer.message and answer.code != "AuthorizationFailure"
    return wordless and isinstance(credential, BearerCredential)


def is_misdated(answer: Answer, credential: Credential, skew: timedelta) -> bool:
    """Whether a signature was refused for its date: the machine's clock is wrong.

    Args:
        answer: The refusal.
        credential: Signed the request.
        skew: How far the server's clock is from the date that was signed.
    """
    refused = answer.status == 403 and answer.code == "AuthenticationFailed"
    return refused and isinstance(credential, AccountKeyCredential) and abs(skew) > _MISDATED


def refusal(asked: Asked, answer: Answer, credential: Credential, source: str) -> AiolakeError:
    """The error for an answer.

    Args:
        asked: The request.
        answer: Of a status that does not answer it.
        credential: It was sent with.
        source: Where that came from.
    """
    if is_expired(answer, credential):
        ends = credential.expires_at
        since = "" if ends is None else f": it was good until {ends:%Y-%m-%d %H:%M:%S}Z"
        advice = f"the credential of {source} has expired{since}; get a new one"
        return asked.error(CredentialExpiredError, answer, advice)
    named = _BY_CODE.get(answer.code)
    if named is not None:
        return named(asked, answer, credential, source)
    return _by_status(asked, answer)


def created(answer: Answer) -> CreateOutcome | None:
    """What a 409 or 412 means for a create-only put; ``None`` where it is a refusal."""
    if answer.code in _EXISTS or (answer.status == 412 and not answer.code):
        return CreateOutcome.EXISTS
    return None


def _by_status(asked: Asked, answer: Answer) -> AiolakeError:
    status = answer.status
    if status == 429 or (status == 503 and answer.code in ("", "ServerBusy")):
        return asked.error(ThrottledError, answer, "ask for less at once, or try later")
    if status >= 500 or status == 408:
        return asked.error(TransientStoreError, answer, "try again")
    if status == 401:
        return asked.error(UnauthenticatedError, answer, _WHO)
    if status == 403:
        return asked.error(PermissionDeniedError, answer, "see what the credential may do there")
    if status == 404:
        return asked.error(NotFoundError, answer, _WITHOUT if asked.verb == "list" else "")
    if status == 409:
        # Of a create-only put that may mean anything: it is looked at again.
        return asked.error(TransientStoreError, answer, "something else is done there; try again")
    if 300 <= status < 400:
        return asked.error(StoreError, answer, "is the endpoint that of a Blob service?")
    return asked.error(StoreError, answer, "")


_WITHOUT = "endpoint_url ends with the account: is the container in it, or another path?"
_WHO = "give creds=, see docs/stores/azure.md; or run: az login"
_Refuse = Callable[[Asked, Answer, Credential, str], AiolakeError]


def _with(kind: type[AiolakeError], advice: str) -> _Refuse:
    def refuse(asked: Asked, answer: Answer, credential: Credential, source: str) -> AiolakeError:
        return asked.error(kind, answer, advice.format(place=asked.place))

    return refuse


def _not_authenticated(
    asked: Asked, answer: Answer, credential: Credential, source: str
) -> AiolakeError:
    return asked.error(UnauthenticatedError, answer, _why(asked, answer, credential, source))


def _why(asked: Asked, answer: Answer, credential: Credential, source: str) -> str:
    if isinstance(credential, BearerCredential):
        return _why_token(asked, answer, source)
    if isinstance(credential, AnonymousCredential):
        return f"nothing was given to prove who asks; {_WHO}"
    if answer.says_too_early:
        return f"the credential of {source} is not good yet; is this machine's clock right?"
    if isinstance(credential, SasCredential):
        return (
            f"the signature of {source} is not one of the account {asked.place.account!r} for "
            "this: it was cut, made for another container, or its key was changed; make a new one"
        )
    return (
        f"the key of {source} is not a key of the account {asked.place.account!r}, or was changed; "
        f"see: az storage account keys list --account-name {asked.place.account}"
    )


def _why_token(asked: Asked, answer: Answer, source: str) -> str:
    detail = answer.detail.lower()
    if "issuer" in detail:
        tenant = answer.tenant or "the account's tenant"
        return (
            f"the token of {source} is of another tenant than the account "
            f"{asked.place.account!r}; try: az login --tenant {tenant}, or tenant_id in creds="
        )
    if "audience" in detail:
        return (
            f"the token of {source} is for another service; ask for the scope "
            "https://storage.azure.com/.default"
        )
    why = f" ({answer.detail})" if answer.detail else ""
    return f"the token of {source} was refused{why}; log in again"


def _not_permitted(
    asked: Asked, answer: Answer, credential: Credential, source: str
) -> AiolakeError:
    if isinstance(credential, SasCredential):
        has = permissions_in_words(sas_field(credential, "sp"))
        advice = (
            f"the signature of {source} allows only {has}, and this needs one of "
            f"{permissions_in_words(asked.needs)}; make one that does"
        )
    else:
        advice = (
            f"{source} has no role for it: assign {_role(asked)!r} on the account "
            f"{asked.place.account!r} or its container (Owner and Contributor are not enough; a "
            "new role takes some minutes)"
        )
    return asked.error(PermissionDeniedError, answer, advice)


def _role(asked: Asked) -> str:
    reads = asked.verb in ("read", "list")
    return "Storage Blob Data Reader" if reads else "Storage Blob Data Contributor"


def _not_authorized(
    asked: Asked, answer: Answer, credential: Credential, source: str
) -> AiolakeError:
    advice = (
        f"either the firewall of the account {asked.place.account!r} lets nobody in from here (its "
        f"'Networking' page), or the credential of {source} is not one of this account"
    )
    return asked.error(PermissionDeniedError, answer, advice)


def _no_resource(asked: Asked, answer: Answer, credential: Credential, source: str) -> AiolakeError:
    """What an anonymous request to a private container is told, there or not."""
    if not isinstance(credential, AnonymousCredential):
        return asked.error(NotFoundError, answer, "")
    advice = f"the container {asked.place.container!r} is not public, or is not there; {_WHO}"
    return asked.error(PermissionDeniedError, answer, advice)


_BY_CODE: dict[str, _Refuse] = {
    "AuthenticationFailed": _not_authenticated,
    "ExpiredAuthenticationToken": _not_authenticated,
    "InvalidAuthenticationInfo": _not_authenticated,
    "NoAuthenticationInformation": _not_authenticated,
    "AuthorizationFailure": _not_authorized,
    "AuthorizationPermissionMismatch": _not_permitted,
    "InsufficientAccountPermissions": _not_permitted,
    "AuthorizationProtocolMismatch": _with(
        PermissionDeniedError, "the signature is for https alone; see endpoint_url"
    ),
    "AuthorizationSourceIPMismatch": _with(
        PermissionDeniedError, "the signature is for other addresses ('sip') than this machine's"
    ),
    "AuthorizationServiceMismatch": _with(
        PermissionDeniedError, "the signature is for another service: 'ss' must hold 'b'"
    ),
    "AuthorizationResourceTypeMismatch": _with(
        PermissionDeniedError, "the signature's 'srt' must hold 'c' (lists) and 'o' (blobs)"
    ),
    "KeyBasedAuthenticationNotPermitted": _with(
        PermissionDeniedError,
        "the account {place.account!r} takes no keys nor signatures made with them: leave creds= "
        "out and run: az login",
    ),
    "PublicAccessNotPermitted": _with(
        PermissionDeniedError, "the account {place.account!r} allows nobody unknown; " + _WHO
    ),
    "AccountIsDisabled": _with(
        PermissionDeniedError, "the account {place.account!r} is disabled; is it paid for?"
    ),
    "BlobImmutableDueToPolicy": _with(
        PermissionDeniedError, "a policy of the container keeps its blobs as they are"
    ),
    "BlobArchived": _with(
        StoreError, "it lies in the archive tier, and is read only after it was rehydrated"
    ),
    "SnapshotsPresent": _with(
        StoreError, "it has snapshots, which are kept: delete them first, if you mean it"
    ),
    "LeaseIdMissing": _with(
        StoreError, "somebody holds a lease on it: az storage blob lease break"
    ),
    "ContainerNotFound": _with(
        NotFoundError,
        "check the address, or: az storage container create --account-name {place.account} "
        "--name {place.container}",
    ),
    "ContainerBeingDeleted": _with(
        TransientStoreError, "it is being deleted, which takes 30 s or more"
    ),
    "ResourceNotFound": _no_resource,
    "InvalidResourceName": _with(InvalidInputError, "check the container's name in the address"),
    "Md5Mismatch": _with(TransientStoreError, "the bytes changed on their way; try again"),
}
