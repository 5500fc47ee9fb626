"""Credentials shared by the processes of one machine: one renewal for 32 workers.

A file for each identity, readable by its owner alone, and a lock beside it that whoever renews
holds. Files hold secrets: the cache is used only where ``Options.credential_cache`` names it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import stat
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from aiolake._aio import on_child
from aiolake.credentials.provider import Provider, digest
from aiolake.credentials.timing import Held
from aiolake.credentials.values import (
    AccountKeyCredential,
    AnonymousCredential,
    AwsCredential,
    BearerCredential,
    Credential,
    SasCredential,
)
from aiolake.errors import InvalidInputError

__all__ = ["HostCache"]

_KINDS: dict[str, type[Credential]] = {
    kind.__name__: kind
    for kind in (
        AccountKeyCredential,
        AnonymousCredential,
        AwsCredential,
        BearerCredential,
        SasCredential,
    )
}
_POLL_S = 0.02
_FRESH_SHARE = 1 / 3


class _Saved(msgspec.Struct):
    kind: str
    fetched_at: datetime
    credential: msgspec.Raw


class HostCache:
    """A directory of credentials, mode 0700, its files 0600.

    Args:
        directory: Made when first used; must belong to this user, and to nobody else.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory).expanduser()

    async def fetch(
        self, provider: Provider, before: Held | None, now: Callable[[], datetime]
    ) -> Credential:
        """Another process's credential if it is newer than ours and fresh, else a new one.

        Only credentials that expire are kept.

        Raises:
            InvalidInputError: The directory is not this user's alone.
        """
        name = digest(repr(provider.identity))
        self._prepare()
        async with self._locked(name):
            found = self._load(name, now())
            if found is not None and _is_newer(found, before):
                return found
            credential = await provider.fetch()
            if credential.expires_at is not None:
                self._save(name, credential, now())
            return credential

    def _prepare(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._directory.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise InvalidInputError(
                f"the credential cache {str(self._directory)!r} must be this user's alone: "
                f"chmod 700 {str(self._directory)!r}, or choose another in "
                "Options.credential_cache"
            )

    @contextlib.asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[None]:
        """Held across the renewal; polled, since a lock that waits would hold a thread."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._directory / f"{name}.lock", flags, 0o600)
        _locks.add(fd)
        try:
            while not _try_lock(fd):  # noqa: ASYNC110 another process holds it
                await asyncio.sleep(_POLL_S)
            yield
        finally:
            _give_back(fd)

    def _load(self, name: str, now: datetime) -> Credential | None:
        """What lies there, if most of its life does not lie behind it."""
        try:
            fd = os.open(self._directory / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as file:
            data = file.read()
        try:
            saved = msgspec.json.decode(data, type=_Saved)
            credential = msgspec.json.decode(saved.credential, type=_KINDS[saved.kind])
        except (msgspec.MsgspecError, KeyError):
            return None  # of another release; the next save replaces it
        expires = credential.expires_at
        if expires is None:
            return None
        life = max(expires - saved.fetched_at, timedelta(0))
        return credential if expires - now > life * _FRESH_SHARE else None

    def _save(self, name: str, credential: Credential, now: datetime) -> None:
        raw = msgspec.Raw(msgspec.json.encode(credential))
        data = msgspec.json.encode(_Saved(type(credential).__name__, now, raw))
        new = self._directory / f"{name}.new"
        new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(data)
        new.replace(self._directory / name)


_locks: set[int] = set()
"""Open files of this process that hold a lock, or wait for one."""


def _give_back(fd: int) -> None:
    if fd not in _locks:
        return  # its parent's, closed when this process was forked
    _locks.discard(fd)
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def _after_fork() -> None:
    """A child has its parent's lock too, and would hold it on when the parent is gone."""
    for fd in _locks:
        os.close(fd)
    _locks.clear()


on_child(_after_fork)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_newer(found: Credential, before: Held | None) -> bool:
    if before is None:
        return True
    if found == before.credential:
        return False
    # Not later: what a vendor's cache or a command gives may end at one time, again and again.
    ours, theirs = before.credential.expires_at, found.expires_at
    return ours is None or (theirs is not None and theirs >= ours)
