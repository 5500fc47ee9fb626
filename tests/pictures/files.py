"""Generators of picture files: a few lines for each format, varied by a random source."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

from tests.pictures.rawpng import CHANNELS, DEPTHS, chunk, rawpng

Random = random.Random
ORIENTATION = 0x0112


def picture(mode: str, rng: Random, *, most: int = 20) -> Pillow.Image:
    """A small picture of a mode: noise, or a ramp."""
    height, width = rng.randint(1, most), rng.randint(1, most)
    if mode == "I;16":
        return Pillow.fromarray(noise(rng, (height, width), np.uint16))
    if mode in ("I", "F"):
        values = noise(rng, (height, width), np.uint32).astype(np.int32)
        return Pillow.fromarray(values if mode == "I" else values.astype(np.float32) / 7)
    values = noise(rng, (height, width, 4), np.uint8)
    if rng.random() < 0.4:
        values[:] = np.linspace(0, 255, width)[:, None].astype(np.uint8)
    image = Pillow.fromarray(values)
    if mode == "P":
        return image.convert("RGB").quantize(rng.choice([2, 3, 16, 200]))
    if mode == "LAB":
        rgb = ImageCms.createProfile("sRGB")
        lab = ImageCms.createProfile("LAB")
        to_lab = ImageCms.buildTransform(rgb, lab, "RGB", "LAB")
        converted = ImageCms.applyTransform(image.convert("RGB"), to_lab)
        assert converted is not None
        return converted
    return image.convert(mode) if mode in ("RGBA", "LA") else image.convert("RGB").convert(mode)


def noise(rng: Random, shape: tuple[int, ...], dtype: Any) -> Any:
    source = np.random.default_rng(rng.getrandbits(32))
    return source.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def saved(image: Pillow.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def exif(rng: Random) -> dict[str, Any]:
    """Now and then EXIF data that name an orientation, or a wrong one."""
    if rng.random() < 0.5:
        return {}
    found = Pillow.Exif()
    found[ORIENTATION] = rng.randint(0, 9)
    return {"exif": found.tobytes()}


def jpeg(rng: Random) -> bytes:
    mode = rng.choice(["L", "RGB", "RGB", "RGB", "CMYK"])
    options: dict[str, Any] = {
        "quality": rng.choice([5, 50, 75, 95, 100]),
        "progressive": rng.random() < 0.3,
        "optimize": rng.random() < 0.3,
        "restart_marker_blocks": rng.choice([0, 0, 1, 3]),
        **exif(rng),
    }
    if mode == "RGB":
        options |= rng.choice([{"keep_rgb": True}, *({"subsampling": n} for n in (0, 1, 2))])
    data = saved(picture(mode, rng, most=40), "JPEG", **options)
    if mode == "CMYK" and rng.random() < 0.5:
        # Adobe's mark says which: the same numbers are then YCCK.
        at = data.index(b"Adobe") + 11
        return data[:at] + b"\2" + data[at + 1 :]
    return data


def png(rng: Random) -> bytes:
    if rng.random() < 0.3:
        mode = rng.choice(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
        options: dict[str, Any] = {"transparency": 1} if mode == "P" and rng.random() < 0.3 else {}
        return saved(picture(mode, rng), "PNG", **options, **exif(rng))
    colour = rng.choice(list(DEPTHS))
    depth = rng.choice(DEPTHS[colour])
    size = rng.randint(1, 12), rng.randint(1, 12)
    numbers = noise(rng, (*size, CHANNELS[colour]), np.uint16) & ((1 << depth) - 1)
    before = [_palette(rng, depth)] if colour == 3 else []
    if rng.random() < 0.3 and colour in (0, 2, 3):
        before.append(_transparency(rng, colour, depth))
    turned = chunk(b"eXIf", exif(rng).get("exif", b"Exif\0\0")[6:])
    interlaced = rng.random() < 0.5
    ends = (b"".join(before), turned) if rng.random() < 0.5 else (b"".join([*before, turned]), b"")
    return rawpng(numbers, colour, depth, rng, interlaced=interlaced, before=ends[0], after=ends[1])


def _palette(rng: Random, depth: int) -> bytes:
    return chunk(b"PLTE", rng.randbytes(3 << depth))


def _transparency(rng: Random, colour: int, depth: int) -> bytes:
    if colour == 3:
        return chunk(b"tRNS", rng.randbytes(rng.randint(1, 1 << depth)))
    key = [rng.randrange(1 << depth) for _ in range(CHANNELS[colour])]
    return chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))


def webp(rng: Random) -> bytes:
    mode = rng.choice(["RGB", "RGBA"])
    image = picture(mode, rng)
    options: dict[str, Any] = {
        "lossless": rng.random() < 0.5, "quality": rng.randint(0, 100), "method": 0, **exif(rng),
    }  # fmt: skip
    if rng.random() < 0.2:
        options |= {"save_all": True, "append_images": [image.rotate(180)], "duration": 40}
    return saved(image, "WEBP", **options)


def gif(rng: Random) -> bytes:
    image = picture(rng.choice(["P", "L", "1", "RGB"]), rng)
    options: dict[str, Any] = {"interlace": rng.random() < 0.5}
    if image.mode == "P" and rng.random() < 0.5:
        options["transparency"] = 1
    if rng.random() < 0.3:
        options |= {"save_all": True, "append_images": [image.rotate(180)], "duration": 40}
    return saved(image, "GIF", **options)


def bmp(rng: Random) -> bytes:
    if rng.random() < 0.3:
        return _bmp_of_16_bits(rng)
    return saved(picture(rng.choice(["1", "L", "P", "RGB", "RGBA"]), rng), "BMP")


def _bmp_of_16_bits(rng: Random) -> bytes:
    """5, 5 and 5 bits, or 5, 6 and 5; from the bottom up, or from the top down."""
    height, width = rng.randint(1, 9), rng.randint(1, 9)
    masks = rng.choice([(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)])
    row = (2 * width + 3) // 4 * 4
    body = rng.randbytes(row * height)
    start = 14 + 40 + 12
    header = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    signed = height if rng.random() < 0.5 else -height
    info = struct.pack("<IiiHHIIiiII", 40, width, signed, 1, 16, 3, len(body), 0, 0, 0, 0)
    return header + info + struct.pack("<3I", *masks) + body


def tiff(rng: Random) -> bytes:
    mode = rng.choice(
        ["1", "L", "LA", "P", "RGB", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"]
    )
    methods = [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"]
    if mode == "1":
        methods += ["group3", "group4"]
    if mode in ("L", "RGB"):
        methods.append("jpeg")
    method = "raw" if mode in ("LAB", "YCbCr") else rng.choice(methods)
    found = Pillow.Exif()
    if rng.random() < 0.4:
        found[ORIENTATION] = rng.randint(1, 8)
    options: dict[str, Any] = {"compression": method, "big_tiff": rng.random() < 0.2}
    return saved(picture(mode, rng), "TIFF", exif=found, **options)


def ppm(rng: Random) -> bytes:
    choice = rng.random()
    if choice < 0.5:
        return saved(picture(rng.choice(["1", "L", "RGB", "I;16", "F"]), rng), "PPM")
    height, width = rng.randint(1, 9), rng.randint(1, 9)
    kind = rng.choice([1, 2, 3, 5, 6])
    most = 1 if kind == 1 else rng.choice([1, 7, 255, 255, 1000, 65535])
    n = height * width * (3 if kind in (3, 6) else 1)
    numbers = [rng.randint(0, most) for _ in range(n)]
    head = f"P{kind}\n# made by hand\n{width} {height}\n" + ("" if kind == 1 else f"{most}\n")
    if kind <= 3:
        return head.encode() + " ".join(map(str, numbers)).encode() + b"\n"
    return head.encode() + np.asarray(numbers, ">u2" if most > 255 else "u1").tobytes()


def jpeg2000(rng: Random) -> bytes:
    mode = rng.choice(["L", "LA", "RGB", "RGBA", "I;16"])
    options: dict[str, Any] = {"no_jp2": rng.random() < 0.3}
    if mode != "I;16":
        options["irreversible"] = rng.random() < 0.3
    return saved(picture(mode, rng), "JPEG2000", **options)


def avif(rng: Random) -> bytes:
    options = {"quality": rng.choice([30, 80, 100]), "speed": 10, "max_threads": 1, **exif(rng)}
    return saved(picture(rng.choice(["RGB", "RGBA", "L"]), rng), "AVIF", **options)


def ico(rng: Random) -> bytes:
    image = picture(rng.choice(["RGB", "RGBA", "P", "1", "L"]), rng, most=40)
    size = rng.choice([(16, 16), (16, 16), (8, 24), (32, 32)])
    return saved(
        image.resize((32, 32)), "ICO", sizes=[size], bitmap_format=rng.choice(["png", "bmp"])
    )


FORMATS: dict[str, Callable[[Random], bytes]] = {
    "JPEG": jpeg,
    "PNG": png,
    "WEBP": webp,
    "GIF": gif,
    "BMP": bmp,
    "TIFF": tiff,
    "PPM": ppm,
    "JPEG2000": jpeg2000,
    "AVIF": avif,
    "ICO": ico,
}


def broken(data: bytes, rng: Random) -> bytes:
    """A file cut off, or with some bytes changed, at its beginning or anywhere."""
    if rng.random() < 0.4:
        return data[: rng.randrange(len(data))]
    out = bytearray(data)
    most = len(out) if rng.random() < 0.5 else min(len(out), 60)
    for _ in range(rng.choice([1, 1, 2, 8])):
        out[rng.randrange(most)] = rng.randrange(256)
    return bytes(out)
