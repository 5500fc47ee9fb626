"""What doctor says of the steps to a server, by what was measured."""

from __future__ import annotations

import errno
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from aiolake.cli.doctor.findings import Verdict
from aiolake.cli.doctor.hops import (
    Attempt,
    Handshake,
    Resolved,
    answering,
    dns_finding,
    is_address,
    plain_finding,
    server_of,
    tcp_finding,
    tls_finding,
)
from aiolake.stores.transport.values import Origin, Tls

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ORIGIN = Origin("https", "store.example", 443)
TARGET = server_of(ORIGIN)
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "refused")


def untrusted(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def test_a_name_says_its_addresses_and_the_time() -> None:
    found = dns_finding(TARGET, Resolved(("10.0.0.1", "10.0.0.2"), 0.0123))
    assert found.verdict is Verdict.OK
    assert found.detail == "store.example is 10.0.0.1, 10.0.0.2; found in 12.3 ms"
    many = dns_finding(TARGET, Resolved(tuple(f"10.0.0.{i}" for i in range(8)), 0.1))
    assert "10.0.0.3 and 4 more" in many.detail


@pytest.mark.parametrize(
    ("error", "detail", "advice"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), "is not known (no)", "spelling"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "could not be looked up", "name servers"),
        (TimeoutError(), "no answer", "name servers"),
        (UnicodeError("label too long"), "label too long", "network"),
    ],
)
def test_an_unknown_name_and_a_silent_name_server_differ(
    error: Exception, detail: str, advice: str
) -> None:
    found = dns_finding(TARGET, Resolved((), 0.1, error))
    assert found.verdict is Verdict.FAILED
    assert detail in found.detail
    assert advice in found.advice


def test_a_connection_says_where_to() -> None:
    attempts = [Attempt("::1", 0.001, REFUSED), Attempt("127.0.0.1", 0.002)]
    found = tcp_finding(TARGET, attempts)
    assert (found.verdict, found.advice) == (Verdict.OK, "")  # a refusal takes no time
    assert found.detail == "connected to 127.0.0.1 port 443 in 2.0 ms"
    assert answering(attempts) == "127.0.0.1"


def test_a_silent_address_before_the_one_that_answers_is_noted() -> None:
    attempts = [Attempt("2001:db8::1", 10.0, TimeoutError()), Attempt("10.0.0.1", 0.002)]
    found = tcp_finding(TARGET, attempts)
    assert found.verdict is Verdict.NOTE
    assert "no answer from 2001:db8::1" in found.detail
    assert tcp_finding(TARGET, attempts[::-1]).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("error", "detail", "advice"),
    [
        (REFUSED, "10.0.0.1 refuses it", "check the port"),
        (TimeoutError(), "does not answer within 10 s", "firewall"),
        (OSError(errno.ENETUNREACH, "unreachable"), "cannot be reached", "VPN"),
        (OSError(errno.EPERM, "not permitted"), "fails (not permitted)", "network"),
    ],
)
def test_why_there_is_no_connection(error: Exception, detail: str, advice: str) -> None:
    attempts = [Attempt("10.0.0.1", 10.0, error)]
    found = tcp_finding(TARGET, attempts)
    assert found.verdict is Verdict.FAILED
    assert detail in found.detail
    assert advice in found.advice
    assert answering(attempts) is None


@pytest.mark.parametrize("days", [14, 80])
def test_a_certificate_that_is_good_for_long(days: int) -> None:
    shaken = Handshake(0.02, "TLSv1.3", NOW + timedelta(days=days))
    found = tls_finding(ORIGIN, shaken, NOW)
    assert found.verdict is Verdict.OK
    assert f"TLSv1.3 in 20.0 ms; the certificate is good for {days} more days" in found.detail


def test_a_certificate_that_ends_within_two_weeks() -> None:
    shaken = Handshake(0.02, "TLSv1.2", NOW + timedelta(days=13, hours=23))
    found = tls_finding(ORIGIN, shaken, NOW)
    assert found.verdict is Verdict.NOTE
    assert "13 more days, until 2026-12-09" in found.detail
    assert found.advice


def test_a_certificate_that_nobody_checks() -> None:
    assert tls_finding(ORIGIN, Handshake(0.02, "TLSv1.3"), NOW).verdict is Verdict.NOTE


@pytest.mark.parametrize(
    ("error", "detail", "advice"),
    [
        (untrusted(20, "unable to get local issuer"), "not trusted (unable", "verify="),
        (untrusted(10, "certificate has expired"), "has expired", "renew"),
        (untrusted(9, "certificate is not yet valid"), "not yet valid", "clock"),
        (untrusted(62, "Hostname mismatch"), "Hostname mismatch", "store.example is not in it"),
        (TimeoutError(), "does not answer the TLS handshake", "firewall"),
        (ConnectionResetError(104, "reset by peer"), "ended the TLS handshake (reset", "firewall"),
    ],
)
def test_why_there_is_no_tls(error: Exception, detail: str, advice: str) -> None:
    found = tls_finding(ORIGIN, Handshake(0.02, error=error), NOW)
    assert found.verdict is Verdict.FAILED
    assert detail in found.detail
    assert advice in found.advice


def test_an_authority_that_was_named_and_did_not_sign() -> None:
    origin = Origin("https", "store.example", 443, Tls(ca_file="/etc/our.pem"))
    found = tls_finding(origin, Handshake(0.02, error=untrusted(20, "no issuer")), NOW)
    assert "/etc/our.pem did not" in found.advice


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1"])
def test_what_stays_on_this_machine_needs_no_tls(address: str) -> None:
    assert plain_finding(Origin("http", "store.example", 80), address) is None


@pytest.mark.parametrize("address", ["10.0.0.1", "fe80::1%eth0", "store.example"])
def test_what_leaves_this_machine_unencrypted_is_noted(address: str) -> None:
    found = plain_finding(Origin("http", "store.example", 80), address)
    assert found is not None
    assert found.verdict is Verdict.NOTE
    assert "not encrypted" in found.detail


def test_addresses_are_told_from_names() -> None:
    assert [is_address(host) for host in ("10.0.0.1", "::1", "fe80::1%eth0")] == [True] * 3
    assert [is_address(host) for host in ("localhost", "10.0.0.1.example", "")] == [False] * 3
