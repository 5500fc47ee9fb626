"""Credentials as values. Pure; their secrets appear in no repr and in no plain pickle."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from aiolake.credentials.dicts import text_problem
from aiolake.errors import InvalidInputError

__all__ = [
    "AccountKeyCredential",
    "AnonymousCredential",
    "AwsCredential",
    "BearerCredential",
    "Credential",
    "SasCredential",
    "is_token",
    "refuse_plain_pickling",
]


def refuse_plain_pickling(what: str) -> None:
    """Let secrets go to a child that multiprocessing is spawning, and nowhere else.

    Raises:
        InvalidInputError: This is another pickle, which may end in a file or a queue.
    """
    context = sys.modules.get("multiprocessing.context")  # not loaded, it spawns nobody
    if context is None or context.get_spawning_popen() is None:
        raise InvalidInputError(
            f"{what} holds a secret, which is not pickled: a pickle may be stored or sent "
            "anywhere. Name where the secret is instead (creds='ENV', a profile, a path, a "
            "function that fetches it), or pass it to the process in its environment"
        )


def is_token(text: str) -> bool:
    """Whether a header may hold it as one word."""
    return text.isascii() and text.isprintable() and " " not in text


class _Secret(msgspec.Struct, frozen=True):
    """A value whose repr says what it is and when it expires, and nothing else."""

    def __repr__(self) -> str:
        expires = getattr(self, "expires_at", None)
        until = f" until {expires:%Y-%m-%d %H:%M:%SZ}" if expires is not None else ""
        return f"<{type(self).__name__}{until}>"

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_plain_pickling(f"a {type(self).__name__}")
        values = tuple(getattr(self, name) for name in self.__struct_fields__)
        return type(self), values

    def _check(self, *names: str) -> None:
        """Refuse what is no text, empty, or has a line break; no value is shown."""
        kind = type(self).__name__
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, str):
                found = type(value).__name__
                raise InvalidInputError(f"{name} of an aiolake.{kind} must be text, got {found}")
            problem = text_problem(value)
            if problem is not None:
                raise InvalidInputError(f"{name} of an aiolake.{kind} {problem}")


class AnonymousCredential(msgspec.Struct, frozen=True):
    """No credential: requests are sent without one."""

    expires_at: None = None


class AwsCredential(_Secret, frozen=True):
    """Keys that sign S3 requests.

    Attributes:
        access_key_id: Its public part.
        secret_access_key: Signs.
        session_token: Of temporary keys.
        expires_at: When temporary keys end, aware; ``None`` for keys that last.

    Raises:
        InvalidInputError: A part is no text, is empty, or has a line break or spaces around it.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        optional = () if self.session_token is None else ("session_token",)
        self._check("access_key_id", "secret_access_key", *optional)


class BearerCredential(_Secret, frozen=True):
    """An OAuth access token: Google's, or Microsoft Entra's.

    Attributes:
        token: Without ``Bearer``.
        expires_at: When it ends, aware; ``None`` if that is not known.
        quota_project: The project of Google's whose quota requests count against, if they name one.

    Raises:
        InvalidInputError: The token is no text, or holds what no header may: a space, a line break.
    """

    token: str
    expires_at: datetime | None = None
    quota_project: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.token, str) or not self.token:
            self._check("token")
        if not is_token(self.token):
            raise InvalidInputError(
                "an access token holds a space, a line break, as texts read from files do, or what "
                "is not ASCII; strip it, and leave 'Bearer' out"
            )


class AccountKeyCredential(_Secret, frozen=True):
    """An Azure storage account's key, which lasts.

    Attributes:
        account_name: The account.
        account_key: In base64, as the portal shows it.

    Raises:
        InvalidInputError: A part is no text, is empty, or has a line break or spaces around it.
    """

    account_name: str
    account_key: str

    def __post_init__(self) -> None:
        self._check("account_name", "account_key")

    @property
    def expires_at(self) -> None:
        """It lasts."""
        return


class SasCredential(_Secret, frozen=True):
    """An Azure shared access signature.

    Attributes:
        sas_token: The query, without ``?``.
        expires_at: When it ends, aware; ``None`` if that is not known.

    Raises:
        InvalidInputError: It is no text, is empty, or has a line break or spaces around it.
    """

    sas_token: str
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        self._check("sas_token")


Credential: TypeAlias = (
    AnonymousCredential | AwsCredential | BearerCredential | AccountKeyCredential | SasCredential
)
