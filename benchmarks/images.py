"""Generates the pictures: crops of the packaged photographs, as JPEGs of about 19 KiB.

Run in aiolake's environment: ``python -m benchmarks.images DIRECTORY COUNT``.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from aiolake.cli.photographs import photographs
from benchmarks.source import Source

__all__ = ["generate"]

_SEED = 19
_SIDES = (234, 292)
_QUALITY = 92
_MEAN_BYTES = (17 * 1024, 21 * 1024)


def generate(directory: Path, count: int) -> None:
    """Write ``count`` JPEGs and labels, the same ones in every run.

    Raises:
        ValueError: Their mean size is not 17 to 21 KiB, so figures would not compare.
    """
    draw = random.Random(_SEED)
    pictures = [Image.open(BytesIO(p.read_bytes())).convert("RGB") for p in photographs()]
    labels = [draw.randrange(len(pictures)) for _ in range(count)]
    jpegs = [_crop(pictures[label], draw) for label in labels]
    mean = sum(map(len, jpegs)) / count
    if not _MEAN_BYTES[0] <= mean <= _MEAN_BYTES[1]:
        raise ValueError(f"the JPEGs have {mean:,.0f} bytes on average, wanted {_MEAN_BYTES}")
    Source.write(directory, jpegs, labels)


def _crop(picture: Image.Image, draw: random.Random) -> bytes:
    """A random square of a picture, encoded."""
    side = draw.randint(*_SIDES)
    left = draw.randrange(max(1, picture.width - side))
    top = draw.randrange(max(1, picture.height - side))
    buffer = BytesIO()
    crop = picture.crop((left, top, left + side, top + side))
    crop.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def main(arguments: Sequence[str]) -> None:
    """Generate unless it was done before."""
    directory, count = Path(arguments[0]), int(arguments[1])
    if not Source.complete(directory):
        generate(directory, count)


if __name__ == "__main__":
    main(sys.argv[1:])
