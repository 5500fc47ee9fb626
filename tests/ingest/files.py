"""Folders of small pictures, each of other content."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image as PillowImage

import aiolake

OPTIONS = aiolake.Options(durability="os", decode_threads=1)


def jpeg(seed: int, side: int = 8) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    encoded: bytes = simplejpeg.encode_jpeg(pixels, quality=90)
    return encoded


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    PillowImage.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def folder(root: Path, n: int, n_classes: int = 3) -> dict[str, bytes]:
    """Pictures by relative path, in the order they are to be ingested."""
    found: dict[str, bytes] = {}
    for i in range(n):
        path = f"class{i % n_classes}/{i:05d}.jpg"
        found[path] = jpeg(i)
        put(root / path, found[path])
    return dict(sorted(found.items(), key=lambda item: os.fsencode(item[0])))


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


async def rows_of(url: Any) -> list[dict[str, Any]]:
    """Every row as stored."""
    async with aiolake.open_dataset(url) as ds:
        assert (await aiolake.verify(ds)).ok
        batch = await ds.read(slice(None), decode=False)
        labels = ds.schema["label"].type if "label" in ds.schema else None
    columns = {name: list(values) for name, values in batch.items()}
    if isinstance(labels, aiolake.ClassLabel):
        columns["label"] = [
            None if number is np.ma.masked else labels.names[int(number)]
            for number in columns["label"]
        ]
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def as_path(value: object) -> str:
    return value if isinstance(value, str) else bytes(value).decode()  # type: ignore[call-overload]
