"""Bounded numbers and names that stored values are made of."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from aiolake.keys import MAX_ENTRY

__all__ = ["Count", "Crc", "Id", "LogNumber"]

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
Crc: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
LogNumber: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_ENTRY)]
Id: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z2-7]{26}\Z")]
