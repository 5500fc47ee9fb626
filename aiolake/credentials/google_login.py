"""A user's log-in: asked for with a browser, saved, and renewed without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from aiolake.credentials.browser import open_and_say, waiting
from aiolake.credentials.google_json import read
from aiolake.credentials.google_refusals import refused_by
from aiolake.credentials.google_tokens import STORAGE_SCOPE, token_of
from aiolake.credentials.login import Request, new_request, url_of
from aiolake.credentials.oauth import exchange
from aiolake.credentials.saved import load, save
from aiolake.credentials.values import BearerCredential
from aiolake.errors import InvalidInputError, UnauthenticatedError

__all__ = ["Client", "client_of", "from_browser", "from_saved"]

Now = Callable[[], datetime]

_AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
_TOKEN_URI = "https://oauth2.googleapis.com/token"


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client; it is the user's, none comes with this package."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_uri: str = _AUTH_URI
    token_uri: str = _TOKEN_URI


def client_of(info: Any, where: str) -> Client:
    """The client of a parsed file: as the console gives it, or a saved log-in's.

    Raises:
        InvalidInputError: It is no desktop client's.
    """
    inner = info.get("installed", info) if isinstance(info, Mapping) else None
    if not isinstance(inner, Mapping) or "web" in inner:
        inner = {}
    values = [inner.get("client_id"), inner.get("client_secret")]
    if not all(isinstance(value, str) and value for value in values):
        raise InvalidInputError(
            f"{where} is no OAuth client of the type 'Desktop app': it has no 'installed' with "
            "'client_id' and 'client_secret'; make one in the Google Cloud console (APIs and "
            "Services, Credentials) and download its JSON"
        )
    return Client(
        str(values[0]),
        str(values[1]),
        str(inner.get("auth_uri") or _AUTH_URI),
        str(inner.get("token_uri") or _TOKEN_URI),
    )


async def from_saved(path: Path, now: Now) -> BearerCredential | None:
    """A token by the log-in that is saved; ``None`` where none is.

    Raises:
        UnauthenticatedError: It was revoked, or has ended.
    """
    info = await asyncio.to_thread(load, path)
    if info is None:
        return None
    found = read({**info, "type": "authorized_user"}, f"the saved log-in {path}")
    return await token_of(found, f"the log-in saved in {path}", now)


async def from_browser(
    client: Client, path: Path, now: Now, *, timeout_s: float
) -> BearerCredential:
    """Ask the user to log in, and save that.

    Raises:
        UnauthenticatedError: Nobody did, or it was refused.
    """
    request = new_request()
    async with waiting(request) as port:
        await open_and_say(
            url_of(client.auth_uri, client.client_id, port.redirect, STORAGE_SCOPE, request)
        )
        code = await port.code(timeout_s)
    credential, refresh_token = await _exchanged(client, code, port.redirect, request, now)
    if refresh_token is not None:
        await asyncio.to_thread(
            save,
            path,
            {
                "type": "authorized_user",
                "client_id": client.client_id,
                "client_secret": client.client_secret,
                "auth_uri": client.auth_uri,
                "token_uri": client.token_uri,
                "refresh_token": refresh_token,
            },
        )
    return credential


async def _exchanged(
    client: Client, code: str, redirect: str, request: Request, now: Now
) -> tuple[BearerCredential, str | None]:
    """The access and refresh tokens of a code."""
    source = "the log-in with the browser"
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "code_verifier": request.verifier,
    }
    asked = now()
    answer = await exchange("POST", client.token_uri, f"the token endpoint of {source}", form=form)
    if answer.status != 200:
        raise refused_by(answer.status, answer.body, source)
    try:
        granted = msgspec.json.decode(answer.body, type=_Granted)
    except msgspec.MsgspecError as error:
        raise UnauthenticatedError(f"the token endpoint of {source} gave no token") from error
    expires = asked + timedelta(seconds=granted.expires_in)
    return BearerCredential(granted.access_token, expires), granted.refresh_token


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int = 3600
    refresh_token: str | None = None

    def __repr__(self) -> str:
        return "<_Granted>"
