"""A credential with an expiry, as a store uses it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from aiolake._aio import Clock, random_source
from aiolake.credentials.cell import Cell, Flight, landed
from aiolake.credentials.provider import Provider
from aiolake.credentials.timing import (
    Held,
    after_failure,
    after_renewal,
    for_good,
    is_usable,
    pause_s,
)
from aiolake.credentials.values import Credential
from aiolake.errors import (
    AiolakeError,
    CredentialExpiredError,
    InvalidInputError,
    TransientStoreError,
    UnauthenticatedError,
)

__all__ = ["FETCH_S", "CredentialState", "Lease", "Owner", "patience_s", "renews"]

_log = logging.getLogger("aiolake.credentials")

FETCH_S = 30.0
"""The longest that a source may take."""

_TRIES = 8
_LONGEST_SLEEP_S = 60.0
_MUCH_SKEW = timedelta(minutes=1)


def patience_s(provider: Provider) -> float:
    """The longest that a source may take: one that waits for a user says so itself."""
    return float(getattr(provider, "fetch_s", FETCH_S))


def renews(provider: Provider) -> bool:
    """Whether a source may ever give another credential: one that never does says so itself."""
    return bool(getattr(provider, "renews", True))


class Owner(Protocol):
    """What a lease asks of its keeper."""

    clock: Clock

    async def fetch(self, provider: Provider, before: Held | None) -> Credential:
        """A credential from its source, or from another process that has a newer one."""
        ...

    def fly(self, lease: Lease, flight: Flight) -> None:
        """Run a renewal in a task that belongs to nobody who waits for it."""
        ...

    def keep(self, lease: Lease) -> None:
        """Renew a lease from now on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialState:
    """What is known of the credential in use; no secret is among it.

    Attributes:
        source: Where it comes from.
        kind: What it is; ``None`` before the first request needs it.
        expires_at: When it ends; ``None`` for one that lasts.
        renewed_at: When it was got last.
        n_renewals: How often it was got, by this process.
        n_failures: How often that failed.
        last_error: How it failed last.
    """

    source: str
    kind: str | None
    expires_at: datetime | None
    renewed_at: datetime | None
    n_renewals: int
    n_failures: int
    last_error: str | None


class Lease:
    """A credential with an expiry, as a store uses it; made by ``Keeper.lease``.

    ``current()`` on the hot path, ``await get()`` where there is none, and ``await renewed(it)``
    when a server says that it expired.
    """

    def __init__(self, cell: Cell, provider: Provider, keeper: Owner) -> None:
        self._cell = cell
        self._provider = provider
        self._keeper = keeper
        self._clock = keeper.clock
        self._kept = False

    @property
    def source(self) -> str:
        """Where the credential comes from, for messages; of a chain, where it was found.

        Whoever got it last knows that, which may be another lease of the same credential.
        """
        found = self._cell.source if renews(self._provider) else None
        return found or self._provider.source

    def now(self) -> datetime:
        """The time, corrected by what servers say it is; signatures are dated with it."""
        return self._clock.now() + self._cell.skew

    def current(self) -> Credential | None:
        """The credential, or ``None`` where it must be waited for: ``await get()``.

        Cost: nothing is asked; under 1 us.
        """
        held = self._cell.held
        if held is None or not is_usable(held, self.now()):
            return None
        return held.credential

    async def get(self) -> Credential:
        """A credential that has not expired, fetched if need be, once for all who wait.

        Raises:
            UnauthenticatedError: There is none to be had.
            CredentialExpiredError: The one there was expired, and none came in its place.

        Cancellation: a fetch under way goes on for the others.
        """
        cell = self._cell
        for n_tries in range(1, _TRIES + 1):
            held, n_renewals = cell.held, cell.n_renewals
            if held is not None and is_usable(held, self.now()):
                self._keep()
                return held.credential
            await self._renew(held)
            if (credential := self.current()) is not None:
                return credential
            if cell.n_renewals != n_renewals or not _may_pass(cell.failure):
                break  # what came was refused before, or is over already; or none will come
            await self._clock.sleep(min(2.0, pause_s(n_tries, random_source().random)))
        raise self._none_to_be_had()

    async def renewed(self, refused: Credential) -> Credential:
        """Another credential than one a server has just called expired.

        Raises:
            CredentialExpiredError: Its source has no newer one.
        """
        held = self._cell.refuse(refused)
        if held is None or held.refused:
            await self._renew(held)
        return await self.get()

    def saw_date(self, date: str | None) -> None:
        """A server's ``Date`` header: the machine's clock may be wrong."""
        if date is None:
            return
        from email.utils import parsedate_to_datetime  # loads much, for what happens seldom

        with contextlib.suppress(ValueError, TypeError):
            self._cell.saw_time(parsedate_to_datetime(date), self._clock.now())

    def saw_answer(self, credential: Credential, date: str | None) -> None:
        """The ``Date`` of an answer that a credential got.

        Where that credential seems to be over, this machine's clock is wrong.
        """
        expires = credential.expires_at
        if expires is not None and expires <= self.now():
            self.saw_refusal(date)

    def saw_refusal(self, date: str | None) -> None:
        """The ``Date`` of an answer that calls the credential expired.

        It is looked at for one that nobody can renew, so that the error tells how wrong this
        machine's clock is. The life of others may be counted on that clock.
        """
        if not renews(self._provider):
            self.saw_date(date)

    def state(self) -> CredentialState:
        """What is known of it."""
        cell, held = self._cell, self._cell.held
        failure = cell.failure
        return CredentialState(
            source=self.source,
            kind=None if held is None else type(held.credential).__name__,
            expires_at=None if held is None else held.credential.expires_at,
            renewed_at=None if held is None else held.fetched_at,
            n_renewals=cell.n_renewals,
            n_failures=cell.n_failures,
            last_error=None if failure is None else str(failure),
        )

    async def _renew(self, unless_newer_than: Held | None) -> None:
        """Take part in one renewal, unless something newer is there already."""
        flight, mine = self._cell.take_off(unless_newer_than)
        if flight is None:
            return
        if mine:
            self._keeper.fly(self, flight)
        if not await landed(flight, patience_s(self._provider) + 5):
            self._cell.abandon(flight)  # the loop that flew it runs no more

    async def fly(self, flight: Flight) -> None:
        """Renew, and tell everybody; the keeper's task runs this, which no caller cancels."""
        cell, draw = self._cell, random_source().random
        before = cell.held
        try:
            credential = await self._keeper.fetch(self._provider, before)
        except asyncio.CancelledError:
            cell.abandon(flight)
            raise
        except Exception as error:
            failure = _failure(error, self.source)
            held = None if before is None else after_failure(before, self.now(), draw)
            self._log_failure(failure, held)
            cell.land(flight, held, failure)
        except BaseException:
            cell.abandon(flight)
            raise
        else:
            cell.land(flight, self._held(before, credential), None, self._provider.source)
            self._keep()

    def _held(self, before: Held | None, credential: Credential) -> Held:
        if renews(self._provider):
            return after_renewal(before, credential, self.now(), random_source().random)
        return for_good(before, credential, self.now())

    def abandon(self, flight: Flight) -> None:
        """Give up a renewal that cannot be flown; others may start one."""
        self._cell.abandon(flight)

    def _log_failure(self, failure: AiolakeError, held: Held | None) -> None:
        if held is None:
            return  # whoever waits for the first one gets the error
        expires = held.credential.expires_at
        until = (
            "has no other" if expires is None else f"the old one serves until {expires:%H:%M:%SZ}"
        )
        _log.warning("renewing the credential of %s failed, %s: %s", self.source, until, failure)

    def _keep(self) -> None:
        held = self._cell.held
        if not self._kept and held is not None and held.renew_at is not None:
            self._kept = True
            self._keeper.keep(self)

    def seconds_to_renewal(self) -> float:
        """How long until the next renewal; at most a minute, for then one looks again."""
        held = self._cell.held
        if held is None or held.renew_at is None:
            return _LONGEST_SLEEP_S
        rest = (held.renew_at - self.now()).total_seconds()
        return min(_LONGEST_SLEEP_S, max(0.0, rest))

    async def renew_if_due(self) -> None:
        """Renew at the time for it."""
        held = self._cell.held
        if held is not None and held.renew_at is not None and self.now() >= held.renew_at:
            await self._renew(held)

    def _none_to_be_had(self) -> AiolakeError:
        held, failure = self._cell.held, self._cell.failure
        if isinstance(failure, InvalidInputError):
            return failure
        if held is None and isinstance(failure, UnauthenticatedError):
            error: AiolakeError = type(failure)(failure.message, **failure.context)
        elif held is None:
            error = UnauthenticatedError(
                f"no credential could be got from {self.source}: {failure}", source=self.source
            )
        else:
            why = (
                "renewing it failed: " + str(failure)
                if failure is not None
                else "its source gives no newer one; log in again, or give new keys"
            )
            error = CredentialExpiredError(
                f"{_ended(held, self.source, self.now())}, and {why}{_clock(self._cell.skew)}",
                source=self.source,
            )
        if failure is not None:  # else a server's refusal is what led here
            error.__cause__ = failure
        return error


def _ended(held: Held, source: str, now: datetime) -> str:
    """That a credential is not good any more, and since when. Pure."""
    expires = held.credential.expires_at
    if expires is None:
        how = "was refused as expired" if held.refused else "expired"
        return f"the credential of {source} {how}"
    if expires <= now:
        return f"the credential of {source} expired at {expires:%Y-%m-%d %H:%M:%S}Z"
    return (
        f"the credential of {source} was refused as expired, although it is said to be good until "
        f"{expires:%Y-%m-%d %H:%M:%S}Z"
    )


def _clock(skew: timedelta) -> str:
    """How wrong this machine's clock is, by what a server's says. Pure."""
    if abs(skew) < _MUCH_SKEW:
        return ""
    minutes = abs(skew) / timedelta(minutes=1)
    which = "behind" if skew > timedelta(0) else "ahead of"
    return f"; this machine's clock is {minutes:.0f} min {which} the server's"


def _may_pass(failure: BaseException | None) -> bool:
    """Whether to try again; without a failure the loop that tried has ended."""
    return failure is None or isinstance(failure, TransientStoreError)


def _failure(error: Exception, source: str) -> AiolakeError:
    """Vendors' and users' exceptions as ours: what may pass is transient."""
    if isinstance(error, AiolakeError):
        return error
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    kind: type[AiolakeError] = UnauthenticatedError
    if isinstance(error, OSError | TimeoutError):
        kind = TransientStoreError
    failure = kind(f"{source} failed: {words}", source=source)
    failure.__cause__ = error
    return failure
