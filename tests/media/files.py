"""Video and audio files of many kinds, made here; and what PyAV and soundfile read in them."""

from __future__ import annotations

import functools
import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

Array = NDArray[Any]

VIDEOS: dict[str, tuple[str, str, str]] = {
    "h264 mp4": ("libx264", "mp4", "yuv420p"),
    "h264 444 mp4": ("libx264", "mp4", "yuv444p"),
    "h264 mkv": ("libx264", "matroska", "yuv420p"),
    "h264 mov": ("libx264", "mov", "yuv420p"),
    "h264 avi": ("libx264", "avi", "yuv420p"),
    "h264 ts": ("libx264", "mpegts", "yuv420p"),
    "h264 flv": ("libx264", "flv", "yuv420p"),
    "vp9 webm": ("libvpx-vp9", "webm", "yuv420p"),
    "vp8 webm": ("libvpx", "webm", "yuv420p"),
    "mjpeg avi": ("mjpeg", "avi", "yuvj420p"),
    "mjpeg mkv": ("mjpeg", "matroska", "yuvj422p"),
    "mjpeg mov": ("mjpeg", "mov", "yuvj420p"),
    "mpeg4 mp4": ("mpeg4", "mp4", "yuv420p"),
    "mpeg4 avi": ("mpeg4", "avi", "yuv420p"),
    "mpeg4 mkv": ("mpeg4", "matroska", "yuv420p"),
    "mpeg2 mpg": ("mpeg2video", "vob", "yuv420p"),
    "mpeg2 ts": ("mpeg2video", "mpegts", "yuv420p"),
    "ffv1 mkv": ("ffv1", "matroska", "yuv444p"),
    "png mov": ("png", "mov", "rgb24"),
    "wmv asf": ("wmv2", "asf", "yuv420p"),
}
"""Codec, container and pixel format by name."""

SOUNDS: dict[str, tuple[str, str]] = {
    "mp3": ("libmp3lame", "mp3"),
    "aac": ("aac", "adts"),
    "m4a": ("aac", "ipod"),
    "opus webm": ("libopus", "webm"),
    "flac mp4": ("flac", "mp4"),
    "alac m4a": ("alac", "ipod"),
    "mp3 mkv": ("libmp3lame", "matroska"),
    "aac ts": ("aac", "mpegts"),
}
"""Codec and container of compressed sounds, by name."""

WAVES: dict[str, tuple[str, str]] = {
    "wav 8": ("WAV", "PCM_U8"),
    "wav 16": ("WAV", "PCM_16"),
    "wav 24": ("WAV", "PCM_24"),
    "wav 32": ("WAV", "PCM_32"),
    "wav float": ("WAV", "FLOAT"),
    "wav double": ("WAV", "DOUBLE"),
    "wav ulaw": ("WAV", "ULAW"),
    "aiff": ("AIFF", "PCM_16"),
    "flac 16": ("FLAC", "PCM_16"),
    "flac 24": ("FLAC", "PCM_24"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}
"""Format and subtype of what soundfile writes, by name."""


def pictures(n: int, height: int, width: int, seed: int = 0) -> Array:
    """Frames that differ, uint8 ``(n, height, width, 3)``: a colour that moves, and a bar."""
    y, x = np.mgrid[:height, :width]
    frames = np.empty((n, height, width, 3), np.uint8)
    for i in range(n):
        frames[i, :, :, 0] = (x * 3 + i * 7 + seed) % 256
        frames[i, :, :, 1] = (y * 5 + seed * 11) % 256
        frames[i, :, :, 2] = i * 8 % 256
        frames[i, i % height] = 255
    return frames


def wave(n: int, channels: int, rate: int = 44_100) -> Array:
    """Tones, float32 ``(n, channels)``, one pitch for each channel, growing slowly."""
    t = np.arange(n)[:, None] / rate
    tones = np.sin(2 * np.pi * t * (220 + 110 * np.arange(channels)))
    louder = 0.2 + 0.5 * t / max(float(t.max(initial=0)), 1e-9)
    return np.asarray(tones * louder, np.float32)


@functools.cache
def video(
    name: str,
    n: int = 30,
    height: int = 48,
    width: int = 64,
    rate: Fraction = Fraction(25),
    gop: int = 10,
    sound: bool = False,
    bit_rate: int = 0,
    options: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """An encoded video, a key frame every ``gop`` frames."""
    codec, container, pixels = VIDEOS[name]
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=dict(options)) as file:
        stream: Any = file.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        stream.codec_context.gop_size = gop
        if bit_rate:
            stream.bit_rate = bit_rate
        track: Any = file.add_stream("aac", rate=44_100, layout="stereo") if sound else None
        for picture in pictures(n, height, width):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
        if track is not None:
            file.mux(track.encode(_sound_frame(wave(44_100, 2), 44_100)))
            file.mux(track.encode(None))
    return out.getvalue()


@functools.cache
def noise(container: str, seconds: int, per_second: int = 10) -> bytes:
    """A video that does not compress, some 15 kB a frame; a key frame every two seconds."""
    rng = np.random.default_rng(5)
    pictures = rng.integers(0, 256, (20, 96, 128, 3), np.uint8)
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        options = {"preset": "ultrafast", "crf": "8"}
        stream: Any = file.add_stream("libx264", rate=per_second, options=options)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        stream.codec_context.gop_size = 2 * per_second
        for i in range(seconds * per_second):
            frame = av.VideoFrame.from_ndarray(pictures[i % 20], format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def _sound_frame(samples: Array, rate: int, format: str = "fltp") -> av.AudioFrame:
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1]]
    if format.startswith("s"):
        kind, scale = (np.int16, 2**15 - 1) if format.startswith("s16") else (np.int32, 2**31 - 1)
        samples = (samples.astype(np.float64) * scale).astype(kind)
    planes = np.ascontiguousarray(samples.T if format.endswith("p") else samples.reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(planes, format=format, layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    return frame


@functools.cache
def sound(name: str, n: int = 30_000, channels: int = 2, rate: int = 48_000) -> bytes:
    """A compressed sound."""
    codec, container = SOUNDS[name]
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
        stream: Any = file.add_stream(codec, rate=rate, layout=layout)
        form = {"flac": "s16", "alac": "s16p"}.get(codec, "fltp")
        file.mux(stream.encode(_sound_frame(wave(n, channels, rate), rate, form)))
        file.mux(stream.encode(None))
    return out.getvalue()


@functools.cache
def waveform(name: str, n: int = 30_000, channels: int = 2, rate: int = 48_000) -> bytes:
    """A sound that soundfile writes."""
    format, subtype = WAVES[name]
    out = io.BytesIO()
    soundfile.write(out, wave(n, channels, rate), rate, subtype, format=format)
    return out.getvalue()


def frames_in(data: bytes) -> Array:
    """What PyAV decodes, without any of aiolake."""
    with av.open(io.BytesIO(data), "r") as file:
        return np.stack([f.to_ndarray(format="rgb24") for f in file.decode(video=0)])


def times_in(data: bytes) -> list[float]:
    """When each frame is shown, from the first, in seconds."""
    with av.open(io.BytesIO(data), "r") as file:
        times = [f.time for f in file.decode(video=0)]
        if sorted(times) != times:  # of AVI, which states when frames are decoded
            times = [
                float(i / (file.streams.video[0].average_rate or 1)) for i in range(len(times))
            ]
    return [time - times[0] for time in times]


def samples_in(data: bytes) -> Array:
    """What soundfile, or else PyAV with FFmpeg's own conversion, decodes: float32 (n, channels)."""
    if data[:4] in (b"RIFF", b"FORM", b"fLaC", b"OggS"):
        read: Array = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0]
        return read
    blocks = []
    with av.open(io.BytesIO(data), "r") as file:
        to_float = av.AudioResampler(format="fltp")
        for frame in file.decode(audio=0):
            blocks += [each.to_ndarray() for each in to_float.resample(frame)]
    return np.asarray(np.concatenate(blocks, axis=1).T)
