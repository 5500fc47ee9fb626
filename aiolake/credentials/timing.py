"""When a credential is renewed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from aiolake.credentials.values import Credential

__all__ = ["Held", "after_failure", "after_renewal", "for_good", "is_usable", "pause_s"]

_SHARE = 2 / 3
_JITTER = 0.1
_LEAST_REST = timedelta(seconds=30)
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 60.0


class Held(msgspec.Struct, frozen=True):
    """A credential and what is known of its renewal.

    Attributes:
        credential: Serves until it truly expires.
        fetched_at: When it came.
        renew_at: When to try the next time; ``None`` for one that does not expire, or that nobody
            can renew.
        n_failures: Renewals that failed since it came.
        refused: A store has said that it expired, whatever its source says.
    """

    credential: Credential
    fetched_at: datetime
    renew_at: datetime | None
    n_failures: int = 0
    refused: bool = False


def is_usable(held: Held, now: datetime) -> bool:
    """Whether a credential may be sent: judged by the wall clock, corrected by the server's.

    One that nobody can renew is sent until a server refuses it: this machine's clock may be wrong,
    and there is nothing else to send.
    """
    if held.refused:
        return False
    expires = held.credential.expires_at
    return expires is None or held.renew_at is None or now < expires


def for_good(before: Held | None, credential: Credential, now: datetime) -> Held:
    """What is held of a credential that is not to be renewed."""
    refused = before is not None and before.refused and before.credential == credential
    return Held(credential, now, None, refused=refused)


def after_renewal(
    before: Held | None, credential: Credential, now: datetime, draw: Callable[[], float]
) -> Held:
    """What is held once a renewal has brought a credential.

    It is renewed at about two thirds of its life. One with the expiry of the one before is no
    failure (its source hands out one until it nearly ends): the next try is after half of the
    rest, at least 30 s.

    Args:
        before: What was held.
        credential: What came.
        now: The corrected time.
        draw: From [0, 1); so that processes started together do not renew together.
    """
    expires = credential.expires_at
    if expires is None:
        return for_good(before, credential, now)
    refused = before is not None and before.refused and before.credential == credential
    rest = max(expires - now, timedelta(0))
    if before is not None and before.credential.expires_at == expires:
        return Held(credential, now, now + max(_LEAST_REST, rest / 2), refused=refused)
    share = _SHARE + _JITTER * (2 * draw() - 1)
    return Held(credential, now, now + rest * share)


def after_failure(held: Held, now: datetime, draw: Callable[[], float]) -> Held:
    """What is held once a renewal has failed: the same, to be tried again after a pause."""
    n_failures = held.n_failures + 1
    pause = pause_s(n_failures, draw)
    expires = held.credential.expires_at
    if expires is not None and expires > now:
        # Several tries still fit into what is left of its life.
        pause = min(pause, max((expires - now).total_seconds() / 4, _FIRST_PAUSE_S))
    return Held(
        held.credential,
        held.fetched_at,
        now + timedelta(seconds=pause),
        n_failures,
        held.refused,
    )


def pause_s(n_failures: int, draw: Callable[[], float]) -> float:
    """Seconds before a try that follows so many failures: exponential, with jitter."""
    longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(n_failures - 1, 16))
    return longest * (0.5 + 0.5 * draw())
