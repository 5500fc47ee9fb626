"""What a check found. Pure."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiolake.render.text import size

__all__ = ["Finding", "Verdict", "latency_text", "milliseconds", "rate_text", "worst"]


class Verdict(enum.Enum):
    """How a check went."""

    OK = "ok"
    NOTE = "note"
    """Works, and could be better."""
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was checked.
        verdict: How it went.
        detail: What was seen.
        advice: What to do, where there is something to do.
    """

    check: str
    verdict: Verdict
    detail: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "check": self.check,
            "verdict": self.verdict.value,
            "detail": self.detail,
            "advice": self.advice,
        }


def worst(findings: Sequence[Finding]) -> Verdict:
    """Failed if one has failed, else a note if there is one, else all is well."""
    seen = {finding.verdict for finding in findings}
    return next((v for v in (Verdict.FAILED, Verdict.NOTE) if v in seen), Verdict.OK)


def latency_text(seconds: Sequence[float]) -> str:
    """``median 0.4 ms, slowest 2.0 ms of 30``."""
    middle, slowest = statistics.median(seconds), max(seconds)
    return f"median {milliseconds(middle)}, slowest {milliseconds(slowest)} of {len(seconds)}"


def milliseconds(seconds: float) -> str:
    """``0.4 ms``, or ``40 us``."""
    return f"{1000 * seconds:.1f} ms" if seconds >= 0.0001 else f"{1e6 * seconds:.0f} us"


def rate_text(nbytes: int, seconds: float) -> str:
    """``8.4 MB at 812.0 MB/s``."""
    return f"{size(nbytes)} at {size(int(nbytes / max(seconds, 1e-9)))}/s"
