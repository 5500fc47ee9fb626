"""Parts of videos and sounds, by time: a key frame is sought, and what follows it cut exactly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.media.audio import Samples, audio_stream, frames_of, sound_blocks
from aiolake.codecs.media.containers import Container
from aiolake.codecs.media.files import MediaFile
from aiolake.codecs.media.opening import load_av, opened, opened_sound, refused, sniff, stored
from aiolake.codecs.media.video import Frames, rate_of, video_stream
from aiolake.codecs.media.video import frames_of as pictures_of

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["AudioClip", "Span", "VideoClip", "audio_clip", "video_clip"]

_EXACT_S = 1e-6
_STEPS_BACK_S = (0.0, 1.0, 5.0, 30.0)
_SOUGHT = ("mov", "mp3")
"""Containers in which a sample's time is exact; in others samples are counted from the first."""
_PREROLL_S = 1
_SETTLED_SAMPLES = 8192
"""What a decoder hears before the part, so that it is as if it had heard all."""


class Span(msgspec.Struct, frozen=True):
    """A time: ``[start, stop)`` in seconds from a medium's first frame or sample; exact to 1 us."""

    start: float
    stop: float

    def samples(self, rate: int) -> tuple[int, int | None]:
        """The samples whose time lies in it; ``None`` is to the end."""
        first = math.ceil(round(self.start * rate, 6))
        return first, None if self.stop == math.inf else math.ceil(round(self.stop * rate, 6))


class VideoClip(msgspec.Struct, frozen=True, eq=False):
    """Some frames of a video.

    Attributes:
        frames: uint8 RGB, ``(n, h, w, 3)``.
        times: float64 ``(n,)``, when each is shown, in seconds from the video's first frame.
        rate: Frames a second, on average; 0 where it is not known.
    """

    frames: NDArray[np.uint8]
    times: NDArray[np.float64]
    rate: Fraction


class AudioClip(msgspec.Struct, frozen=True, eq=False):
    """Some samples of a sound.

    Attributes:
        samples: float32, ``(n, channels)``.
        start: When the first is heard, in seconds from the sound's first sample.
        sample_rate: Samples a second.
    """

    samples: NDArray[np.float32]
    start: float
    sample_rate: int


def video_clip(file: MediaFile, span: Span) -> VideoClip:
    """The frames of a video whose time lies in a span.

    Raises:
        FormatError: It does not decode.
        InvalidInputError: The frames take more than 4 GiB.
    """
    with stored("video"):
        container = sniff(file)
        for steps in (_STEPS_BACK_S, ()):
            with opened(file, container) as medium:
                stream = video_stream(medium)
                first = next(pictures_of(medium, stream), None)
                if first is None:
                    raise refused("none of its frames decodes")
                frames = _from_key_frame(medium, stream, first, span.start, steps)
                if frames is not None:
                    return _cut(frames, _Clock(first, stream), first, span)
            file.seek(0)
        raise AssertionError("from the first frame on there is no need to seek")


class _Clock:
    """When frames are shown, in seconds from the first."""

    def __init__(self, first: VideoFrame, stream: VideoStream) -> None:
        self._origin = first.pts if _states_times(stream) else None
        self._unit = stream.time_base or Fraction(0)
        self.rate = rate_of(stream)
        self._n = -1

    def of(self, frame: VideoFrame) -> float:
        """A frame's time; where none is stated, by the rate and how many came before."""
        self._n += 1
        if frame.pts is None or self._origin is None:
            return float(self._n / self.rate) if self.rate else float(self._n)
        return float((frame.pts - self._origin) * self._unit)


def _states_times(stream: VideoStream) -> bool:
    """AVI says when frames are decoded; where that is in another order, not when they are shown."""
    return stream.container.format.name != "avi" or not stream.codec_context.has_b_frames


def _from_key_frame(
    medium: InputContainer,
    stream: VideoStream,
    first: VideoFrame,
    start: float,
    steps: tuple[float, ...],
) -> Iterable[VideoFrame] | None:
    """Frames from a key frame at or before a time on; ``None`` if none was found by seeking.

    Args:
        medium: Its first frame has been decoded.
        stream: The video.
        first: That frame.
        start: The time.
        steps: How many seconds before the time to look; none for no seeking.
    """
    origin, unit = first.pts, stream.time_base
    if not steps or start <= 0 or origin is None or not unit or not _states_times(stream):
        return itertools.chain([first], pictures_of(medium, stream))
    clock = _Clock(first, stream)
    for step in steps:
        if start - step <= 0:
            return None
        try:
            medium.seek(origin + int((start - step) / unit), stream=stream)
        except load_av().FFmpegError:  # this container has no index, or a damaged one
            return None
        frames = pictures_of(medium, stream)
        found = next(frames, None)
        if found is not None and found.pts is None:
            return None
        if found is not None and found.key_frame and clock.of(found) <= start + _EXACT_S:
            return itertools.chain([found], frames)
    return None


def _cut(frames: Iterable[VideoFrame], clock: _Clock, first: VideoFrame, span: Span) -> VideoClip:
    kept = Frames(size=(first.height, first.width))
    times: list[float] = []
    for frame in frames:
        time = clock.of(frame)
        if time >= span.stop - _EXACT_S:
            break
        if time >= span.start - _EXACT_S:
            kept.add(frame)
            times.append(time)
    return VideoClip(kept.all(), np.asarray(times, np.float64), clock.rate)


def audio_clip(file: MediaFile, span: Span) -> AudioClip:
    """The samples of a sound whose time lies in a span.

    Of a format that loses something a part is what the whole decodes to at that place, but for
    what a decoder that began a second earlier does not know: differences far below hearing.

    Raises:
        FormatError: It does not decode.
        InvalidInputError: The samples take more than 4 GiB.
    """
    with stored("audio"):
        container = sniff(file)
        if container.sound:
            return _of_sound(file, container, span)
        for seeking in (container.demuxer in _SOUGHT, False):
            with opened(file, container) as medium:
                found = _of_stream(medium, span, seeking=seeking)
            if found is not None:
                return found
            file.seek(0)
        raise AssertionError("from the first sample on there is no need to seek")


def _of_sound(file: MediaFile, container: Container, span: Span) -> AudioClip:
    with opened_sound(file, container) as sound:
        rate = int(sound.samplerate)
        first, stop = span.samples(rate)
        samples = Samples()
        for block in sound_blocks(sound, first, stop):
            samples.add(block)
        return AudioClip(samples.all(sound.channels), first / rate, rate)


_Blocks = Iterator[tuple["AudioFrame", NDArray[Any]]]


def _of_stream(medium: InputContainer, span: Span, *, seeking: bool) -> AudioClip | None:
    """A part of a sound that PyAV decodes; ``None`` if it was to be sought and was not found."""
    stream = audio_stream(medium)
    blocks: _Blocks = frames_of(medium, stream)
    head = next(blocks, None)
    if head is None:
        raise refused("none of its sound decodes")
    rate, channels = head[0].sample_rate, head[1].shape[1]
    first, stop = span.samples(rate)
    at = 0
    if seeking and first > _PREROLL_S * rate:
        sought = _sought(medium, stream, head[0], first - _PREROLL_S * rate)
        if sought is None or sought[0] + _SETTLED_SAMPLES > first:
            return None
        at, head, blocks = sought
    samples = _between(itertools.chain([head], blocks), at, first, stop)
    return AudioClip(samples.all(channels), first / rate, rate)


def _sought(
    medium: InputContainer, stream: AudioStream, first: AudioFrame, sample: int
) -> tuple[int, tuple[AudioFrame, NDArray[Any]], _Blocks] | None:
    """The number of the first sample after a seek, and the blocks from it on."""
    unit = Fraction(stream.time_base or 0) * first.sample_rate
    if first.pts is None or unit <= 0 or unit.numerator != 1:
        return None
    try:
        medium.seek(first.pts + sample * unit.denominator, stream=stream)
        blocks = frames_of(medium, stream)
        next(blocks, None)  # of the decoder's start nothing is kept
        head = next(blocks, None)
    except load_av().FFmpegError:
        return None
    if head is None or head[0].pts is None:
        return None
    at, rest = divmod(head[0].pts - first.pts, unit.denominator)
    return None if rest or at < 0 else (at, head, blocks)


def _between(blocks: _Blocks, at: int, first: int, stop: int | None) -> Samples:
    samples = Samples()
    for _, block in blocks:
        last = len(block) if stop is None else min(len(block), stop - at)
        if last > max(0, first - at):
            samples.add(block[max(0, first - at) : last])
        at += len(block)
        if stop is not None and at >= stop:
            break
    return samples
