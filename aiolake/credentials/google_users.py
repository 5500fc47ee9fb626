"""Providers of a user's own tokens: ``"browser"`` and ``"cache"``. Loads no vendor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from aiolake.credentials.google_quota import quota_project, with_quota_project
from aiolake.credentials.provider import digest
from aiolake.credentials.saved import load, path_in
from aiolake.credentials.values import BearerCredential
from aiolake.errors import InvalidInputError, UnauthenticatedError

__all__ = ["BrowserProvider", "SavedProvider"]

Now = Callable[[], datetime]

_LOGIN = "aiolake.credentials.google_login"
_LOGIN_S = 300.0
_VARIABLE = "AIOLAKE_GOOGLE_CLIENT_SECRETS"
_NO_CLIENT = (
    "creds='browser' needs an OAuth client of yours: make one of the type 'Desktop app' in the "
    "Google Cloud console (APIs and Services, Credentials), download its JSON, and name it with "
    "creds={'credentials': 'browser', 'client_secrets': PATH}, or in " + _VARIABLE
)


class SavedProvider:
    """Tokens by the log-in that ``"browser"`` saved; never opens one.

    Args:
        env: The environment.
        now: Tells the time.
    """

    def __init__(self, env: Mapping[str, str], now: Now) -> None:
        self._path = path_in(env, "google.json")
        self._now = now
        self._quota_project = quota_project(env)
        self.identity = ("google", "saved", str(self._path), self._quota_project)
        self.source = f"the log-in saved in {self._path}"

    async def fetch(self) -> BearerCredential:
        """A token, with its true expiry."""
        login: Any = await asyncio.to_thread(import_module, _LOGIN)
        credential: BearerCredential | None = await login.from_saved(self._path, self._now)
        if credential is None:
            raise UnauthenticatedError(
                "creds='cache' uses the log-in that creds='browser' saves, and there is none at "
                f"{self._path}; use 'browser' once on this machine"
            )
        return with_quota_project(credential, self._quota_project)


class BrowserProvider:
    """Tokens by the log-in that is saved, or, where there is none that works, by a new one.

    A browser opens at most once, for the first token: a job that runs is not asked in between.

    Args:
        client_secrets: The OAuth client's file, or its content; looked for if ``None``.
        env: The environment.
        now: Tells the time.
        adc: gcloud's own log-in, whose client serves where no other is named.
    """

    fetch_s = _LOGIN_S + 30.0

    def __init__(
        self,
        client_secrets: str | Mapping[str, Any] | None,
        env: Mapping[str, str],
        now: Now,
        adc: Path,
    ) -> None:
        self._given = client_secrets if client_secrets is not None else env.get(_VARIABLE) or None
        self._path = path_in(env, "google.json")
        self._adc = adc
        self._now = now
        self._quota_project = quota_project(env)
        self._served = False
        given = _mark(self._given)
        self.identity = ("google", "browser", str(self._path), given, self._quota_project)
        self.source = f"the log-in with a browser, saved in {self._path}"

    async def fetch(self) -> BearerCredential:
        """A token, with its true expiry; waits for the user where one must log in."""
        login: Any = await asyncio.to_thread(import_module, _LOGIN)
        credential: BearerCredential | None = await self._by_saved(login)
        if credential is None:
            client = await asyncio.to_thread(self._client, login)
            credential = await login.from_browser(client, self._path, self._now, timeout_s=_LOGIN_S)
        self._served = True
        return with_quota_project(credential, self._quota_project)

    async def _by_saved(self, login: Any) -> BearerCredential | None:
        try:
            found: BearerCredential | None = await login.from_saved(self._path, self._now)
        except UnauthenticatedError as error:
            if self._served or error.context.get("reason") != "invalid_grant":
                raise
            return None
        return found

    def _client(self, login: Any) -> Any:
        given = self._given
        if isinstance(given, Mapping):
            return login.client_of(given, "'client_secrets' in creds=")
        if given is not None:
            return login.client_of(_parsed(Path(given).expanduser()), given)
        saved = load(self._path)
        if saved is not None:
            return login.client_of(saved, str(self._path))
        if self._adc.is_file():
            found = _parsed(self._adc)
            if isinstance(found, Mapping) and found.get("type") == "authorized_user":
                return login.client_of(found, str(self._adc))
        raise UnauthenticatedError(_NO_CLIENT)


def _mark(given: str | Mapping[str, Any] | None) -> str | None:
    if isinstance(given, Mapping):
        return digest(msgspec.json.encode(given, order="deterministic").decode())
    return given


def _parsed(path: Path) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise UnauthenticatedError(
            f"the OAuth client's file {path} cannot be read: {error.strerror}", path=str(path)
        ) from error
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"{path} is no JSON", path=str(path)) from error
