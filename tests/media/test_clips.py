"""Parts of media by time are what the whole decodes to there, whatever has to be sought."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiolake import FormatError, InvalidInputError
from aiolake.codecs.media import video as video_module
from aiolake.codecs.media.clips import Span, audio_clip, video_clip
from aiolake.codecs.media.files import RangedFile, WholeFile
from aiolake.codecs.media.preview import first_frame, outline
from tests.media.files import (
    SOUNDS,
    VIDEOS,
    WAVES,
    frames_in,
    samples_in,
    sound,
    times_in,
    video,
    waveform,
)

EXACT = [*WAVES, "opus webm", "flac mp4", "alac m4a", "mp3 mkv", "aac ts", "aac"]
LOSSY_AND_SOUGHT = ["mp3", "m4a"]


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_frames_of_any_span(name: str, rate: Fraction) -> None:
    data = video(name, 60, rate=rate, gop=12)
    frames, times = frames_in(data), np.asarray(times_in(data))
    for start, stop in ((0.0, 0.5), (0.0, 99.0), (0.48, 0.52), (0.7, 1.3), (1.9, 5.0), (0.6, 0.6)):
        clip = video_clip(WholeFile(data), Span(start, stop))
        wanted = (times >= start - 1e-6) & (times < stop - 1e-6)
        np.testing.assert_allclose(clip.times, times[wanted], atol=1e-9)
        np.testing.assert_array_equal(clip.frames, frames[wanted])
        assert clip.rate == pytest.approx(rate, rel=0.02)
    assert video_clip(WholeFile(data), Span(9, 10)).frames.shape == (0, *frames.shape[1:])


@settings(max_examples=30)
@given(st.floats(0, 2.5), st.floats(0, 1), st.sampled_from(["h264 mp4", "vp9 webm", "mpeg4 avi"]))
def test_frames_of_random_spans(start: float, length: float, name: str) -> None:
    data = video(name, 60, gop=12)
    times = np.asarray(times_in(data))
    clip = video_clip(WholeFile(data), Span(start, start + length))
    wanted = (times >= start - 1e-6) & (times < start + length - 1e-6)
    np.testing.assert_array_equal(clip.frames, frames_in(data)[wanted])


@pytest.mark.parametrize("name", [*SOUNDS, *WAVES])
@pytest.mark.parametrize(("channels", "rate"), [(2, 48_000), (1, 16_000)])
def test_samples_of_any_span(name: str, channels: int, rate: int) -> None:
    data = (sound if name in SOUNDS else waveform)(name, 4 * rate, channels, rate)
    whole = samples_in(data)
    for start, stop in ((0.0, 0.1), (0.37, 0.371), (2.5, 2.75), (3.9, 9.0), (1.0, 1.0)):
        clip = audio_clip(WholeFile(data), Span(start, stop))
        first, last = (min(len(whole), round(t * clip.sample_rate)) for t in (start, stop))
        assert clip.samples.dtype == np.float32
        assert clip.samples.shape == (last - first, channels)
        assert clip.start == start
        lossy = name in (*LOSSY_AND_SOUGHT, "vorbis", "opus") and start > 0
        atol = 2e-3 if lossy else 1e-7
        np.testing.assert_allclose(clip.samples, whole[first:last], atol=atol)
    assert len(audio_clip(WholeFile(data), Span(9, 10)).samples) == 0


@settings(max_examples=50)
@given(st.integers(0, 4000), st.integers(0, 4000))
def test_a_span_of_samples_is_exact(first: int, n: int) -> None:
    data = waveform("wav float", 8000, 2, 16_000)
    clip = audio_clip(WholeFile(data), Span(first / 16_000, (first + n) / 16_000))
    np.testing.assert_array_equal(clip.samples, samples_in(data)[first : first + n])
    assert clip.start == first / 16_000


@pytest.mark.parametrize("name", ["h264 mp4", "h264 mkv", "mpeg4 avi", "h264 ts"])
def test_a_damaged_medium_is_a_format_error(name: str) -> None:
    data = bytearray(video(name, 60, gop=12))
    data[: len(data) // 3] = bytes(len(data) // 3)
    with pytest.raises(FormatError):
        video_clip(WholeFile(bytes(data)), Span(1, 2))


def test_a_clip_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_module, "MAX_DECODED_NBYTES", 20 * 48 * 64 * 3)
    data = video("h264 mp4", 60, gop=12)
    assert len(video_clip(WholeFile(data), Span(1, 1.8)).frames) == 20
    with pytest.raises(InvalidInputError, match="read_clip"):
        video_clip(WholeFile(data), Span(1, 1.84))


class Fetched:
    """Ranges of some bytes, remembered; and a failure at will."""

    def __init__(self, data: bytes, failure: BaseException | None = None) -> None:
        self.data = data
        self.failure = failure
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int) -> bytes:
        self.ranges.append((start, stop))
        if self.failure is not None and len(self.ranges) > 1:
            raise self.failure
        return self.data[start:stop]


@settings(max_examples=50)
@given(st.data())
def test_a_file_of_ranges_reads_as_a_file_of_bytes(data: st.DataObject) -> None:
    content = data.draw(st.binary(max_size=200))
    block = data.draw(st.integers(1, 60))
    fetched = Fetched(content)
    ranged, whole = RangedFile(len(content), block, fetched), WholeFile(content)
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()):
            to = data.draw(st.integers(-20, 250)), data.draw(st.sampled_from([0, 1, 2]))
            assert ranged.seek(*to) == whole.seek(*to) == ranged.tell()
        n = data.draw(st.integers(-1, 90))
        at = whole.tell()
        expected = content[at:] if n < 0 else content[at : at + n]
        assert ranged.read(n) == whole.read(n) == expected
    for start, stop in fetched.ranges:
        assert start % block == 0
        assert stop == len(content) or stop % block == 0
    ranged.check()


def test_reading_on_fetches_more_at_once() -> None:
    fetched = Fetched(bytes(64))
    file = RangedFile(64, 1, fetched)
    while file.read(1):
        pass
    assert [stop - start for start, stop in fetched.ranges] == [1, 2, 4, *[8] * 7, 1]


def test_a_failed_fetch_is_the_end_of_the_file_and_is_told() -> None:
    file = RangedFile(64, 8, Fetched(bytes(64), OSError("gone")))
    assert file.read() == bytes(8)
    assert file.read() == b""
    with pytest.raises(OSError, match="gone"):
        file.check()
    short = RangedFile(64, 8, lambda start, stop: b"")
    assert short.read() == b""
    with pytest.raises(EOFError):
        short.check()


def test_previews() -> None:
    data = video("h264 mp4", 6, 48, 64)
    small = first_frame(data, 16)
    assert small.shape == (12, 16, 3)
    np.testing.assert_array_equal(first_frame(data, 500), frames_in(data)[0])
    shape = outline(waveform("wav float", 1000, 2), 10)
    whole = samples_in(waveform("wav float", 1000, 2)).reshape(10, -1)
    np.testing.assert_array_equal(shape, np.stack([whole.min(axis=1), whole.max(axis=1)], axis=1))
    assert outline(waveform("wav 16", 3, 1), 10).shape == (3, 2)
    assert outline(waveform("wav 16", 1, 1), 1).shape == (1, 2)
    with pytest.raises(FormatError):
        first_frame(b"", 5)
