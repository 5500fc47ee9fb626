"""Whether media decode to their end, and are what their shape numbers say; a frame at a time."""

from __future__ import annotations

from aiolake.codecs.base import Buffer
from aiolake.codecs.media import audio, video
from aiolake.codecs.media.files import WholeFile
from aiolake.codecs.media.opening import opened, opened_sound, sniff, stored

__all__ = ["check_audio", "check_video"]

Shape = tuple[int, ...]


def check_video(payload: Buffer, shape: Shape) -> None:
    """Decode every frame of a stored video, keeping none.

    Raises:
        FormatError: It does not decode, or is another than ``shape`` says.
    """
    with stored("video"):
        file = WholeFile(payload)
        container = sniff(file)
        _check_shape(video.probe(file, container), shape)
        with opened(WholeFile(payload), container) as medium:
            for _ in video.frames_of(medium, video.video_stream(medium)):
                pass


def check_audio(payload: Buffer, shape: Shape) -> None:
    """Decode every sample of a stored sound, keeping none.

    Raises:
        FormatError: It does not decode, or is another than ``shape`` says.
    """
    with stored("audio"):
        file = WholeFile(payload)
        container = sniff(file)
        _check_shape(audio.probe(file, container), shape)
        if not container.sound:
            return  # such a file is probed by decoding it
        with opened_sound(WholeFile(payload), container) as sound:
            for _ in audio.sound_blocks(sound, 0, None):
                pass


def _check_shape(found: Shape, shape: Shape) -> None:
    if found != shape:
        raise ValueError(f"its shape numbers are {found}, and the manifest says {shape}")
