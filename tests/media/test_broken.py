"""Broken, cut and mislabelled files are refused by name, or reported when read; never more."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from av.container import InputContainer
from av.video.stream import VideoStream

from aiolake import Audio, FormatError, InvalidInputError, MissingExtraError, Video
from aiolake.codecs import EntryCodec, codec_of
from aiolake.codecs.media import opening
from aiolake.codecs.media.containers import Container, container_of
from aiolake.codecs.media.files import WholeFile
from tests.media.files import SOUNDS, VIDEOS, WAVES, sound, video, waveform
from tests.scale import pick


def codec(type: Video | Audio) -> EntryCodec:
    found = codec_of(type)
    assert isinstance(found, EntryCodec)
    return found


def media(name: str) -> tuple[EntryCodec, bytes]:
    if name in VIDEOS:
        return codec(Video()), video(name, 12)
    return codec(Audio()), (sound if name in SOUNDS else waveform)(name, 6000)


SAYS_ITS_LENGTH = [
    *(name for name in VIDEOS if name.split()[-1] in ("mp4", "mov", "mkv", "webm", "avi")),
    *(name for name in WAVES if not name.startswith("flac")),
    "m4a",
    "opus webm",
    "mp3 mkv",
]


@pytest.mark.parametrize("name", SAYS_ITS_LENGTH)
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
def test_a_file_without_its_end_is_refused(name: str, kept: float) -> None:
    how, data = media(name)
    with pytest.raises(InvalidInputError, match=r"cut off|none of its|holds no|damaged"):
        how.encode(data[: int(len(data) * kept)])


@pytest.mark.parametrize("name", ["flac 16", "flac 24"])
def test_flac_without_its_end_is_refused(name: str) -> None:
    how, data = media(name)
    for kept in (0.3, 0.6, 0.95):
        with pytest.raises(InvalidInputError, match=r"cut off|damaged"):
            how.encode(data[: int(len(data) * kept)])


def try_all(how: EntryCodec, data: bytes) -> str:
    """What becomes of bytes that may be damaged: any answer but these is a failure."""
    try:
        encoded = how.encode(data)
    except InvalidInputError:
        return "refused"
    try:
        how.decode(data, encoded.shape)
    except FormatError:
        return "reported"
    return "decoded"


@pytest.mark.parametrize("name", [*VIDEOS, *SOUNDS, *WAVES])
def test_damage_anywhere_is_refused_or_reported_or_heard(name: str) -> None:
    how, data = media(name)
    rng = random.Random(name)
    for _ in range(pick(8, 200)):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 4, 40])):
            # Headers are where a number decides over memory and loops.
            end = rng.choice([64, 600, len(data)])
            damaged[rng.randrange(min(end, len(data)))] = rng.randrange(256)
        cut = rng.choice([len(data), rng.randrange(len(data))])
        try_all(how, bytes(damaged[:cut]))


@pytest.mark.parametrize("type", [Video(), Audio()])
def test_what_is_no_medium_is_refused(type: Video | Audio) -> None:
    rng = random.Random(3)
    starts = (
        b"",
        b"\xff\xfb\x90\x00",
        b"ID3\x04\x00\x00\x00\x00\x00\x7f",
        b"RIFF\x00\x00\x00\x00AVI ",
    )
    for start in (*starts, b"\x00\x00\x00\x18ftypisom", b"\x1a\x45\xdf\xa3\xff", b"OggS", b"fLaC"):
        for n in (0, 30, 5000):
            assert try_all(codec(type), start + rng.randbytes(n)) == "refused"
    for given in (b"", b"\x00" * 5000, b"<html></html>", video("h264 mp4", 12)[200:]):
        assert try_all(codec(type), given) == "refused"


def test_the_wrong_type_of_column() -> None:
    with pytest.raises(InvalidInputError, match="no video: it holds no video"):
        codec(Video()).encode(sound("m4a", 6000))
    with pytest.raises(InvalidInputError, match="WAV holds no video"):
        codec(Video()).encode(waveform("wav 16", 6000))
    with pytest.raises(InvalidInputError, match="no audio: it holds no sound"):
        codec(Audio()).encode(video("h264 mp4", 12))


def test_what_was_stored_and_is_not_what_the_manifest_says() -> None:
    data = video("h264 mp4", 12)
    with pytest.raises(FormatError, match="manifest says"):
        codec(Video()).decode(data, (12, 50, 64, 25, 1, 480))
    with pytest.raises(FormatError, match="manifest says"):
        codec(Audio()).decode(waveform("wav 16", 6000), (6001, 2, 48_000))
    with pytest.raises(FormatError, match="no known container"):
        codec(Video()).decode(b"no video at all", ())


@pytest.fixture
def watched() -> Iterator[socket.socket]:
    """A port that must not be connected to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        yield server


def lists(path: Path, port: int) -> dict[str, bytes]:
    """Texts that FFmpeg would take for media and that name another file."""
    url = f"http://127.0.0.1:{port}/x.ts"
    found: dict[str, bytes] = {}
    for where in (str(path), path.as_uri(), url, f"concat:{path}", f"subfile,,:{path}"):
        found[f"hls {where}"] = (
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{where}\n#EXT-X-ENDLIST\n".encode()
        )
        found[f"concat {where}"] = f"ffconcat version 1.0\nfile '{where}'\n".encode()
        found[f"dash {where}"] = (
            f"<?xml version='1.0'?><MPD type='static'><BaseURL>{where}</BaseURL></MPD>".encode()
        )
    return found


@pytest.mark.parametrize("type", [Video(), Audio()])
def test_a_playlist_opens_no_file_and_no_connection(
    type: Video | Audio, tmp_path: Path, watched: socket.socket
) -> None:
    path = tmp_path / "secret.ts"
    path.write_bytes(video("h264 ts", 12, sound=True))
    before = path.stat().st_atime_ns
    for given in lists(path, watched.getsockname()[1]).values():
        assert try_all(codec(type), given) == "refused"
        assert try_all(codec(type), given.ljust(9000)) == "refused"
    with pytest.raises(TimeoutError):
        watched.accept()
    assert path.stat().st_atime_ns == before


@pytest.mark.parametrize("demuxer", ["hls", "concat", "dash"])
def test_even_a_demuxer_of_playlists_would_open_nothing(
    demuxer: str, tmp_path: Path, watched: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FFmpeg refuses some names of its own accord; here it is told not to.
    for name, value in {"safe": "0", "allowed_extensions": "ALL", "extension_picky": "0"}.items():
        monkeypatch.setitem(opening._OPTIONS, name, value)
    path = tmp_path / "secret.ts"
    path.write_bytes(video("h264 ts", 12, sound=True))
    for name, given in lists(path, watched.getsockname()[1]).items():
        file = WholeFile(given)
        with (
            pytest.raises(ValueError, match=r"damaged|names another"),
            opening.opened(file, Container(name, demuxer)) as medium,
        ):
            list(medium.decode(opening_stream(medium)))
    with pytest.raises(TimeoutError):
        watched.accept()


def opening_stream(medium: InputContainer) -> VideoStream:
    streams = medium.streams.video
    if not streams:
        raise opening.refused("it names another file or is damaged")
    return streams[0]


def test_kinds_are_told_by_their_first_bytes() -> None:
    assert container_of(b"") is None
    assert container_of(b"#EXTM3U\n") is None
    named = {name: container_of(media(name)[1]) for name in (*VIDEOS, *SOUNDS, *WAVES)}
    assert None not in named.values()
    assert {kind.demuxer for kind in named.values() if kind} == {
        "", "mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "mp3", "aac",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("module", "type", "name"),
    [("av", Video(), "h264 mp4"), ("av", Audio(), "mp3"), ("soundfile", Audio(), "wav 16")],
)
def test_without_the_extra(
    module: str, type: Video | Audio, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = media(name)
    monkeypatch.setitem(sys.modules, module, None)
    for call in (codec(type).encode, codec(type).decode):
        with pytest.raises(MissingExtraError, match=r"aiolake\[media\]"):
            call(data) if call.__name__ == "encode" else call(data, ())  # type: ignore[call-arg]
    assert codec(type).raw(data, ()) == data


def test_media_libraries_are_loaded_by_the_first_sample_only() -> None:
    program = (
        "import sys, aiolake; from aiolake.codecs import codec_of; "
        "codec_of(aiolake.Video()); codec_of(aiolake.Audio()); "
        "sys.exit(bool({'av', 'soundfile'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
