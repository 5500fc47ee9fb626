"""Checks of the way to a cloud: does anybody answer, who are we there, whose clock is right."""

from __future__ import annotations

from datetime import UTC, datetime
from time import perf_counter

from aiolake.cli.doctor.findings import Finding, Verdict
from aiolake.credentials.lease import CredentialState, Lease
from aiolake.errors import (
    AiolakeError,
    NotFoundError,
    PermissionDeniedError,
    TransientStoreError,
    UnauthenticatedError,
)
from aiolake.stores.scheduled import ScheduledStore

__all__ = ["check_access", "check_credential", "clock_finding", "credential_finding"]

_MISSING = "doctor/no-such-object"
_MUCH_SKEW_S = 60.0


async def check_access(store: ScheduledStore) -> list[Finding]:
    """Get a credential, and ask for an object that is not there: one round trip and its answer.

    Where one of these has failed, nothing else can work.
    """
    if store.answers_now:
        return []  # a directory, or memory
    lease = _lease(store)
    if lease is not None:
        try:
            await lease.get()
        except AiolakeError as error:
            return [Finding("credentials", Verdict.FAILED, str(error), _advice(lease))]
    began = perf_counter()
    try:
        await store.head(_MISSING)
    except NotFoundError as error:
        if "key" not in error.context:  # the bucket is missing
            return [Finding("reach", Verdict.FAILED, str(error))]
    except PermissionDeniedError as error:
        # Who may not list is told of what is missing as of what is forbidden.
        advice = (
            "reading is forbidden, or listing is: then what is missing looks forbidden too; allow "
            "both, or see whether the checks below pass"
        )
        return [_answered(began), Finding("permission", Verdict.NOTE, str(error), advice)]
    except UnauthenticatedError as error:
        return [_answered(began), Finding("credentials", Verdict.FAILED, str(error))]
    except TransientStoreError as error:
        advice = "nothing answers: check the address, endpoint_url, proxy, firewall and network"
        return [Finding("reach", Verdict.FAILED, str(error), advice)]
    except AiolakeError as error:
        return [Finding("reach", Verdict.FAILED, str(error))]
    return [_answered(began)]


def _answered(began: float) -> Finding:
    taken = 1000 * (perf_counter() - began)
    return Finding(
        "reach", Verdict.OK, f"the store answers; the first round trip took {taken:.0f} ms"
    )


def check_credential(store: ScheduledStore) -> list[Finding]:
    """Where the credential comes from, until when it is good, and whose clock is wrong."""
    lease = _lease(store)
    if lease is None:
        return []
    now = datetime.now(UTC)
    clock = clock_finding((lease.now() - now).total_seconds())
    return [credential_finding(lease.state(), lease.now()), *([clock] if clock is not None else [])]


def credential_finding(state: CredentialState, now: datetime) -> Finding:
    """What is known of a credential. Pure."""
    life = "lasts"
    if state.expires_at is not None:
        minutes = (state.expires_at - now).total_seconds() / 60
        life = f"good until {state.expires_at:%Y-%m-%d %H:%M:%S}Z ({minutes:.0f} min)"
        if minutes < 0:
            life = f"ended {state.expires_at:%Y-%m-%d %H:%M:%S}Z ({-minutes:.0f} min ago)"
    renewed = "" if state.renewed_at is None else f", got {state.renewed_at:%H:%M:%S}Z"
    detail = f"{state.kind or 'none yet'} of {state.source}; {life}{renewed}"
    if state.last_error is None:
        return Finding("credentials", Verdict.OK, detail)
    return Finding("credentials", Verdict.NOTE, detail, f"renewing it failed: {state.last_error}")


def clock_finding(skew_s: float) -> Finding | None:
    """What is wrong with this machine's clock, by what the server's says; ``None`` if little is.

    Pure.
    """
    if abs(skew_s) <= _MUCH_SKEW_S:
        return None
    return Finding(
        "clock",
        Verdict.NOTE,
        f"this machine's clock is {abs(skew_s):.0f} s {'behind' if skew_s > 0 else 'ahead'}",
        "set it (timedatectl set-ntp true): signatures and expiries are dated by it",
    )


def _lease(store: ScheduledStore) -> Lease | None:
    found = getattr(store.inner, "lease", None)
    return found if isinstance(found, Lease) else None


def _advice(lease: Lease) -> str:
    return f"it was to come from {lease.source}; see docs/credentials.md for the other ways"
