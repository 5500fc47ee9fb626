"""Audio: encoded bytes are checked and kept, arrays become WAV or FLAC; float32 comes out.

Samples come out as float32 in [-1, 1], ``(n, channels)``, whatever the file holds: what models
take, of one meaning for every format, and exact for up to 24 bits (of 32-bit integers and float64
it keeps 24). A value above 1 of a float or lossy file stays so. WAV, AIFF, FLAC and Ogg are read
by soundfile, everything else (MP3, AAC, Opus in WebM, M4A, the sound of a video) by PyAV.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from aiolake.codecs.base import Buffer, Encoded, describe
from aiolake.codecs.media.containers import Container
from aiolake.codecs.media.files import MediaFile, WholeFile
from aiolake.codecs.media.opening import (
    checked_media,
    load_soundfile,
    opened,
    opened_sound,
    refused,
    sniff,
    stored,
)
from aiolake.codecs.media.video import MAX_DECODED_NBYTES
from aiolake.errors import InvalidInputError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

__all__ = [
    "AudioCodec",
    "Samples",
    "audio_stream",
    "blocks_of",
    "frames_of",
    "probe",
    "samples_of",
    "sound_blocks",
]

Array = NDArray[Any]
Shape = tuple[int, ...]

_MAX_U32 = (1 << 32) - 1
_BLOCK_SAMPLES = 1 << 16
_MAX_CHANNELS = {"wav": 1024, "flac": 8}
_SUBTYPES = {
    ("wav", "int16"): "PCM_16",
    ("flac", "int16"): "PCM_16",
    ("wav", "float32"): "FLOAT",
    ("flac", "float32"): "PCM_24",
}


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """A codec of audio.

    Attributes:
        sample_rate: Of arrays, in Hz; ``None`` refuses arrays.
        format: What arrays are encoded as.
    """

    sample_rate: int | None = None
    format: Literal["wav", "flac"] = "wav"

    @property
    def ndim(self) -> int:
        """3: samples, channels, samples a second."""
        return 3

    def encode(self, value: object) -> Encoded:
        """A sound.

        Args:
            value: An encoded sound as bytes, kept as it is once its header and end have been
                read (soundfile's formats) or all of it was decoded (others, whose headers do not
                say how long they are); or, with a ``sample_rate``, samples ``(n,)`` or ``(n,
                channels)`` of int16 or float32.
        """
        if isinstance(value, bytes | bytearray | memoryview):
            return checked_media(bytes(value), "audio", probe)
        return checked_media(self._write(_samples_given(value)), "audio", probe)

    def decode(self, payload: Buffer, shape: Shape = ()) -> Array:
        """All samples, float32 ``(n, channels)``.

        Raises:
            FormatError: It does not decode, or to another shape than ``shape`` says.
            InvalidInputError: Its samples take more than 4 GiB.
        """
        with stored("audio"):
            file = WholeFile(payload)
            samples, _ = samples_of(file, sniff(file))
            if shape and samples.shape != shape[:2]:
                raise ValueError(
                    f"its samples are {samples.shape}, and the manifest says {shape[:2]}"
                )
            return samples

    def raw(self, payload: Buffer, shape: Shape = ()) -> bytes:
        """The encoded sound as it was given."""
        return bytes(payload)

    def _write(self, samples: Array) -> bytes:
        if self.sample_rate is None:
            raise InvalidInputError(
                "an array of samples needs a rate: declare the column as "
                "Audio(sample_rate=16000), or give the encoded sound as bytes"
            )
        if samples.shape[1] > _MAX_CHANNELS[self.format]:
            raise InvalidInputError(
                f"{self.format} holds at most {_MAX_CHANNELS[self.format]} channels, got "
                f"{describe(samples)}; is it (channels, n)? transpose it: x.T"
            )
        if self.format == "flac":
            _check_flac(samples)
        out = io.BytesIO()
        subtype = _SUBTYPES[self.format, samples.dtype.name]
        load_soundfile().write(out, samples, self.sample_rate, subtype, format=self.format.upper())
        return out.getvalue()


def _check_flac(samples: Array) -> None:
    if samples.dtype == np.float32 and not (np.abs(samples) <= 1).all():
        raise InvalidInputError(
            "FLAC holds samples within [-1, 1], and some are not; scale them, or declare the "
            "column as Audio(sample_rate=..., format='wav')"
        )


def _samples_given(value: object) -> Array:
    if not hasattr(value, "__array__"):
        is_path = isinstance(value, str | os.PathLike)
        hint = "; read the file: pathlib.Path(path).read_bytes()" if is_path else ""
        raise InvalidInputError(
            f"expected an encoded sound (bytes) or an array of samples, got {describe(value)}{hint}"
        )
    array = np.asarray(value)
    if array.dtype not in (np.int16, np.float32):
        raise InvalidInputError(
            f"expected samples of int16 or float32, got {describe(array)}; convert them: "
            "x.astype('float32')"
        )
    if array.ndim not in (1, 2) or not array.size:
        raise InvalidInputError(
            f"expected samples (n,) or (n, channels), at least one, got {describe(array)}"
        )
    return array.reshape(len(array), -1)


def probe(file: MediaFile, container: Container) -> Shape:
    """The shape numbers of a file."""
    if container.sound:
        n_samples, channels, rate = _probe_sound(file, container)
    else:
        n_samples, channels, rate = _probe_stream(file, container)
    if not n_samples or not channels or not rate:
        raise ValueError(f"it holds no sound: {n_samples} samples, {channels} channels, {rate} Hz")
    if n_samples > _MAX_U32:
        raise ValueError(f"{n_samples:,} samples are more than {_MAX_U32:,}; cut it into pieces")
    return n_samples, channels, rate


def _probe_sound(file: MediaFile, container: Container) -> Shape:
    with opened_sound(file, container) as sound:
        n_samples = int(sound.frames)
        if n_samples > 0 and _seeks_exactly(sound):
            sound.seek(n_samples - 1)
            if len(sound.read(1)) != 1:
                raise refused(f"the {container.name} file is cut off: its last sample is missing")
        return n_samples, int(sound.channels), int(sound.samplerate)


def _probe_stream(file: MediaFile, container: Container) -> Shape:
    n_samples = channels = rate = 0
    with opened(file, container) as medium:
        for block in blocks_of(medium, stream := audio_stream(medium)):
            n_samples += len(block)
            channels = block.shape[1]
            rate = stream.codec_context.sample_rate
    return n_samples, channels, rate


class Samples:
    """Blocks of samples, gathered."""

    def __init__(self) -> None:
        self._blocks: list[Array] = []
        self._nbytes = 0

    def add(self, block: Array) -> None:
        """One more block, float32 ``(n, channels)``.

        Raises:
            InvalidInputError: Together they take more than 4 GiB.
        """
        self._nbytes += block.nbytes
        if self._nbytes > MAX_DECODED_NBYTES:
            raise InvalidInputError(
                f"the samples take more than {MAX_DECODED_NBYTES >> 30} GiB decoded; read a part "
                "of the sound with aiolake.read_clip, or its bytes with decode=False"
            )
        self._blocks.append(block)

    def all(self, channels: int) -> Array:
        """Those added, ``(n, channels)``."""
        if not self._blocks:
            return np.empty((0, channels), np.float32)
        return np.concatenate(self._blocks)


def samples_of(file: MediaFile, container: Container) -> tuple[Array, int]:
    """All samples of a file, and their rate."""
    samples = Samples()
    if container.sound:
        with opened_sound(file, container) as sound:
            for block in sound_blocks(sound, 0, None):
                samples.add(block)
            return samples.all(sound.channels), int(sound.samplerate)
    with opened(file, container) as medium:
        stream = audio_stream(medium)
        for block in blocks_of(medium, stream):
            samples.add(block)
        context = stream.codec_context
        return samples.all(context.channels), context.sample_rate


def sound_blocks(sound: Any, start: int, stop: int | None) -> Iterator[Array]:
    """Samples ``[start, stop)``, cut at the end, of an opened ``SoundFile``."""
    n_samples = int(sound.frames)
    at, end = min(start, n_samples), min(n_samples if stop is None else stop, n_samples)
    if at and _seeks_exactly(sound):
        sound.seek(at)
    elif at:
        for _ in sound_blocks(sound, 0, at):
            pass
    while at < end:
        block = sound.read(min(_BLOCK_SAMPLES, end - at), dtype="float32", always_2d=True)
        if not len(block):
            raise refused(f"its data ends after {at:,} of {n_samples:,} samples")
        yield block
        at += len(block)


def _seeks_exactly(sound: Any) -> bool:
    """libsndfile 1.2 goes to another sample than it is told to in some files of Vorbis."""
    return bool(sound.subtype != "VORBIS")


def audio_stream(medium: InputContainer) -> AudioStream:
    """The first sound of a file."""
    if not medium.streams.audio:
        raise refused("it holds no sound")
    stream = medium.streams.audio[0]
    if stream.codec_context is None:
        raise refused("its codec is not known")
    stream.codec_context.thread_count = 1
    return stream


def blocks_of(medium: InputContainer, stream: AudioStream) -> Iterator[Array]:
    """The samples from where the file is, float32 ``(n, channels)`` a block."""
    for frame, block in frames_of(medium, stream):
        del frame
        yield block


def frames_of(medium: InputContainer, stream: AudioStream) -> Iterator[tuple[AudioFrame, Array]]:
    """Frames with their samples, float32 ``(n, channels)``.

    The rate and the channels are those of the first frame: a later change is refused.
    """
    first: tuple[int, int] | None = None
    for frame in medium.decode(stream):
        block = _float32(frame)
        form = frame.sample_rate, block.shape[1]
        first = first or form
        if form != first:
            raise refused(f"its form changes from {first} (Hz, channels) to {form}")
        yield frame, block


_SCALES = {"u8": (128, 128.0), "s16": (0, 2.0**15), "s32": (0, 2.0**31)}


def _float32(frame: AudioFrame) -> Array:
    """The samples of a frame, of whatever sample format, ``(n, channels)`` in [-1, 1]."""
    name = frame.format.name
    channels = frame.layout.nb_channels
    values = frame.to_ndarray()
    # Planar comes as (channels, n), packed as (1, n * channels).
    values = values.T if frame.format.is_planar else values.reshape(-1, channels)
    kind = name.removesuffix("p")
    if kind in ("flt", "dbl"):
        return np.ascontiguousarray(values, np.float32)
    if kind not in _SCALES:
        raise refused(f"its samples are of the form {name}, which is not supported")
    middle, scale = _SCALES[kind]
    return ((values.astype(np.float64) - middle) / scale).astype(np.float32)
