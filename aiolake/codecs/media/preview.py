"""A glance at a medium, for contact sheets: a video's first frame, a sound's outline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.base import Buffer
from aiolake.codecs.media.audio import samples_of
from aiolake.codecs.media.files import WholeFile
from aiolake.codecs.media.opening import opened, refused, sniff, stored
from aiolake.codecs.media.video import frames_of, video_stream

__all__ = ["first_frame", "outline"]


def first_frame(data: Buffer, max_side: int) -> NDArray[np.uint8]:
    """A video's first frame, uint8 RGB ``(h, w, 3)``, no side longer than ``max_side``.

    Raises:
        FormatError: It does not decode.
        MissingExtraError: PyAV is not installed.
    """
    with stored("video"):
        file = WholeFile(data)
        with opened(file, sniff(file)) as medium:
            frame = next(frames_of(medium, video_stream(medium)), None)
            if frame is None:
                raise refused("none of its frames decodes")
            scale = min(1.0, max_side / max(frame.height, frame.width))
            height, width = (max(1, round(side * scale)) for side in (frame.height, frame.width))
            small = frame.to_ndarray(format="rgb24", height=height, width=width)
            return np.asarray(small, np.uint8)


def outline(data: Buffer, n: int) -> NDArray[np.float32]:
    """The least and the greatest sample of ``n`` equal parts of a sound, float32 ``(n, 2)``.

    Of all channels together; a sound of fewer samples gives fewer parts.

    Raises:
        FormatError: It does not decode.
        MissingExtraError: PyAV or soundfile is not installed.
    """
    with stored("audio"):
        file = WholeFile(data)
        samples, _ = samples_of(file, sniff(file))
        starts = np.unique(np.linspace(0, len(samples), n, endpoint=False).astype(np.int64))
        starts = starts[: len(samples)]
        least = np.minimum.reduceat(samples.min(axis=1), starts)
        greatest = np.maximum.reduceat(samples.max(axis=1), starts)
        return np.stack([least, greatest], axis=1)
