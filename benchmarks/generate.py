"""Generates the samples, the same ones in every run.

Run in aiolake's environment: ``python -m benchmarks.generate DIRECTORY KIND COUNT``.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from aiolake.cli.photographs import photographs
from benchmarks.source import N_BANDS, N_DIMENSIONS, Source

__all__ = ["generate"]

_SEED = 19
_SIDES = (234, 292)
_QUALITY = 92
_MEAN_BYTES = (17 * 1024, 21 * 1024)
_N_FRAMES = (50, 400)
_N_WORDS = (3, 30)
_N_LABELS = 10
_SYLLABLES = ("ka", "lo", "mi", "ren", "tus", "ve", "dor", "shi", "an", "pel", "ö", "grau")


def generate(directory: Path, kind: str, count: int) -> None:
    """Write ``count`` samples of a kind, and labels.

    Raises:
        ValueError: The pictures' mean size is not 17 to 21 KiB, so figures would not compare.
    """
    labels = [row % _N_LABELS for row in range(count)]
    Source.write(directory, kind, _SAMPLES[kind](count), labels)
    if kind == "pictures":
        mean = Source.load(directory).nbytes / count
        if not _MEAN_BYTES[0] <= mean <= _MEAN_BYTES[1]:
            raise ValueError(f"the JPEGs have {mean:,.0f} bytes on average, wanted {_MEAN_BYTES}")


def _pictures(count: int) -> Iterator[bytes]:
    """Crops of the packaged photographs, as JPEGs of about 19 KiB."""
    draw = random.Random(_SEED)
    pictures = [Image.open(BytesIO(p.read_bytes())).convert("RGB") for p in photographs()]
    seen: set[bytes] = set()
    while len(seen) < count:
        jpeg = _crop(pictures[draw.randrange(len(pictures))], draw)
        if jpeg not in seen:
            seen.add(jpeg)
            yield jpeg


def _crop(picture: Image.Image, draw: random.Random) -> bytes:
    """A random square of a picture, encoded."""
    side = draw.randint(*_SIDES)
    left = draw.randrange(max(1, picture.width - side))
    top = draw.randrange(max(1, picture.height - side))
    buffer = BytesIO()
    crop = picture.crop((left, top, left + side, top + side))
    crop.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _vectors(count: int) -> Iterator[bytes]:
    """Embeddings: normal numbers, which do not compress."""
    draw = np.random.default_rng(_SEED)
    for _ in range(count):
        yield draw.standard_normal(N_DIMENSIONS, np.float32).tobytes()


def _ragged(count: int) -> Iterator[bytes]:
    """Spectrograms: some frames of 80 bands each."""
    draw = np.random.default_rng(_SEED)
    for _ in range(count):
        n_frames = int(draw.integers(_N_FRAMES[0], _N_FRAMES[1], endpoint=True))
        yield draw.standard_normal((n_frames, N_BANDS), np.float32).tobytes()


def _texts(count: int) -> Iterator[bytes]:
    """Captions: 3 to 30 words of a small vocabulary, frequent ones most; numbered, so distinct."""
    draw = random.Random(_SEED)
    words = ["".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4))) for _ in range(4000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    for row in range(count):
        chosen = draw.choices(words, weights, k=draw.randint(*_N_WORDS))
        yield f"{' '.join(chosen)} {row}".encode()


_SAMPLES: dict[str, Callable[[int], Iterator[bytes]]] = {
    "pictures": _pictures,
    "vectors": _vectors,
    "ragged": _ragged,
    "texts": _texts,
}


def main(arguments: Sequence[str]) -> None:
    """Generate unless it was done before."""
    directory, kind, count = Path(arguments[0]), arguments[1], int(arguments[2])
    if not Source.complete(directory):
        generate(directory, kind, count)


if __name__ == "__main__":
    main(sys.argv[1:])
