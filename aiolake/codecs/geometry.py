"""Boxes and keypoints: ragged arrays that are checked, and boxes from one format to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiolake.codecs.base import Buffer, Encoded
from aiolake.codecs.convert import to_array
from aiolake.codecs.dtypes import dtype_of
from aiolake.codecs.tensor import TensorCodec
from aiolake.errors import InvalidInputError
from aiolake.types import BBox, BoxFormat, Keypoints

__all__ = ["BoxCodec", "KeypointsCodec", "convert_boxes"]

Array = NDArray[Any]

_MAX_NORMALIZED = 2.0
"""Annotations reach a little over the edge of a picture; what is larger was given in pixels."""


class _Ragged:
    """What boxes and keypoints share: a sample is a tensor whose first dimension is ragged."""

    __slots__ = ()

    _tensor: TensorCodec

    @property
    def ndim(self) -> int:
        """The rank: a sample's shape is kept beside it."""
        return self._tensor.ndim

    def decode(self, payload: Buffer, shape: tuple[int, ...]) -> Array:
        """A read-only array, a view of ``payload`` where that is aligned."""
        return self._tensor.decode(payload, shape)

    def raw(self, payload: Buffer, shape: tuple[int, ...]) -> Array:
        """As ``decode``."""
        return self._tensor.decode(payload, shape)


class BoxCodec(_Ragged):
    """A codec of ``(n, 4)`` boxes."""

    __slots__ = ("_tensor", "_type")

    def __init__(self, type: BBox) -> None:
        self._type = type
        self._tensor = TensorCodec(dtype_of(type.dtype), (None, 4))

    def encode(self, value: object) -> Encoded:
        """``(n, 4)`` numbers, nested lists of them, none, or one box as four numbers."""
        boxes = to_array(value, self._tensor.dtype)
        if boxes.size == 0 and boxes.ndim <= 2:
            boxes = boxes.reshape(0, 4)
        if boxes.shape == (4,):
            boxes = boxes.reshape(1, 4)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise InvalidInputError(
                f"expected boxes of shape (n, 4), four numbers each, got shape {boxes.shape}"
            )
        _check_boxes(boxes, self._type)
        return self._tensor.encode(boxes)


def _check_boxes(boxes: Array, type: BBox) -> None:
    numbers = boxes.astype(np.float64)
    _refuse(~np.isfinite(numbers), numbers, "is not finite")
    if type.format == "xyxy":
        _refuse(
            numbers[:, 2:] < numbers[:, :2],
            numbers,
            "ends before it begins: 'xyxy' is left, top, right, bottom (or is it 'xywh'?)",
        )
    else:
        _refuse(numbers[:, 2:] < 0, numbers, "has a negative width or height")
    if type.normalized:
        _refuse(
            np.abs(numbers) > _MAX_NORMALIZED,
            numbers,
            "looks like pixels: normalized numbers are parts of the picture's width and height",
        )


def _refuse(bad: NDArray[np.bool_], boxes: Array, reason: str) -> None:
    wrong = np.flatnonzero(bad.any(axis=1))
    if len(wrong):
        shown = ", ".join(f"{number:g}" for number in boxes[wrong[0]])
        raise InvalidInputError(f"box {wrong[0]}, ({shown}), {reason}")


class KeypointsCodec(_Ragged):
    """A codec of ``(k, n, 2)`` or ``(k, n, 3)`` points in float32."""

    __slots__ = ("_n", "_tensor")

    def __init__(self, type: Keypoints) -> None:
        self._n = type.n
        self._tensor = TensorCodec(dtype_of("float32"), (None, type.n, None))

    def encode(self, value: object) -> Encoded:
        """An array or nested lists; ``(n, 2 | 3)`` is one figure; coordinates may be NaN."""
        points = to_array(value, self._tensor.dtype)
        if points.size == 0 and points.ndim <= 1:
            points = points.reshape(0, self._n or 0, 3)
        if points.ndim == 2 and points.shape[1] in (2, 3):
            points = points[np.newaxis]
        if points.ndim != 3 or points.shape[2] not in (2, 3) or not self._has_n(points.shape[1]):
            n = "n" if self._n is None else self._n
            hint = (
                "; reshape flat lists: np.reshape(x, (-1, n, 3))" if points.ndim in (1, 2) else ""
            )
            raise InvalidInputError(
                f"expected keypoints of shape (k, {n}, 2) or (k, {n}, 3), got shape "
                f"{points.shape}{hint}"
            )
        if np.isinf(points).any():
            raise InvalidInputError("a keypoint is infinite; NaN stands for one that is not known")
        return self._tensor.encode(points)

    def _has_n(self, n: int) -> bool:
        return self._n is None or n == self._n


@dataclass(frozen=True, slots=True)
class _Form:
    format: BoxFormat
    normalized: bool


def convert_boxes(
    boxes: ArrayLike,
    from_: BBox | BoxFormat,
    to: BBox | BoxFormat,
    size: tuple[int, int] | None = None,
) -> Array:
    """Boxes of one format in another.

    Args:
        boxes: ``(..., 4)`` numbers.
        from_: What they are: a ``BBox`` type (that of a column, say) or, for pixels, the name of a
            format: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"``.
        to: What is wanted.
        size: (height, width) of the picture in pixels; needed where one is normalized and the
            other is not.

    Returns:
        A new array of shape ``(..., 4)``: float64 where that was given, as by lists of Python
        floats; else float32.

    Raises:
        InvalidInputError: Not four numbers a box, an unknown format, or no size where it is needed.
    """
    source, target = _form_of(from_), _form_of(to)
    given = np.asarray(boxes)
    dtype = np.float64 if given.dtype == np.float64 else np.float32
    if given.dtype.kind not in "biuf" and given.dtype.name != "bfloat16":
        raise InvalidInputError(f"boxes are numbers, got {given.dtype}")
    if given.shape == (0,):
        given = given.reshape(0, 4)
    if given.ndim == 0 or given.shape[-1] != 4:
        raise InvalidInputError(f"boxes have four numbers each, got shape {given.shape}")
    corners = _to_corners(given.astype(np.float64), source.format)
    corners *= _scale(source.normalized, target.normalized, size)
    return _from_corners(corners, target.format).astype(dtype)


def _form_of(given: object) -> _Form:
    if isinstance(given, BBox):
        return _Form(given.format, given.normalized)
    if given in ("xyxy", "xywh", "cxcywh"):
        return _Form(given, False)
    raise InvalidInputError(
        f"a box format is a BBox type, 'xyxy', 'xywh' or 'cxcywh'; got {given!r}"
    )


def _scale(from_normalized: bool, to_normalized: bool, size: tuple[int, int] | None) -> Array:
    if from_normalized == to_normalized:
        return np.ones(4)
    if size is None or len(size) != 2 or min(size) <= 0:
        raise InvalidInputError(
            f"between pixels and normalized boxes, size=(height, width) is needed; got {size!r}"
        )
    height, width = size
    scale = np.asarray([width, height, width, height], np.float64)
    return scale if from_normalized else 1 / scale


def _to_corners(boxes: Array, format: BoxFormat) -> Array:
    first, second = boxes[..., :2], boxes[..., 2:]
    if format == "xyxy":
        return boxes
    start = first if format == "xywh" else first - second / 2
    return np.concatenate([start, start + second], axis=-1)


def _from_corners(corners: Array, format: BoxFormat) -> Array:
    start, stop = corners[..., :2], corners[..., 2:]
    if format == "xyxy":
        return corners
    size = stop - start
    first = start if format == "xywh" else start + size / 2
    return np.concatenate([first, size], axis=-1)
