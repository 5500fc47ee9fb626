"""Opening media with PyAV and soundfile, so that nothing but the bytes given is ever read.

Inside these blocks whatever the libraries raise is a ``ValueError`` that says what is wrong; our
own errors pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from aiolake.codecs.base import Encoded
from aiolake.codecs.media.containers import (
    SNIFFED_NBYTES,
    Container,
    container_of,
    missing_nbytes,
)
from aiolake.codecs.media.files import MediaFile, WholeFile
from aiolake.errors import AiolakeError, FormatError, InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = [
    "checked_media",
    "load_av",
    "load_soundfile",
    "opened",
    "opened_sound",
    "refused",
    "sniff",
    "stored",
]

_OPTIONS = {"protocol_whitelist": "none"}


def load_av() -> Any:
    """PyAV, loaded by the first sample that needs it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import av
        import av.error
    except ImportError as error:
        raise _missing("video and compressed audio", "PyAV", error) from error
    return av


def load_soundfile() -> Any:
    """soundfile, loaded by the first sample that needs it.

    Raises:
        MissingExtraError: It, or the libsndfile it calls, is not installed.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise _missing("WAV, FLAC and Ogg audio", "soundfile", error) from error
    return soundfile


def _missing(what: str, package: str, error: Exception) -> MissingExtraError:
    return MissingExtraError(
        f"{what} is looked into with {package}, which cannot be loaded ({error}): "
        "pip install 'aiolake[media]'. What is stored can be read without it by decode=False",
        extra="media",
    )


def sniff(file: MediaFile) -> Container:
    """The kind of a file, which is at its beginning before and after.

    Raises:
        ValueError: None that is known.
    """
    start = file.read(SNIFFED_NBYTES)
    file.seek(0)
    container = container_of(start)
    if container is None:
        shown = start[:8].hex(" ") or "nothing"
        raise ValueError(f"it is of no known container (it begins with {shown})")
    return container


@contextmanager
def opened(file: MediaFile, container: Container) -> Iterator[InputContainer]:
    """A file opened with PyAV by the one demuxer of its kind; it can open no other file."""
    av = load_av()
    if not container.demuxer:
        raise ValueError(f"{container.name} holds no video")
    with (
        _translated(f"the {container.name} file is damaged or not supported"),
        av.open(
            file,
            "r",
            format=container.demuxer,
            # Not options=, which are given to each stream too: PyAV up to 17 crashes where
            # streams are found late, as in Flash video.
            container_options=dict(_OPTIONS),
            metadata_errors="replace",
            io_open=_refuse,
        ) as medium,
    ):
        yield medium


@contextmanager
def opened_sound(file: MediaFile, container: Container) -> Iterator[Any]:
    """A file opened with soundfile: a ``SoundFile``."""
    soundfile = load_soundfile()
    what = f"the {container.name} file is damaged or not supported"
    with _translated(what), soundfile.SoundFile(file, "r") as sound:
        yield sound


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (AiolakeError, _SaidError):
        raise
    # Damaged files end in any of the libraries' exceptions, and in some of Python's.
    except Exception as error:
        reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or error
        raise _SaidError(f"{what}: {reason}") from error


class _SaidError(ValueError):
    """Says what is wrong already."""


def refused(message: str) -> ValueError:
    """What is wrong with a file, raised inside the blocks above."""
    return _SaidError(message)


def _refuse(url: str, *_: object) -> NoReturn:
    raise _SaidError("it names another file, which is not opened")


def checked_media(data: bytes, what: str, shape: Any) -> Encoded:
    """Encoded media with their shape numbers.

    Args:
        data: The file.
        what: ``"video"`` or ``"audio"``.
        shape: Computes the numbers from a file and its kind; raises ``ValueError``.

    Raises:
        InvalidInputError: It is not what it should be, or not whole.
    """
    try:
        file = WholeFile(data)
        container = sniff(file)
        missing = missing_nbytes(data, container)
        if missing:
            raise ValueError(
                f"the {container.name} file is cut off: by its own account {missing:,} bytes more "
                "should follow"
            )
        return Encoded(data, shape(file, container))
    except InvalidInputError:
        raise
    except ValueError as error:
        raise InvalidInputError(f"{len(data)} bytes are no {what}: {error}") from error


@contextmanager
def stored(what: str) -> Iterator[None]:
    """What is wrong with a file that was stored is a ``FormatError``."""
    try:
        yield
    except InvalidInputError:
        raise
    except ValueError as error:
        raise FormatError(f"a stored {what} does not decode: {error}") from error
