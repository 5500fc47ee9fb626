"""Every error aiolake raises, arranged by what a handler would do about it.

Each error is picklable, carries a stable ``code`` and keeps what it knows as attributes
(``context``). Messages say what was attempted, on what, and what to try next; they never hold a
secret or a signed URL.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AiolakeError",
    "AlreadyExistsError",
    "ClosedError",
    "ConflictError",
    "CorruptDataError",
    "CredentialExpiredError",
    "DeadlineError",
    "ForkedError",
    "FormatError",
    "HubError",
    "InvalidInputError",
    "MissingExtraError",
    "NotFoundError",
    "OutOfRangeError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "ReadOnlyError",
    "SnapshotExpiredError",
    "StoreError",
    "ThrottledError",
    "TransientStoreError",
    "UnauthenticatedError",
    "UnsupportedVersionError",
    "WrongLoopError",
]


class AiolakeError(Exception):
    """The root of every error this package raises.

    Args:
        message: What was attempted, on what, and what to try next.
        **context: Facts a handler may want (``key``, ``url``, ``column`` ...). Each is readable as
            an attribute of the error and together they are ``context``.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.context = context

    def __getattr__(self, name: str) -> Any:
        context = self.__dict__.get("context", {})
        if name in context:
            return context[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.context)


def _rebuild(cls: type[AiolakeError], message: str, context: dict[str, Any]) -> AiolakeError:
    return cls(message, **context)


class NotFoundError(AiolakeError, LookupError):
    """A dataset, object, branch, tag, snapshot or column does not exist."""

    code = "not_found"


class SnapshotExpiredError(NotFoundError):
    """The snapshot existed and was expired; its objects may be gone."""

    code = "snapshot_expired"


class AlreadyExistsError(AiolakeError):
    """What was to be created is there already."""

    code = "already_exists"


class ConflictError(AiolakeError):
    """Another commit changed what this one depends on; read again and retry."""

    code = "conflict"


class OutcomeUnknownError(AiolakeError):
    """The deadline passed before it was known whether the commit happened.

    ``write_id`` and ``slot`` identify it: ask ``await ds.find_commit(write_id, slot=slot)``.
    """

    code = "outcome_unknown"

    def __init__(self, message: str, *, write_id: str, slot: int, **context: Any) -> None:
        super().__init__(message, write_id=write_id, slot=slot, **context)


class UnauthenticatedError(AiolakeError):
    """No credential, or one the provider does not know."""

    code = "unauthenticated"


class CredentialExpiredError(UnauthenticatedError):
    """The credential was good once; get a new one."""

    code = "credential_expired"


class PermissionDeniedError(AiolakeError):
    """The credential is known and may not do this."""

    code = "permission_denied"


class StoreError(AiolakeError):
    """A store failed in a way that trying again will not mend."""

    code = "store"


class ThrottledError(StoreError):
    """The store asked for fewer requests and retries are used up."""

    code = "throttled"


class TransientStoreError(StoreError):
    """The store failed in a way that trying again may mend."""

    code = "transient_store"


class FormatError(AiolakeError):
    """Bytes are not what the format says they must be."""

    code = "format"


class CorruptDataError(FormatError):
    """A checksum does not match, or an object a snapshot needs is missing or cut short."""

    code = "corrupt_data"


class UnsupportedVersionError(FormatError):
    """Written by a newer format, or with a feature this release does not know."""

    code = "unsupported_version"


class InvalidInputError(AiolakeError, ValueError):
    """An argument was refused before anything was written."""

    code = "invalid_input"


class OutOfRangeError(InvalidInputError, IndexError):
    """A row index lies outside the dataset."""

    code = "out_of_range"


class DeadlineError(AiolakeError, TimeoutError):
    """Work did not end within the time it was given."""

    code = "deadline"


class ReadOnlyError(AiolakeError):
    """The store, the handle or the file system refuses writes."""

    code = "read_only"


class ClosedError(AiolakeError):
    """The handle, session or transaction was closed."""

    code = "closed"


class ForkedError(AiolakeError):
    """The object was made before ``fork``; open it again in the child."""

    code = "forked"


class WrongLoopError(AiolakeError):
    """The object belongs to another event loop or thread."""

    code = "wrong_loop"


class HubError(AiolakeError):
    """The hub answered with an error."""

    code = "hub"


class MissingExtraError(AiolakeError, ImportError):
    """A feature needs packages that are not installed; the message names the extra."""

    code = "missing_extra"
