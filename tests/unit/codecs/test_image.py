"""Pictures, with Pillow as the oracle."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from aiolake.codecs.image import MAX_PIXELS
from aiolake.errors import FormatError, InvalidInputError
from aiolake.types import Image
from tests.unit.codecs.helpers import entry

JPEG = entry(Image())
PNG = entry(Image("png"))


def picture(mode: str, size: tuple[int, int] = (13, 7)) -> Pillow.Image:
    """A smooth picture, so that lossy formats stay close; modes by Pillow's conversion."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    rgba = np.stack([x * 9, y * 20, 255 - x * 5, 255 - y * 3], axis=-1).astype(np.uint8)
    image = Pillow.fromarray(rgba)
    if mode == "P":
        return image.convert("RGB").quantize(16)
    if mode in ("RGBA", "LA"):
        return image.convert(mode)
    return image.convert("RGB").convert(mode)


def saved(image: Pillow.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def gray16() -> bytes:
    return saved(Pillow.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000), "PNG")


def oracle(data: bytes, mode: str) -> NDArray[Any]:
    pixels = np.asarray(Pillow.open(io.BytesIO(data)).convert(mode))
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def read(codec: Any, value: Any) -> NDArray[Any]:
    encoded = codec.encode(value)
    pixels = codec.decode(encoded.payload, encoded.shape)
    assert isinstance(pixels, np.ndarray)
    return pixels


ENCODED = [
    ("jpeg gray", saved(picture("L"), "JPEG"), "L"),
    ("jpeg", saved(picture("RGB"), "JPEG"), "RGB"),
    ("jpeg 4:4:4", saved(picture("RGB"), "JPEG", subsampling=0), "RGB"),
    ("jpeg progressive", saved(picture("RGB"), "JPEG", progressive=True), "RGB"),
    ("jpeg rgb", saved(picture("RGB"), "JPEG", keep_rgb=True), "RGB"),
    ("jpeg cmyk", saved(picture("CMYK"), "JPEG"), "RGB"),
    ("png bilevel", saved(picture("1"), "PNG"), "L"),
    ("png gray", saved(picture("L"), "PNG"), "L"),
    ("png gray alpha", saved(picture("LA"), "PNG"), "LA"),
    ("png", saved(picture("RGB"), "PNG"), "RGB"),
    ("png alpha", saved(picture("RGBA"), "PNG"), "RGBA"),
    ("png palette", saved(picture("P"), "PNG"), "RGB"),
    ("png palette transparent", saved(picture("P"), "PNG", transparency=3), "RGBA"),
    ("png colour key", saved(picture("RGB"), "PNG", transparency=(0, 0, 255)), "RGB"),
    ("gif", saved(picture("P"), "GIF"), "RGB"),
    ("gif transparent", saved(picture("P"), "GIF", transparency=3), "RGBA"),
    ("bmp", saved(picture("RGB"), "BMP"), "RGB"),
    ("webp", saved(picture("RGB"), "WEBP"), "RGB"),
    ("webp alpha", saved(picture("RGBA"), "WEBP"), "RGBA"),
    ("tiff", saved(picture("RGB"), "TIFF", compression="tiff_lzw"), "RGB"),
    ("tiff cmyk", saved(picture("CMYK"), "TIFF"), "RGB"),
    ("tiff lab", saved(picture("RGB").convert("YCbCr"), "TIFF"), "RGB"),
    ("ppm", saved(picture("RGB"), "PPM"), "RGB"),
]


@pytest.mark.parametrize(("data", "mode"), [c[1:] for c in ENCODED], ids=[c[0] for c in ENCODED])
@pytest.mark.parametrize("codec", [JPEG, PNG], ids=["jpeg", "png"])
def test_encoded_pictures_are_kept_and_decode_as_pillow_does(
    codec: Any, data: bytes, mode: str
) -> None:
    expected = oracle(data, mode)
    for value in (data, bytearray(data), memoryview(data)):
        encoded = codec.encode(value)
        assert encoded.payload == data
        assert encoded.shape == expected.shape
    assert codec.raw(memoryview(data), encoded.shape) == data
    pixels = codec.decode(memoryview(data), encoded.shape)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    assert pixels.shape == expected.shape
    # Two builds of libjpeg-turbo may round differently.
    assert np.abs(pixels.astype(int) - expected).max() <= (2 if mode != "RGBA" else 0)


def test_sixteen_bit_gray_is_uint16() -> None:
    pixels = read(JPEG, gray16())
    assert pixels.dtype == np.uint16
    assert pixels.tolist() == (np.arange(12).reshape(3, 4, 1) * 5000).tolist()
    assert read(JPEG, saved(Pillow.open(io.BytesIO(gray16())), "TIFF")).tolist() == pixels.tolist()


def test_the_first_frame_of_an_animation_is_the_picture() -> None:
    frames = [Pillow.new("RGB", (4, 3), colour) for colour in ("red", "lime")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read(JPEG, data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(10))
def test_exif_orientation_is_applied_where_the_column_says_so(orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    upright = entry(Image("png", orientation="exif"))
    for format in ("JPEG", "PNG", "WEBP"):
        data = saved(picture("RGB"), format, exif=exif, lossless=True)
        assert read(PNG, data).shape == (7, 13, 3)
        image = Pillow.open(io.BytesIO(data))
        expected = np.asarray(ImageOps.exif_transpose(image))
        assert upright.encode(data).shape == expected.shape
        assert np.abs(read(upright, data).astype(int) - expected).max() <= 2
        # A PIL image loses its EXIF data here, so that it is turned when it is encoded.
        assert np.array_equal(read(upright, image), expected)
        assert np.array_equal(read(PNG, image), np.asarray(image))


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_every_picture_of_a_column_with_a_mode_has_one_form(mode: Any, channels: int) -> None:
    for format in ("jpeg", "png"):
        codec = entry(Image(format, mode=mode))
        for value in (
            ramp((5, 6)), ramp((5, 6, 3)), saved(picture("P", (6, 5)), "GIF"),
            saved(picture("CMYK", (6, 5)), "JPEG"), saved(picture("RGBA", (6, 5)), "PNG"),
        ):  # fmt: skip
            pixels = read(codec, value)
            assert pixels.shape == (5, 6, channels)
            assert pixels.dtype == np.uint8
    deep = np.full((5, 6), 0x1234, np.uint16)
    for given_ in (deep, PNG.encode(deep).payload):
        assert (read(entry(Image("png", mode=mode)), given_)[..., :3] == 0x12).all()


def test_an_icon_that_claims_to_be_large_is_refused_unopened() -> None:
    data = bytearray(saved(picture("RGB", (16, 16)), "ICO", sizes=[(16, 16)]))
    at = data.index(b"IHDR") + 4
    data[at : at + 8] = struct.pack(">II", 30_000, 5000)
    with pytest.raises(InvalidInputError, match="the icon claims 5000 x 30000 pixels"):
        JPEG.encode(bytes(data))


ARRAYS = [(7, 13), (7, 13, 1), (7, 13, 3), (1, 1), (1, 300, 3)]


def ramp(shape: tuple[int, ...], dtype: Any = np.uint8) -> NDArray[Any]:
    return np.linspace(0, 200, int(np.prod(shape))).astype(dtype).reshape(shape)


@pytest.mark.parametrize("shape", ARRAYS, ids=str)
def test_arrays_are_encoded_as_the_format_asked_for(shape: tuple[int, ...]) -> None:
    array = ramp(shape)
    as_read = array if array.ndim == 3 else array[:, :, np.newaxis]
    jpeg, png = JPEG.encode(array), PNG.encode(array)
    assert jpeg.shape == png.shape == as_read.shape
    assert Pillow.open(io.BytesIO(jpeg.payload)).format == "JPEG"
    assert Pillow.open(io.BytesIO(png.payload)).format == "PNG"
    assert np.array_equal(np.asarray(PNG.decode(png.payload, png.shape)), as_read)
    lossy = np.asarray(JPEG.decode(jpeg.payload, jpeg.shape))
    assert np.abs(lossy.astype(int) - as_read).max() < 20


@pytest.mark.parametrize(
    "make", [np.asfortranarray, lambda a: a[::-1, ::2], lambda a: a[..., ::-1]]
)
def test_arrays_of_any_layout_are_encoded(make: Any) -> None:
    array = make(ramp((8, 10, 3)))
    assert np.array_equal(read(PNG, array), array)
    assert np.abs(read(JPEG, array).astype(int) - array).max() < 40


@pytest.mark.parametrize("channels", [2, 4])
def test_png_holds_alpha_and_jpeg_does_not(channels: int) -> None:
    array = ramp((5, 6, channels))
    assert np.array_equal(read(PNG, array), array)
    with pytest.raises(InvalidInputError, match=r"1 or 3 channels.*Image\('png'\)"):
        JPEG.encode(array)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 6), (1, 9), (9, 1)])
def test_png_holds_sixteen_bits_a_channel(channels: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(channels)
    array = rng.integers(0, 1 << 16, (*size, channels), np.uint16)
    pixels = read(PNG, array)
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, array)
    assert Pillow.open(io.BytesIO(PNG.encode(array).payload)).size == size[::-1]
    with pytest.raises(InvalidInputError, match="uint8 with 1 or 3"):
        JPEG.encode(array)


def test_quality_is_heeded() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
    sizes = [len(entry(Image(quality=q)).encode(noise).payload) for q in (10, 50, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] * 3 < sizes[2]


def test_colour_of_jpeg_is_subsampled_as_pillow_and_opencv_do() -> None:
    image = Pillow.open(io.BytesIO(JPEG.encode(ramp((16, 16, 3))).payload))
    assert isinstance(image, JpegImageFile)
    assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "YCbCr", "HSV", "P"])
def test_pillow_images_are_encoded(mode: str) -> None:
    image = picture(mode)
    expected = np.asarray(image.convert("L" if mode in ("1", "L") else "RGB"))
    assert np.array_equal(read(PNG, image).reshape(expected.shape), expected)
    close = read(JPEG, image).reshape(expected.shape).astype(int)
    assert np.abs(close - expected).mean() < 12


def test_pillow_images_with_alpha_go_to_png_only() -> None:
    assert np.array_equal(read(PNG, picture("RGBA")), np.asarray(picture("RGBA")))
    with pytest.raises(InvalidInputError, match="drop the alpha channel"):
        JPEG.encode(picture("RGBA"))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pictures_of_32_bits_are_kept_but_not_encoded(mode: str) -> None:
    image = picture("L").convert(mode)
    with pytest.raises(InvalidInputError, match="Tensor"):
        PNG.encode(image)
    data = saved(image, "TIFF")
    assert np.array_equal(read(PNG, data)[:, :, 0], np.asarray(image))
    assert read(PNG, data).dtype == (np.int32 if mode == "I" else np.float32)
    with pytest.raises(InvalidInputError, match="are not converted to RGB"):
        entry(Image(mode="RGB")).encode(data)


def test_a_pillow_image_whose_file_is_cut_off_is_refused() -> None:
    data = saved(picture("RGB", (200, 200)), "PNG")
    with pytest.raises(InvalidInputError, match=r"PIL\.Image cannot be stored"):
        PNG.encode(Pillow.open(io.BytesIO(data[:200])))


class _Tensor:
    """An array of another library."""

    def __init__(self, array: NDArray[Any] | None) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if self.array is None:
            raise TypeError("copy it to the host first")
        return self.array


def test_arrays_of_other_libraries_are_pixels_too() -> None:
    assert read(PNG, _Tensor(ramp((3, 4)))).shape == (3, 4, 1)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros((4, 4, 3)), r"\(x \* 255\)"),
        (np.zeros((4, 4, 3), np.float32), r"expected pixels of uint8, got .*float32.*\(x \* 255\)"),
        (np.zeros((4, 4), bool), r"use x \* 255"),
        (np.zeros((4, 4, 3), np.int64), "expected pixels of uint8"),
        (np.zeros((3, 4, 8), np.uint8), "transpose"),
        (np.zeros((4, 4, 5), np.uint8), r"expected pixels \(h, w\)"),
        (np.zeros((4, 4, 0), np.uint8), r"expected pixels \(h, w\)"),
        (np.zeros(4, np.uint8), r"expected pixels \(h, w\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"expected pixels \(h, w\)"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels: 0 x 4"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000)), "more than 178,956,970"),
        (np.broadcast_to(np.uint8(0), (70_000, 1)), "65,500 pixels a side"),
        ("cat.jpg", "read_bytes"),
        (Path("cat.jpg"), "expected an encoded picture"),
        ([[1, 2], [3, 4]], "expected an encoded picture"),
        (7, "expected an encoded picture"),
        (_Tensor(None), "copy it to the host first"),
    ],
    ids=lambda value: str(getattr(value, "shape", value))[:30],
)
def test_what_is_no_picture_is_refused_with_a_hint(value: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        JPEG.encode(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P",
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"no picture at all",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"GIF89a",
        b"BM" + bytes(60),
        b"II*\0" + b"\xff" * 20,
        bytes(1000),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match=f"{len(data)} bytes are no picture"):
        JPEG.encode(data)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_a_picture_cut_off_is_refused_before_it_is_written(format: str, part: float) -> None:
    data = saved(picture("RGB", (64, 64)), format)
    with pytest.raises(InvalidInputError, match="are no picture"):
        JPEG.encode(data[: int(len(data) * part)])


@given(st.binary(max_size=100))
def test_any_garbage_behind_any_magic_is_refused_or_decodes(garbage: bytes) -> None:
    for magic in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"P6 ", b"BM", b"II*\0"):
        try:
            encoded = JPEG.encode(magic + garbage)
        except InvalidInputError:
            continue
        try:
            JPEG.decode(encoded.payload, encoded.shape)
        except FormatError:
            continue


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 10))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def test_a_small_file_that_claims_a_huge_picture_is_refused() -> None:
    for bomb in (claims(20_000, 20_000), claims(2**31 - 1, 2**31 - 1)):
        with pytest.raises(InvalidInputError, match="pixels are more than"):
            JPEG.encode(bomb)
        with pytest.raises(FormatError, match="pixels are more than"):
            JPEG.decode(bomb, ())
    # Pillow would warn of this one by way of process-wide filters; it is within the limit.
    side = int(MAX_PIXELS**0.5)
    assert JPEG.encode(claims(side, side)).shape == (side, side, 3)
    data = bytearray(saved(picture("RGB"), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(InvalidInputError, match="65535 x 65535 pixels"):
        JPEG.encode(bytes(data))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_stored_bytes_that_do_not_decode_are_a_format_error(format: str) -> None:
    data = saved(picture("RGB", (64, 64)), format)
    shape = JPEG.encode(data).shape
    with pytest.raises(FormatError, match="does not decode"):
        JPEG.decode(data[: len(data) // 2], shape)
    with pytest.raises(FormatError, match="does not decode"):
        JPEG.decode(b"", shape)


def test_a_stored_shape_that_is_not_the_pictures_is_a_format_error() -> None:
    for data in (saved(picture("RGB"), "JPEG"), saved(picture("RGB"), "PNG")):
        assert JPEG.decode(data, (7, 13, 3)) is not None
        with pytest.raises(FormatError, match=r"manifest says \(7, 13, 4\)"):
            JPEG.decode(data, (7, 13, 4))


def test_stray_bytes_in_a_jpeg_are_borne_as_pillow_bears_them() -> None:
    data = saved(picture("RGB"), "JPEG")
    odd = data[:-2] + b"\x12\x34\x56" + data[-2:]
    assert np.abs(read(JPEG, odd).astype(int) - oracle(odd, "RGB")).max() <= 2
