"""Subject tokens from a command that a file of workload identity federation names.

Source: https://google.aip.dev/auth/4117 (determining the subject token by an executable); and
``google.auth.pluggable``, for what that leaves open.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from aiolake.credentials.command import Command, output_of
from aiolake.errors import InvalidInputError, UnauthenticatedError

__all__ = ["LONGEST_S", "are_allowed", "command_of", "subject_token", "token_in"]

Now = Callable[[], datetime]

LONGEST_S = 120.0
"""The longest that a file may allow its command to take."""

_SHORTEST_S = 5.0
_USUAL_S = 30.0
_ALLOWED = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
_VERSION = 1
_LONGEST_WORDS = 300
_EMAIL = re.compile(r"/([^/]+):generateAccessToken")
_ID_TOKENS = ("urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt")
_SAML = "urn:ietf:params:oauth:token-type:saml2"


class _Said(msgspec.Struct):
    """What a command prints, or keeps in its file."""

    version: int
    success: bool
    token_type: str = ""
    id_token: str = ""
    saml_response: str = ""
    expiration_time: float | None = None
    code: str | int = ""
    message: str = ""

    def __repr__(self) -> str:
        return "<_Said>"


def are_allowed(env: Mapping[str, str]) -> bool:
    """Whether the environment lets credential files name commands."""
    return env.get(_ALLOWED) == "1"


async def subject_token(
    info: Mapping[str, Any], source: str, now: Now, environ: Mapping[str, str] | None = None
) -> str:
    """The token that the file's command keeps, if it is still good, or prints.

    Args:
        info: The file.
        source: Where it was found, for messages.
        now: Tells the time.
        environ: The environment; the process's own if ``None``.

    Raises:
        InvalidInputError: The file's ``executable`` makes no sense.
        UnauthenticatedError: Commands are not allowed, or this one gave no token.

    Cancellation: the command, and what it started, is killed.
    """
    command = command_of(info, source, os.environ if environ is None else environ)
    file = _output_file(info)
    kept = _kept_token(await asyncio.to_thread(_read, file), now())
    if kept is not None:
        return kept
    output = await output_of(command)
    data = output.data
    if not data.strip() and output.status == 0:
        data = await asyncio.to_thread(_read, file)
    return token_in(data, output.status, command.what, now())


def command_of(info: Mapping[str, Any], source: str, env: Mapping[str, str]) -> Command:
    """The command that a file names. Pure.

    Raises:
        InvalidInputError: Its ``executable`` makes no sense.
        UnauthenticatedError: The environment does not allow it.
    """
    given = info["credential_source"]["executable"]
    named = given.get("command") if isinstance(given, Mapping) else None
    if not isinstance(named, str) or not named.split():
        raise InvalidInputError(f"'executable' of {source} has no 'command'")
    argv = tuple(named.split())  # as Google's libraries do; a shell would read more into it
    if not are_allowed(env):
        raise UnauthenticatedError(
            f"{source} takes its subject token from the command {argv[0]}, and credential files "
            f"may run commands only where {_ALLOWED}=1 is set; set it if you trust the file"
        )
    return Command(
        argv,
        {**env, **_told(info)},
        _timeout_s(given.get("timeout_millis"), source),
        f"the command {argv[0]} of {source}",
    )


def _output_file(info: Mapping[str, Any]) -> str:
    """Where the command keeps what it said last; ``""`` where it keeps nothing."""
    return str(info["credential_source"]["executable"].get("output_file") or "")


def _told(info: Mapping[str, Any]) -> dict[str, str]:
    """What the command is told by its environment."""
    email = _EMAIL.search(info.get("service_account_impersonation_url") or "")
    told = {
        "AUDIENCE": info["audience"],
        "TOKEN_TYPE": info["subject_token_type"],
        "ID": email[1] if email else "",
        "INTERACTIVE": "0",
        "REVOKE": "0",
    }
    if email:
        told["IMPERSONATED_EMAIL"] = email[1]
    if _output_file(info):
        told["OUTPUT_FILE"] = _output_file(info)
    return {f"GOOGLE_EXTERNAL_ACCOUNT_{name}": value for name, value in told.items()}


def _timeout_s(millis: Any, source: str) -> float:
    if not millis:
        return _USUAL_S
    is_number = isinstance(millis, int | float) and not isinstance(millis, bool)
    if not is_number or not _SHORTEST_S <= millis / 1000 <= LONGEST_S:
        raise InvalidInputError(
            f"'timeout_millis' of {source} is from {_SHORTEST_S * 1000:.0f} to "
            f"{LONGEST_S * 1000:.0f}, got {millis!r:.40}"
        )
    return float(millis / 1000)


def token_in(data: bytes, status: int, what: str, at: datetime) -> str:
    """The token in what a command printed. Pure.

    Args:
        data: All of it.
        status: The command's.
        what: The command, in words.
        at: The time.

    Raises:
        UnauthenticatedError: There is none, or it has ended.
    """
    try:
        said = msgspec.json.decode(data, type=_Said)
    except msgspec.MsgspecError as error:
        raise UnauthenticatedError(_unread(status, what, error)) from error
    if said.version > _VERSION:
        raise UnauthenticatedError(
            f"{what} answers in version {said.version}; known is {_VERSION}, see that it is set up "
            "for this release"
        )
    if not said.success:
        raise _failure(said, what)
    if status != 0:
        raise UnauthenticatedError(f"{what} ended with status {status}; {_BY_HAND}")
    if said.expiration_time is not None and said.expiration_time < at.timestamp():
        raise UnauthenticatedError(f"{what} gave a token that has ended; is a clock wrong?")
    return _token(said, what)


_BY_HAND = "run it by hand, with the variables that docs/stores/gcs.md lists, to see why"


def _unread(status: int, what: str, error: msgspec.MsgspecError) -> str:
    if status != 0:
        return f"{what} ended with status {status}; {_BY_HAND}"
    return f"{what} did not print a response as Google defines it ({error}); {_BY_HAND}"


def _failure(said: _Said, what: str) -> UnauthenticatedError:
    quoted = ", ".join(
        " ".join(str(part).split())[:_LONGEST_WORDS] for part in (said.code, said.message) if part
    )
    return UnauthenticatedError(
        f"{what} says that it has no token: {quoted or 'without a code or message'}",
        reason=str(said.code)[:_LONGEST_WORDS],
    )


def _token(said: _Said, what: str) -> str:
    if said.token_type in _ID_TOKENS:
        name, token = "id_token", said.id_token
    elif said.token_type == _SAML:
        name, token = "saml_response", said.saml_response
    else:
        known = ", ".join((*_ID_TOKENS, _SAML))
        raise UnauthenticatedError(
            f"{what} gave a token of the type {said.token_type[:60]!r}; known are {known}"
        )
    if not token:
        raise UnauthenticatedError(f"{what} gave no {name!r}")
    return token


def _kept_token(data: bytes, at: datetime) -> str | None:
    """A token that was kept, if it says until when it is good, and that is not over. Pure."""
    try:
        if msgspec.json.decode(data, type=_Said).expiration_time is None:
            return None
        return token_in(data, 0, "the output file", at)
    except (msgspec.MsgspecError, UnauthenticatedError):
        return None


def _read(path: str) -> bytes:
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""  # the command makes it
