"""Video: encoded bytes are checked and kept, arrays become Motion JPEG; RGB frames come out.

Frames come out as uint8 RGB, ``(n, h, w, 3)``, converted as FFmpeg does by default. They have the
size of the first; a later one of another size is scaled to it, as players do. Rotation that a file
asks of players is not applied. A frame that is damaged inside and that the decoder can still make
a picture of comes out as that picture.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.base import Buffer, Encoded, describe
from aiolake.codecs.image import MAX_PIXELS
from aiolake.codecs.media.containers import Container
from aiolake.codecs.media.files import MediaFile, WholeFile
from aiolake.codecs.media.opening import checked_media, load_av, opened, refused, sniff, stored
from aiolake.errors import InvalidInputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = [
    "MAX_DECODED_NBYTES",
    "Frames",
    "VideoCodec",
    "frames_of",
    "probe",
    "rate_of",
    "video_stream",
]

Array = NDArray[Any]
Shape = tuple[int, ...]

MAX_DECODED_NBYTES = 4 << 30
"""More is not decoded at once: a short file can hold days of one picture."""
MAX_FRAMES = 1 << 26
_MAX_U32 = (1 << 32) - 1
_MJPEG_SIDE = 65_500
_MJPEG_QUALITY = "2"  # of 1 to 31, the lower the better


@dataclass(frozen=True, slots=True)
class VideoCodec:
    """A codec of video.

    Attributes:
        rate: Frames a second of arrays, as numerator and denominator; ``None`` refuses arrays.
    """

    rate: tuple[int, int] | None = None

    @property
    def ndim(self) -> int:
        """6: frames, height, width, rate (numerator, denominator), milliseconds."""
        return 6

    def encode(self, value: object) -> Encoded:
        """A video.

        Args:
            value: An encoded video as bytes, kept as it is once it has been demuxed and its first
                frame decoded; or, with a ``rate``, frames ``(n, h, w, 3)`` of uint8.
        """
        if isinstance(value, bytes | bytearray | memoryview):
            return checked_media(bytes(value), "video", probe)
        return checked_media(_write_frames(_frames_given(value), self.rate), "video", probe)

    def decode(self, payload: Buffer, shape: Shape = ()) -> Array:
        """All frames, uint8 RGB ``(n, h, w, 3)``.

        Raises:
            FormatError: It does not decode, or to another size than ``shape`` says.
            InvalidInputError: Its frames take more than 4 GiB.
        """
        with stored("video"):
            file = WholeFile(payload)
            with opened(file, sniff(file)) as medium:
                frames = Frames(shape[0] if shape else 0)
                for frame in frames_of(medium, video_stream(medium)):
                    frames.add(frame)
            pixels = frames.all()
            if not len(pixels) or (shape and pixels.shape[1:3] != shape[1:3]):
                raise ValueError(
                    f"its frames are {pixels.shape}, and the manifest says {shape or 'nothing'}"
                )
            return pixels

    def raw(self, payload: Buffer, shape: Shape = ()) -> bytes:
        """The encoded video as it was given."""
        return bytes(payload)


class Frames:
    """Frames as one array, growing.

    Args:
        expected: How many there will be, if that is known.
        size: Height and width; those of the first by default.
    """

    def __init__(self, expected: int = 0, *, size: tuple[int, int] = (0, 0)) -> None:
        self._expected = expected
        self._array: Array = np.empty((0, *size, 3), np.uint8)
        self._n = 0

    def add(self, frame: VideoFrame) -> None:
        """One more.

        Raises:
            InvalidInputError: Together they take more than 4 GiB.
        """
        if self._n == len(self._array):
            self._grow(frame)
        _, height, width, _ = self._array.shape
        rgb = frame.to_ndarray(format="rgb24", width=width, height=height)
        self._array[self._n] = rgb
        self._n += 1

    def _grow(self, frame: VideoFrame) -> None:
        size = self._array.shape[1:]
        if not size[0]:
            size = (frame.height, frame.width, 3)
        most = MAX_DECODED_NBYTES // math.prod(size)
        if self._n >= most:
            raise InvalidInputError(
                f"more than {most:,} frames of {size[1]} x {size[0]} pixels take more than "
                f"{MAX_DECODED_NBYTES >> 30} GiB decoded; read a part of the video with "
                "aiolake.read_clip, or its bytes with decode=False"
            )
        wanted = 2 * self._n if self._n else max(self._expected, 1)
        grown = np.empty((min(wanted, most), *size), np.uint8)
        if self._n:
            grown[: self._n] = self._array[: self._n]
        self._array = grown

    def all(self) -> Array:
        """Those added, ``(n, h, w, 3)``."""
        return self._array[: self._n]


def video_stream(medium: InputContainer) -> VideoStream:
    """The first video of a file that is no cover of a sound, set to be decoded in one thread."""
    from av.stream import Disposition

    for stream in medium.streams.video:
        if Disposition.attached_pic not in stream.disposition:
            _check_stream(stream)
            # The session's threads are as many as its options say.
            stream.codec_context.thread_count = 1
            return stream
    raise refused("it holds no video")


def _check_stream(stream: VideoStream) -> None:
    context = stream.codec_context
    if context is None:
        raise refused("its codec is not known")
    if context.width * context.height > MAX_PIXELS:
        raise refused(
            f"{context.width} x {context.height} pixels are more than {MAX_PIXELS:,} a frame"
        )


def frames_of(medium: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames from where the file is, in the order they are shown."""
    for frame in medium.decode(stream):
        if frame.width * frame.height > MAX_PIXELS:
            raise refused(f"a frame of {frame.width} x {frame.height} pixels is too large")
        yield frame


def rate_of(stream: VideoStream) -> Fraction:
    """Frames a second, on average; 0 where it is not known."""
    rate = stream.average_rate or stream.guessed_rate or 0
    return max(Fraction(0), Fraction(rate).limit_denominator(_MAX_U32 >> 12))


def probe(file: MediaFile, container: Container) -> Shape:
    """The shape numbers of a file: every packet is looked at, the first frame decoded."""
    with opened(file, container) as medium:
        stream = video_stream(medium)
        first: VideoFrame | None = None
        tally = _Tally()
        for packet in medium.demux(stream):
            if first is None:
                first = next(iter(packet.decode()), None)
            if packet.size and not packet.is_discard:
                tally.add(packet.pts if packet.pts is not None else packet.dts, packet.duration)
        if first is None:
            raise refused(f"none of its {tally.n} frames decodes")
        rate = rate_of(stream)
        duration = tally.duration_s(stream.time_base, rate)
        return (
            tally.n,
            first.height,
            first.width,
            rate.numerator,
            rate.denominator,
            min(_MAX_U32, round(duration * 1000)),
        )


class _Tally:
    """How many packets there are, and from when to when."""

    def __init__(self) -> None:
        self.n = 0
        self._start = self._stop = self._last = 0

    def add(self, pts: int | None, duration: int | None) -> None:
        self.n += 1
        if self.n > MAX_FRAMES:
            raise refused(f"it has more than {MAX_FRAMES:,} frames")
        if pts is None:
            return
        self._start = pts if self.n == 1 else min(self._start, pts)
        if self.n == 1 or pts >= self._last:
            self._last, self._stop = pts, pts + (duration or 0)

    def duration_s(self, time_base: Fraction | None, rate: Fraction) -> Fraction:
        """Until the last frame is gone; by the rate, where its own time is not stated."""
        one = 1 / rate if rate > 0 else Fraction(0)
        if time_base is None or self._last == self._start:
            return one * self.n
        return (self._stop - self._start) * time_base + (one if self._stop == self._last else 0)


def _frames_given(value: object) -> Array:
    if not hasattr(value, "__array__"):
        is_path = isinstance(value, str | os.PathLike)
        hint = "; read the file: pathlib.Path(path).read_bytes()" if is_path else ""
        raise InvalidInputError(
            f"expected an encoded video (bytes) or an array of frames, got {describe(value)}{hint}"
        )
    array = np.asarray(value)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or not array.size:
        raise InvalidInputError(
            f"expected frames (n, h, w, 3) of uint8, at least one, got {describe(array)}"
        )
    if max(array.shape[1:3]) > _MJPEG_SIDE or array.shape[1] * array.shape[2] > MAX_PIXELS:
        raise InvalidInputError(f"frames of {describe(array)} are too large to be stored")
    return array


def _write_frames(frames: Array, rate: tuple[int, int] | None) -> bytes:
    """Motion JPEG in Matroska: every frame is a key frame, and any FFmpeg can write it."""
    if rate is None:
        raise InvalidInputError(
            "an array of frames needs a rate: declare the column as Video(rate=25), or give the "
            "encoded video as bytes"
        )
    av = load_av()
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as medium:
        quality = {"qmin": _MJPEG_QUALITY, "qmax": _MJPEG_QUALITY}
        stream = medium.add_stream("mjpeg", rate=Fraction(*rate), options=quality)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuvj420p"
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            medium.mux(stream.encode(frame))
        medium.mux(stream.encode(None))
    return out.getvalue()
