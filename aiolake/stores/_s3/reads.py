"""Reads of ranges, signed and ready to be sent, in a few microseconds each. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from aiolake.stores._s3.signing import EMPTY_SHA256, Second
from aiolake.stores.transport.lane.head import request_bytes

__all__ = ["SignedReads"]

_PATH, _RANGE, _SIGNATURE = "\x01path\x01", "\x01range\x01", "\x01signature\x01"


class SignedReads:
    """Within one second all is the same but path, range and signature: it is put together once.

    One request is made in the ordinary way with marks in place of those three, and cut at them.

    Args:
        second: When, and who signs.
        authority: The value of ``Host``.
        headers: Others to be sent, by names in lower case.
    """

    def __init__(self, second: Second, authority: str, headers: Mapping[str, str]) -> None:
        self.second = second
        self._authority = authority
        given = {**headers, "range": _RANGE}
        added, names, canonical = second.canonical(
            "GET", _PATH, "", {"host": authority, **given}, EMPTY_SHA256
        )
        added["authorization"] = second.authorization(names, _SIGNATURE)
        request = request_bytes("GET", _PATH, authority, {**given, **added})
        self._signed = _cut(canonical.encode(), _PATH, _RANGE)
        self._sent = _cut(request, _PATH, _RANGE, _SIGNATURE)

    def serves(self, second: Second, authority: str) -> bool:
        """Whether it was made for these."""
        return self.second is second and self._authority == authority

    def request(self, path: bytes, start: int, stop: int) -> bytes:
        """A ``GET`` of the bytes ``[start, stop)`` of what lies at an encoded path."""
        span = b"bytes=%d-%d" % (start, stop - 1)
        a, b, c = self._signed
        signature = self.second.signature(b"".join((a, path, b, span, c)))
        a, b, c, d = self._sent
        return b"".join((a, path, b, span, c, signature.encode("ascii"), d))


def _cut(data: bytes, *marks: str) -> list[bytes]:
    """What lies before, between and behind marks, which come in that order."""
    parts = []
    for mark in marks:
        part, _, data = data.partition(mark.encode())
        parts.append(part)
    return [*parts, data]
