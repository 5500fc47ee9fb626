"""Types of what people and models draw on pictures: boxes, masks, keypoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, SupportsIndex, TypeAlias

import msgspec

from aiolake.dtypes import canonical_dtype, dtype_kind
from aiolake.errors import InvalidInputError
from aiolake.types.plain import check_names, is_int

if TYPE_CHECKING:
    from aiolake.dtypes import DTypeName

__all__ = ["BBox", "BoxFormat", "Keypoints", "Mask"]

BoxFormat: TypeAlias = Literal["xyxy", "xywh", "cxcywh"]

_BOX_FORMATS = ("xyxy", "xywh", "cxcywh")
_MASK_DTYPES = ("bool", "uint8", "uint16", "uint32")
_MAX_POINTS = 1 << 16


class BBox(msgspec.Struct, frozen=True, tag_field="type", tag="bbox"):
    """Boxes on a picture: any number a row, each of four numbers.

    Attributes:
        format: ``"xyxy"`` is left, top, right, bottom; ``"xywh"`` left, top, width, height;
            ``"cxcywh"`` the centre, width, height. x is to the right, y down.
        normalized: Whether the numbers are parts of the picture's width and height, rather than
            pixels.
        dtype: A float dtype; an integer one for pixels.
    """

    format: BoxFormat = "xyxy"
    normalized: bool = False
    dtype: str = "float32"

    if TYPE_CHECKING:

        def __init__(
            self,
            format: BoxFormat = "xyxy",
            normalized: bool = False,
            dtype: DTypeName = "float32",
        ) -> None: ...

    def __post_init__(self) -> None:
        if self.format not in _BOX_FORMATS:
            raise InvalidInputError(
                f"a BBox's format is 'xyxy', 'xywh' or 'cxcywh', got {self.format!r}"
            )
        if not isinstance(self.normalized, bool):
            raise InvalidInputError(f"normalized is True or False, got {self.normalized!r}")
        name = canonical_dtype(self.dtype)
        if dtype_kind(name) not in (("f",) if self.normalized else ("i", "u", "f")):
            what = "normalized boxes are floats" if self.normalized else "boxes are numbers"
            raise InvalidInputError(f"{what}, not {name}")
        msgspec.structs.force_setattr(self, "dtype", name)


class Mask(msgspec.Struct, frozen=True, tag_field="type", tag="mask"):
    """Masks over a picture: a truth value, or the number of a class, for each pixel.

    Attributes:
        dtype: ``"bool"``, ``"uint8"``, ``"uint16"`` or ``"uint32"``.
        names: Of the classes, in the order of their numbers; none allows every number.
        instances: Whether a sample is ``(h, w, n)``, a mask for each of n things, rather than
            ``(h, w)``.
        ignore: A number beside the names', such as 255, that stands for no class.
    """

    dtype: str = "uint8"
    names: tuple[str, ...] = ()
    instances: bool = False
    ignore: int | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            dtype: DTypeName = "uint8",
            names: Iterable[str] = (),
            instances: bool = False,
            ignore: int | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        name = canonical_dtype(self.dtype)
        if name not in _MASK_DTYPES:
            raise InvalidInputError(f"a Mask's dtype is one of {', '.join(_MASK_DTYPES)}: {name}")
        if not isinstance(self.instances, bool):
            raise InvalidInputError(f"instances is True or False, got {self.instances!r}")
        names = check_names(self.names, "mask names") if self.names != () else ()
        if names and name == "bool":
            raise InvalidInputError("names are those of class numbers: use Mask('uint8', names)")
        if self.ignore is not None and (
            not names or not is_int(self.ignore) or not 0 <= self.ignore < 1 << 32
        ):
            raise InvalidInputError(
                f"ignore is a class number beside the names, as 255; got {self.ignore!r} with "
                f"{len(names)} names"
            )
        msgspec.structs.force_setattr(self, "dtype", name)
        msgspec.structs.force_setattr(self, "names", names)


class Keypoints(msgspec.Struct, frozen=True, tag_field="type", tag="keypoints"):
    """Points on a picture: any number of figures a row, each of n points in float32.

    A sample is ``(k, n, 2)``, x and y in pixels, or ``(k, n, 3)`` with a visibility (COCO's 0, 1, 2
    or a score).

    Attributes:
        n: Points of a figure; ``None`` where it differs from row to row.
        names: Of the points; they say n.
        skeleton: Pairs of points that are joined by a line; numbers from 0, or names.
    """

    n: int | None = None
    names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            n: SupportsIndex | None = None,
            names: Iterable[str] = (),
            skeleton: Iterable[Iterable[SupportsIndex | str]] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        names = check_names(self.names, "names of keypoints") if self.names != () else ()
        n = len(names) or None if self.n is None else _check_points(self.n)
        if names and n != len(names):
            raise InvalidInputError(f"{n} keypoints cannot have {len(names)} names")
        skeleton = _check_skeleton(self.skeleton, n, names)
        for field, value in (("n", n), ("names", names), ("skeleton", skeleton)):
            msgspec.structs.force_setattr(self, field, value)


def _check_points(n: object) -> int:
    number = None if isinstance(n, bool) else getattr(n, "__index__", None)
    if number is None or not 1 <= number() <= _MAX_POINTS:
        raise InvalidInputError(f"the n of Keypoints is a whole number from 1, got {n!r}")
    return int(number())


def _check_skeleton(
    skeleton: object, n: int | None, names: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
    if not isinstance(skeleton, Iterable) or isinstance(skeleton, str | bytes):
        raise InvalidInputError(f"a skeleton is a list of pairs of points, got {skeleton!r:.100}")
    return tuple(_check_pair(pair, n, names) for pair in skeleton)


def _check_pair(pair: object, n: int | None, names: tuple[str, ...]) -> tuple[int, int]:
    ends = list(pair) if isinstance(pair, Iterable) and not isinstance(pair, str | bytes) else []
    if len(ends) != 2:
        raise InvalidInputError(f"a skeleton is a list of pairs of points, got {pair!r:.100}")
    return _check_end(ends[0], n, names), _check_end(ends[1], n, names)


def _check_end(end: object, n: int | None, names: tuple[str, ...]) -> int:
    if isinstance(end, str):
        if end not in names:
            raise InvalidInputError(f"the skeleton names a point {end!r} that is not in names")
        return names.index(end)
    number = None if isinstance(end, bool) else getattr(end, "__index__", None)
    if number is None or not 0 <= number() < (_MAX_POINTS if n is None else n):
        raise InvalidInputError(
            f"a skeleton joins points by their numbers from 0 (COCO's begin at 1), got {end!r}"
            f"{'' if n is None else f' of {n} points'}"
        )
    return int(number())
