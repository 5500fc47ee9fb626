"""Files of many kinds decode to what PyAV and soundfile read when they are used directly."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from aiolake import Audio, InvalidInputError, Video
from aiolake.codecs import EntryCodec, codec_of
from tests.media.files import (
    SOUNDS,
    VIDEOS,
    WAVES,
    frames_in,
    pictures,
    samples_in,
    sound,
    video,
    wave,
    waveform,
)


def codec(type: Video | Audio) -> EntryCodec:
    found = codec_of(type)
    assert isinstance(found, EntryCodec)
    return found


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize(
    ("n", "size", "rate"),
    [
        (30, (48, 64), Fraction(25)),
        (7, (36, 50), Fraction(30000, 1001)),
        (1, (16, 16), Fraction(50)),
    ],
)
def test_a_video_is_kept_and_decodes_as_pyav_does(
    name: str, n: int, size: tuple[int, int], rate: Fraction
) -> None:
    if name.endswith(("mpg", "ts")) and rate == 50 and "mpeg2" in name:
        rate = Fraction(25)
    data = video(name, n, *size, rate)
    encoded = codec(Video()).encode(data)
    expected = frames_in(data)
    assert encoded.payload == data
    assert encoded.shape[:3] == (len(expected), *size) == (n, *size)
    decoded = codec(Video()).decode(encoded.payload, encoded.shape)
    np.testing.assert_array_equal(decoded, expected)
    assert codec(Video()).raw(data, encoded.shape) == data


@pytest.mark.parametrize("name", VIDEOS)
def test_rate_and_duration_of_a_video(name: str) -> None:
    *_, numerator, denominator, duration_ms = codec(Video()).encode(video(name)).shape
    assert Fraction(numerator, denominator) == pytest.approx(25, rel=0.01)
    assert duration_ms == pytest.approx(1200, abs=41)


def test_the_sound_of_a_video_is_no_part_of_its_frames_and_is_audio_too() -> None:
    data = video("h264 mp4", sound=True)
    assert codec(Video()).encode(data).shape[0] == 30
    encoded = codec(Audio()).encode(data)
    assert encoded.shape[1:] == (2, 44_100)
    decoded = codec(Audio()).decode(data, encoded.shape)
    np.testing.assert_array_equal(decoded, samples_in(data))


@pytest.mark.parametrize("name", [*SOUNDS, *WAVES])
@pytest.mark.parametrize(("n", "channels", "rate"), [(30_000, 2, 48_000), (4_001, 1, 16_000)])
def test_a_sound_is_kept_and_decodes_as_the_libraries_do(
    name: str, n: int, channels: int, rate: int
) -> None:
    data = (sound if name in SOUNDS else waveform)(name, n, channels, rate)
    encoded = codec(Audio()).encode(data)
    expected = samples_in(data)
    assert encoded.payload == data
    assert encoded.shape[:2] == expected.shape
    assert encoded.shape[2] == (48_000 if "opus webm" in name else rate)
    decoded = codec(Audio()).decode(data, encoded.shape)
    assert isinstance(decoded, np.ndarray)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, expected, atol=0 if name in WAVES else 1e-7)


@pytest.mark.parametrize("name", ["wav 16", "wav 24", "wav float", "flac 16", "aiff", "alac m4a"])
def test_a_lossless_sound_is_what_was_written(name: str) -> None:
    data = (sound if name in SOUNDS else waveform)(name, 5_000, 2)
    decoded = codec(Audio()).decode(data, ())
    np.testing.assert_allclose(np.asarray(decoded)[:5000], wave(5_000, 2, 48_000), atol=2**-14)


def test_surround_sound_and_formats_of_eight_bits() -> None:
    data = waveform("wav 8", 100, 6)
    assert codec(Audio()).encode(data).shape == (100, 6, 48_000)
    np.testing.assert_allclose(
        np.asarray(codec(Audio()).decode(data, ())), wave(100, 6, 48_000), atol=2**-6
    )


@pytest.mark.parametrize("channels", [None, 1, 2, 5])
@pytest.mark.parametrize("format", ["wav", "flac"])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_arrays_of_samples(channels: int | None, format: str, dtype: str) -> None:
    type = Audio(sample_rate=16_000, format=format)  # type: ignore[arg-type]
    samples = wave(900, channels or 1, 16_000)
    scale = 1.0
    if dtype == "int16":
        samples, scale = (samples * 2**15).astype(np.int16), 2.0**15
    given = samples[:, 0] if channels is None else samples
    encoded = codec(type).encode(given)
    assert encoded.shape == (900, channels or 1, 16_000)
    decoded = np.asarray(codec(type).decode(encoded.payload, encoded.shape))
    exact = dtype == "int16" or format == "wav"
    np.testing.assert_allclose(decoded * scale, samples, atol=0 if exact else 2.0**-23)


@pytest.mark.parametrize("size", [(48, 64), (33, 41), (8, 200)])
def test_arrays_of_frames(size: tuple[int, int]) -> None:
    frames = np.zeros((9, *size, 3), np.uint8) + np.arange(9, dtype=np.uint8)[:, None, None, None]
    frames = frames * 20 + np.linspace(0, 60, size[1]).astype(np.uint8)[None, None, :, None]
    encoded = codec(Video(rate=29.97)).encode(frames)
    assert encoded.shape[:3] == frames.shape[:3]
    assert Fraction(*encoded.shape[3:5]) == pytest.approx(29.97, rel=1e-3)
    decoded = np.asarray(codec(Video()).decode(encoded.payload, encoded.shape))
    assert np.abs(decoded.astype(int) - frames).max() <= 8


@pytest.mark.parametrize(
    ("type", "value", "says"),
    [
        (Video(), pictures(2, 8, 8), "needs a rate"),
        (Video(rate=25), pictures(2, 8, 8)[..., :2], "frames (n, h, w, 3) of uint8"),
        (Video(rate=25), pictures(2, 8, 8).astype(np.float32), "frames (n, h, w, 3) of uint8"),
        (Video(rate=25), pictures(0, 8, 8), "at least one"),
        (Video(), "movie.mp4", "read_bytes()"),
        (Video(), 3, "encoded video (bytes)"),
        (Audio(), wave(10, 1), "needs a rate"),
        (Audio(8000), wave(10, 1).astype(np.float64), "x.astype('float32')"),
        (Audio(8000), wave(10, 1)[:0], "at least one"),
        (Audio(8000, "flac"), wave(10, 9), "at most 8 channels"),
        (Audio(8000, "flac"), wave(10, 1) * 9, "within [-1, 1]"),
        (Audio(8000, "flac"), wave(10, 1) * np.float32(np.nan), "within [-1, 1]"),
        (Audio(8000), wave(1, 2000), "transpose it"),
        (Audio(), "sound.wav", "read_bytes()"),
    ],
)
def test_values_that_are_refused(type: Video | Audio, value: object, says: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        codec(type).encode(value)
    assert says in str(caught.value)


@pytest.mark.parametrize("rate", [0, -1, True, "25", float("nan"), (25, 0), (0, 1), (1.5, 1), 1e9])
def test_rates_that_are_refused(rate: object) -> None:
    with pytest.raises(InvalidInputError, match="frames a second"):
        Video(rate=rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0, -1, True, 16_000.0, "16000", 1 << 20])
def test_sample_rates_that_are_refused(rate: object) -> None:
    with pytest.raises(InvalidInputError, match="sample rate"):
        Audio(sample_rate=rate)  # type: ignore[arg-type]


def test_rates_are_kept_as_fractions() -> None:
    assert Video(rate=25).rate == (25, 1)
    assert Video(rate=29.97).rate == (2997, 100)
    assert Video(rate=(30000, 1001)).rate == Video(rate=Fraction(30000, 1001)).rate
    assert Video(rate=(50, 2)) == Video(rate=25)


def test_a_later_frame_of_another_size_is_scaled_to_the_first() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mpegts") as file:
        for height, width in ((32, 48), (64, 96)):
            # Two encoders and one stream, as a broadcast that changes its size.
            encoder = av.CodecContext.create("mpeg2video", "w")
            assert isinstance(encoder, av.VideoCodecContext)
            encoder.height, encoder.width, encoder.pix_fmt = height, width, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
            if height == 32:
                stream = file.add_stream("mpeg2video", rate=25)
                stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            packets = []
            for picture in pictures(5, height, width):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                packets += encoder.encode(frame)
            packets += encoder.encode(None)
            for i, packet in enumerate(packets):
                packet.stream = stream
                packet.pts = packet.dts = (i + (5 if height == 64 else 0)) * 3600
                packet.time_base = Fraction(1, 90_000)
                file.mux(packet)
    data = out.getvalue()
    decoded = np.asarray(codec(Video()).decode(data, ()))
    assert decoded.shape[1:] == (32, 48, 3)
    assert len(decoded) >= 9
