"""Azure's shared access signatures, read as the queries they are. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, unquote

from aiolake.credentials.values import SasCredential
from aiolake.errors import InvalidInputError

__all__ = ["parse_sas", "permissions_in_words", "sas_credential", "sas_field"]

_WORDS = {
    "r": "read",
    "a": "append",
    "c": "create",
    "w": "write",
    "d": "delete",
    "l": "list",
}
_WHERE = "the portal's 'Shared access signature', or: az storage container generate-sas"


def parse_sas(token: str) -> dict[str, str]:
    """The fields of a signature, decoded: ``sv``, ``sp``, ``se``, ``sig`` ...

    Args:
        token: With or without the ``?`` that begins a query.
    """
    pairs = (part.partition("=") for part in token.strip().lstrip("?").split("&") if part)
    return {name: unquote(value) for name, _, value in pairs}


def sas_credential(
    token: str, expires_at: datetime | None = None, what: str = "sas_token"
) -> SasCredential:
    """A credential of a signature as it was pasted: its ``?`` dropped, its values encoded once.

    Args:
        token: The query.
        expires_at: When it ends, where that is known better than its ``se`` says.
        what: Its name in messages.

    Raises:
        InvalidInputError: It is a whole URL, or was cut: it holds no ``sig``.
    """
    if "://" in token:
        raise InvalidInputError(
            f"{what} is a whole URL: give only what follows its '?', and the account and the "
            "container in the address az://account/container/prefix"
        )
    fields = parse_sas(token)
    if not fields.get("sig"):
        raise InvalidInputError(
            f"{what} holds no 'sig=', so it is no whole signature; copy all of it from {_WHERE}"
        )
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    return SasCredential(query, expires_at or _expiry(fields.get("se")))


def sas_field(credential: SasCredential, name: str) -> str:
    """One field of a signature, ``""`` where it has none; never ask for ``sig``."""
    return parse_sas(credential.sas_token).get(name, "")


def permissions_in_words(letters: str) -> str:
    """``'rl' (read, list)``."""
    return f"{letters!r} ({', '.join(_WORDS.get(letter, letter) for letter in letters)})"


def _expiry(text: str | None) -> datetime | None:
    """``2026-11-25``, ``2026-11-25T10:00Z`` or ``2026-11-25T10:00:00Z``; of none of these, none.

    A signature of a stored access policy (``si``) need not have one.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None  # the service will say what it thinks of it
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
