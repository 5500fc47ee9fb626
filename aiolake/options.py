"""The one frozen value that holds every tunable default."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from aiolake.errors import InvalidInputError

__all__ = ["Options"]

MIB = 1 << 20
_NUMBERS = (
    "max_inflight",
    "max_inflight_bytes",
    "cache_bytes",
    "decode_threads",
    "chunk_bytes",
    "small_bytes",
    "max_attempts",
    "disk_cache_bytes",
)


@functools.cache
def _n_cores() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Limits and sizes; the outermost public call owns the defaults and passes them down.

    Attributes:
        max_inflight: Requests in flight at once, over everything a session has open.
        max_inflight_bytes: Bytes of requests in flight; one larger request is admitted alone.
        cache_bytes: Bytes the in-memory cache of a session may hold.
        decode_threads: Threads that decode and encode samples.
        chunk_bytes: Target size of a chunk object, 8 to 32 MiB.
        small_bytes: A transaction with fewer payload bytes writes one object for all columns.
        durability: ``"full"`` syncs files and directories before a commit is visible (local
            stores); ``"os"`` leaves that to the operating system: a power cut may lose commits.
        commit_timeout: How long a commit may try to learn its outcome.
        request_timeout: How long one request may take before it counts as lost.
        connect_timeout: How long connecting to a server may take.
        stall_timeout: How long a server may send nothing, its first byte included.
        max_attempts: Attempts at one idempotent request, the first included.
        credential_cache: A directory (0700) where the processes of one user share credentials
            that expire, so that many workers cause one renewal; without it each process renews
            for itself.
        disk_cache: A directory (0700) where bytes fetched from remote stores are kept, for this
            process, the others of one user, and the next run; without it none are.
        disk_cache_bytes: Bytes it may hold, of all who use it; the least recently used go first.
    """

    max_inflight: int = 64
    max_inflight_bytes: int = 256 * MIB
    cache_bytes: int = 256 * MIB
    decode_threads: int = field(default_factory=_n_cores)
    chunk_bytes: int = 16 * MIB
    small_bytes: int = 8 * MIB
    durability: Literal["full", "os"] = "full"
    commit_timeout: timedelta = timedelta(seconds=60)
    request_timeout: timedelta = timedelta(seconds=60)
    connect_timeout: timedelta = timedelta(seconds=10)
    stall_timeout: timedelta = timedelta(seconds=15)
    max_attempts: int = 6
    credential_cache: str | os.PathLike[str] | None = None
    disk_cache: str | os.PathLike[str] | None = None
    disk_cache_bytes: int = 10 << 30

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            self._check_number(name, 0 if name in ("cache_bytes", "small_bytes") else 1)
        for name in ("commit_timeout", "request_timeout", "connect_timeout", "stall_timeout"):
            self._check_duration(name)
        for name in ("credential_cache", "disk_cache"):
            self._check_directory(name)
        if self.durability not in ("full", "os"):
            raise InvalidInputError(
                f"Options.durability must be 'full' or 'os', got {self.durability!r}"
            )
        if self.chunk_bytes > 32 * MIB:
            raise InvalidInputError("Options.chunk_bytes must be at most 32 MiB")

    def _check_number(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidInputError(
                f"Options.{name} is a whole number, at least {least}; got {value!r}", option=name
            )

    def _check_duration(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, timedelta) or value <= timedelta(0):
            raise InvalidInputError(
                f"Options.{name} is a datetime.timedelta longer than 0; got {value!r}", option=name
            )

    def _check_directory(self, name: str) -> None:
        value = getattr(self, name)
        path = os.fspath(value) if isinstance(value, os.PathLike) else value
        if value is not None and (not isinstance(path, str) or not path):
            raise InvalidInputError(
                f"Options.{name} is the path of a directory, or None; got {value!r}", option=name
            )
