"""Types of samples that take time: video and audio."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import msgspec

from aiolake.errors import InvalidInputError
from aiolake.types.plain import is_int

__all__ = ["Audio", "Video"]

_MAX_SAMPLE_RATE = 655_350
_MAX_DENOMINATOR = 1_001_000


class Video(msgspec.Struct, frozen=True, tag_field="type", tag="video"):
    """Moving pictures. Encoded bytes are kept byte for byte; arrays are encoded as Motion JPEG.

    Attributes:
        rate: Frames a second of arrays, as (numerator, denominator); a number is taken too.
            ``None`` refuses arrays.
    """

    rate: tuple[int, int] | None = None

    if TYPE_CHECKING:

        def __init__(self, rate: float | Fraction | tuple[int, int] | None = None) -> None: ...

    def __post_init__(self) -> None:
        if self.rate is not None:
            rate = _fraction(self.rate)
            msgspec.structs.force_setattr(self, "rate", (rate.numerator, rate.denominator))


def _fraction(rate: object) -> Fraction:
    """A rate as a fraction: 29.97 as given, 30000/1001 by a ``Fraction`` or a pair."""
    message = f"a video's rate is frames a second above 0, as 25 or (30000, 1001); got {rate!r}"
    if isinstance(rate, tuple | list) and len(rate) == 2 and all(map(is_int, rate)):
        if rate[1] <= 0:
            raise InvalidInputError(message)
        found = Fraction(rate[0], rate[1])
    elif isinstance(rate, int | Fraction) and not isinstance(rate, bool):
        found = Fraction(rate)
    elif isinstance(rate, float) and math.isfinite(rate):
        found = Fraction(rate).limit_denominator(1001)
    else:
        raise InvalidInputError(message)
    if not 0 < found <= 10_000 or found.denominator > _MAX_DENOMINATOR:
        raise InvalidInputError(message)
    return found


class Audio(msgspec.Struct, frozen=True, tag_field="type", tag="audio"):
    """Sound. Encoded bytes are kept byte for byte, whatever their format; arrays are encoded.

    Attributes:
        sample_rate: Samples a second of arrays, 1 to 655,350 Hz. ``None`` refuses arrays.
        format: What arrays are encoded as. ``"wav"`` keeps int16 and float32 exactly; ``"flac"``
            is smaller, keeps int16 exactly and float32, within [-1, 1], to 24 bits.
    """

    sample_rate: int | None = None
    format: Literal["wav", "flac"] = "wav"

    def __post_init__(self) -> None:
        rate = self.sample_rate
        if rate is not None and not (is_int(rate) and 1 <= rate <= _MAX_SAMPLE_RATE):
            raise InvalidInputError(
                f"a sample rate is a whole number of Hz, 1 to {_MAX_SAMPLE_RATE:,}, got {rate!r}"
            )
        if self.format not in ("wav", "flac"):
            raise InvalidInputError(f"an audio's format is 'wav' or 'flac', got {self.format!r}")
