"""Where Google's access tokens come from. Loads no vendor until a token is fetched."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from aiolake.credentials.google_creds import (
    Anonymous,
    Browser,
    Cached,
    Environment,
    Function,
    Key,
    KeyFile,
    Source,
    Static,
    VendorToken,
    bearer_of,
)
from aiolake.credentials.google_executable import LONGEST_S, are_allowed
from aiolake.credentials.google_json import GoogleJson, Metadata, read
from aiolake.credentials.google_quota import (
    quota_project,
    quota_project_of,
    with_quota_project,
)
from aiolake.credentials.google_users import BrowserProvider, SavedProvider
from aiolake.credentials.lease import FETCH_S
from aiolake.credentials.provider import CallableProvider, Provider, StaticProvider, digest
from aiolake.credentials.values import AnonymousCredential, BearerCredential
from aiolake.errors import InvalidInputError, UnauthenticatedError

__all__ = ["GoogleProvider", "provider_of"]

Now = Callable[[], datetime]
Find = Callable[[], Awaitable[tuple[Any, str | None]]]

_VENDOR = "aiolake.credentials.google_tokens"
_EXTERNAL = "aiolake.credentials.google_external"
_MODULES = {"external_account": _EXTERNAL, "impersonated_service_account": _EXTERNAL}
_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"


def provider_of(source: Source, *, now: Now, environ: Mapping[str, str] | None = None) -> Provider:
    """What gets the tokens of a source.

    Args:
        source: From ``google_creds.parse``.
        now: Tells the time.
        environ: The environment; the process's own if ``None``.
    """
    env = os.environ if environ is None else environ
    match source:
        case Anonymous():
            return StaticProvider(AnonymousCredential(), "nothing: anonymous")
        case Static(credential):
            return StaticProvider(credential, "the token in creds=")
        case Function(fn):
            return CallableProvider(fn, bearer_of, (BearerCredential, AnonymousCredential))
        case Cached():
            return SavedProvider(env, now)
        case Browser(client_secrets):
            return BrowserProvider(client_secrets, env, now, _adc(env))
        case _:
            return GoogleProvider(_plan(source, env), env, now)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How tokens of a source are got.

    Attributes:
        identity: Of the source.
        source: In words.
        find: Finds what gets tokens; and better words, if there are any.
    """

    identity: Hashable
    source: str
    find: Find


class GoogleProvider:
    """Access tokens by a credential file, the metadata server, or a vendor's token object.

    The file is read anew for each token: a key that was exchanged is found.

    Args:
        plan: What to look for.
        env: The environment.
        now: Tells the time.
    """

    def __init__(self, plan: _Plan, env: Mapping[str, str], now: Now) -> None:
        self._plan = plan
        self._now = now
        self._last: tuple[str, datetime] | None = None
        self._quota_project = quota_project(env)
        self.identity = (plan.identity, self._quota_project)
        self.source = plan.source
        self.fetch_s = FETCH_S + (LONGEST_S if are_allowed(env) else 0.0)

    async def fetch(self) -> BearerCredential:
        """A token from its source, past the vendor's cache, with its true expiry."""
        found, words = await self._plan.find()
        self.source = words or self.source
        module = _MODULES.get(found.kind if isinstance(found, GoogleJson) else "", _VENDOR)
        tokens: Any = await asyncio.to_thread(import_module, module)
        credential: BearerCredential = await tokens.token_of(found, self.source, self._now)
        return with_quota_project(self._with_its_expiry(credential), self._project(found))

    def _project(self, found: Any) -> str | None:
        """Whose quota counts: the environment's goes before the file's, as with Google's own."""
        if isinstance(found, GoogleJson):
            return self._quota_project or quota_project_of(found.info)
        return self._quota_project if isinstance(found, Metadata) else None

    def _with_its_expiry(self, credential: BearerCredential) -> BearerCredential:
        """A metadata server hands out one token for an hour, and says each time how much of it
        is left, in whole seconds: the same token keeps the expiry it had."""
        mark = digest(credential.token)
        if self._last is not None and self._last[0] == mark:
            return BearerCredential(credential.token, self._last[1])
        if credential.expires_at is not None:
            self._last = mark, credential.expires_at
        return credential


def _plan(source: Source, env: Mapping[str, str]) -> _Plan:
    match source:
        case Key(json):
            text = msgspec.json.encode(dict(json.info), order="deterministic").decode()
            return _Plan(("google", "key", digest(text)), _words(json, "creds="), _given(json))
        case VendorToken(token):
            words = f"the {type(token).__name__} object in creds="
            return _Plan(("google", "object", _mark(token)), words, _given(token))
        case KeyFile(path):
            return _Plan(("google", "file", path), path, lambda: _from_file(path, ""))
        case Environment():
            return _of_variable(env)
        case _:
            return _of_default(env)


def _mark(token: Any) -> str:
    """What tells a vendor's token from another, in other processes too."""
    data = getattr(token, "service_data", None)
    return digest(repr(sorted(data.items()))) if data else f"{os.getpid()} {id(token)}"


def _given(found: Any) -> Find:
    async def find() -> tuple[Any, str | None]:
        return found, None

    return find


def _of_variable(env: Mapping[str, str]) -> _Plan:
    path = env.get(_VARIABLE)

    async def find() -> tuple[Any, str | None]:
        if not path:
            raise UnauthenticatedError(
                f"creds='ENV' means the file that {_VARIABLE} names, and it is not set; set it to "
                "the path of a service-account JSON, or give creds='google_default'"
            )
        return await _from_file(path, f" ({_VARIABLE})")

    return _Plan(("google", "file", path), f"the file that {_VARIABLE} names", find)


def _of_default(env: Mapping[str, str]) -> _Plan:
    """As Google's own libraries look: the variable, gcloud's log-in, the metadata server.

    Source: https://cloud.google.com/docs/authentication/application-default-credentials
    """
    named = env.get(_VARIABLE)
    saved = str(_adc(env))
    host = env.get("GCE_METADATA_HOST") or env.get("GCE_METADATA_ROOT")

    async def find() -> tuple[Any, str | None]:
        if named:
            return await _from_file(named, f" ({_VARIABLE})")
        if await asyncio.to_thread(os.path.isfile, saved):
            return await _from_file(saved, " (gcloud auth application-default login)")
        tried = f"{_VARIABLE} is not set, there is no {saved}"
        return Metadata(host, tried), "this machine (by its metadata server)"

    words = "the application default credentials"
    return _Plan(("google", "default", named, saved, host), words, find)


def _adc(env: Mapping[str, str]) -> Path:
    """Where ``gcloud auth application-default login`` saves one."""
    directory = Path(env.get("CLOUDSDK_CONFIG") or "~/.config/gcloud").expanduser()
    return directory / "application_default_credentials.json"


async def _from_file(path: str, why: str) -> tuple[GoogleJson, str]:
    json = await asyncio.to_thread(_read_file, path, why)
    return json, _words(json, path + why)


def _read_file(path: str, why: str) -> GoogleJson:
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UnauthenticatedError(
            f"the Google credentials {path}{why} cannot be read: {error.strerror}; check the "
            "path, or make a key with 'gcloud iam service-accounts keys create'",
            path=path,
        ) from error
    try:
        info = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path}{why} is no service-account JSON: it is no JSON at all", path=path
        ) from error
    return read(info, path + why)


def _words(json: GoogleJson, where: str) -> str:
    account = json.info.get("client_email")
    named = f" {account}" if isinstance(account, str) else ""
    return f"the {json.kind.replace('_', ' ')}{named} of {where}"
