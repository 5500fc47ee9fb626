"""Compressed payloads: one frame, its size declared and true."""

from __future__ import annotations

import threading

import pytest
import zstandard

from aiolake.codecs.zstd import compress, decompress
from aiolake.errors import FormatError

FRAME = zstandard.compress(b"x" * 1000)


def test_frames_round_trip_and_nothing_is_a_frame_too() -> None:
    for data in (b"", b"x", bytes(10_000_000)):
        assert decompress(compress(data)) == data
        assert decompress(compress(bytearray(data)), len(data)) == data
        assert zstandard.decompress(compress(data)) == data


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"no frame at all",
        FRAME[:-1],
        FRAME[:6],
        FRAME + b"\0",
        FRAME + FRAME,
        zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 1000),
        # A frame header that claims 2**56 bytes, and nothing behind it.
        bytes.fromhex("28b52ffde0" + "00000000000000 01".replace(" ", "") + "010000"),
    ],
    ids=range(8),
)
def test_what_is_not_one_whole_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(FormatError):
        decompress(frame)


def test_a_frame_of_another_size_is_refused_before_it_is_decompressed() -> None:
    with pytest.raises(FormatError, match="should hold 999 bytes and claims 1000"):
        decompress(FRAME, 999)


def test_threads_have_contexts_of_their_own() -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        data = bytes([seed]) * 200_000
        try:
            for _ in range(20):
                assert decompress(compress(data)) == data
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
