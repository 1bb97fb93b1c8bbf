"""Conversion of every kind of image by open_rgb, compared with manually computed values."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pix2pix.data.images import half_size, halves, open_rgb
from pix2pix.system.errors import InputError

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


def encoded(image: Image.Image | np.ndarray, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    image = open_rgb(data)
    assert image.mode == "RGB"
    return np.asarray(image)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_formats_keep_every_pixel(format):
    options = {"lossless": True} if format == "WEBP" else {}
    assert (pixels(encoded(COLOURS, format, **options)) == COLOURS).all()


@pytest.mark.parametrize("options", [{"quality": 75}, {"quality": 95, "subsampling": 0}, {"progressive": True}])
def test_jpeg_is_exactly_what_pillow_decodes(options):
    data = encoded(Image.fromarray(COLOURS).resize((512, 256)), "JPEG", **options)
    assert (pixels(data) == np.asarray(Image.open(io.BytesIO(data)))).all()


def test_grey_is_the_same_value_in_each_channel():
    grey = np.array([[0, 1, 100, 255]], np.uint8)
    for format in ("PNG", "TIFF", "BMP", "PPM"):
        assert (pixels(encoded(grey, format)) == grey[..., None]).all()


def test_one_bit_images_are_black_and_white():
    bits = np.array([[True, False, False, True]])
    assert (pixels(encoded(Image.fromarray(bits)))[..., 0] == [[255, 0, 0, 255]]).all()


def test_alpha_is_composited_over_white():
    colours = np.array([[[100, 0, 255, 0], [100, 0, 255, 255], [100, 0, 255, 128]]], np.uint8)
    # 100 * 128/255 + 255 * 127/255 = 177.2; 0 + 127 = 127
    expected = [[[255, 255, 255], [100, 0, 255], [177, 127, 255]]]
    for format in ("PNG", "TIFF"):
        assert (pixels(encoded(colours, format)) == expected).all()


def test_grey_with_alpha_is_composited_over_white():
    image = Image.merge("LA", [Image.new("L", (2, 1), 100), Image.frombytes("L", (2, 1), bytes([128, 0]))])
    assert pixels(encoded(image)).tolist() == [[[177] * 3, [255] * 3]]


def palette_image() -> Image.Image:
    image = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    image.putpalette([10, 20, 30, 200, 100, 50, 1, 2, 3])
    return image


def test_palette_gives_its_colours():
    assert pixels(encoded(palette_image())).tolist() == [[[10, 20, 30], [200, 100, 50], [1, 2, 3]]]


def test_transparent_palette_entry_is_white():
    data = encoded(palette_image(), transparency=1)
    assert pixels(data).tolist() == [[[10, 20, 30], [255, 255, 255], [1, 2, 3]]]


def test_transparent_colour_is_white():
    data = encoded(np.array([[[9, 8, 7], [9, 8, 6]]], np.uint8), transparency=(9, 8, 7))
    assert pixels(data).tolist() == [[[255, 255, 255], [9, 8, 6]]]


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_is_rounded_to_eight(format):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = Image.fromarray(values.astype(np.int32) if format == "PPM" else values)
    grey = pixels(encoded(image, format))[..., 0].ravel()
    assert grey[[0, 128, 129, 257, 385, 386, 65406, 65407, 65535]].tolist() == [0, 0, 1, 1, 1, 2, 254, 255, 255]
    assert (grey == np.rint(np.arange(65536) / 257)).all()


def test_transparent_sixteen_bit_grey_is_white():
    data = encoded(np.array([[1000, 1001]], np.uint16), transparency=1000)
    assert pixels(data)[..., 0].tolist() == [[255, 4]]


def test_cmyk_is_converted_to_rgb():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 255, 0], [0, 0, 0, 255]]], np.uint8)
    data = encoded(Image.fromarray(inks, "CMYK"), "TIFF")
    assert pixels(data).tolist() == [[[255, 255, 255], [0, 255, 255], [255, 0, 0], [0, 0, 0]]]


def test_exif_orientation_is_not_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert pixels(encoded(COLOURS, "JPEG", exif=exif)).shape == (6, 8, 3)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
@pytest.mark.parametrize(
    ("format", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("BMP", {}), ("TIFF", {}), ("PPM", {})],
)
def test_truncated_file_is_rejected_or_has_all_its_pixels(format, options):
    data = encoded(COLOURS, format, **options)
    whole = open_rgb(data).tobytes()
    refused = 0
    for length in range(1, len(data)):
        try:
            assert open_rgb(data[:length]).tobytes() == whole
        except InputError:
            refused += 1
    assert refused > 0.8 * len(data)


def test_messages_name_the_file(tmp_path):
    for name, data, reason in [
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"not an image at all", r"is not an image \(JPEG, .*\), or is truncated"),
        ("cut.jpg", encoded(Image.effect_noise((64, 64), 50), "JPEG")[:-80], "cannot be decoded"),
        ("animation.gif", encoded(palette_image(), "GIF"), r"is not an image \(JPEG, .*\), or is truncated"),
        ("float.tif", encoded(np.ones((4, 4), np.float32), "TIFF"), "cannot be decoded: floating-point"),
        ("wide.tif", encoded(np.full((4, 4), 70000, np.int32), "TIFF"), "70000 exceed 16 bits"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=reason) as error:
            open_rgb(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest resets the module's filter
@pytest.mark.parametrize("side", [10_000, 60_000])
def test_decompression_bomb_is_rejected_without_decoding(side):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    with pytest.raises(InputError, match="more than 89,478,485 pixels"):
        open_rgb(data)


def test_halves_are_left_and_right():
    left, right = halves(open_rgb(encoded(COLOURS)))
    assert (np.asarray(left) == COLOURS[:, :4]).all()
    assert (np.asarray(right) == COLOURS[:, 4:]).all()


def test_invalid_size_for_halving_is_an_error():
    with pytest.raises(InputError, match="5x4: an odd width"):
        halves(Image.new("RGB", (5, 4)))


def test_size_of_halves():
    assert half_size(encoded(Image.new("RGB", (4, 2)))) == (2, 2)
    assert half_size(encoded(Image.new("RGB", (512, 300)))) == (256, 300)


@pytest.mark.parametrize(
    ("size", "wrong"),
    [
        ((5, 4), "is 5x4: an odd width cannot be halved"),
        ((2, 4), "is 2x4: its halves are smaller than 2x2"),
        ((4, 1), "is 4x1: its halves are smaller than 2x2"),
    ],
)
def test_problem_of_a_pair_is_reported(size, wrong):
    with pytest.raises(InputError, match=f"^image: {wrong}$"):
        half_size(encoded(Image.new("RGB", size)))


def accepted(check, data: bytes) -> bool:
    try:
        check(data)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"quality": 95}])
def test_check_of_a_jpeg_rejects_what_full_decoding_rejects(mode, options):
    data = encoded(Image.effect_noise((64, 32), 60).convert("RGB").convert(mode), "JPEG", **options)
    random = np.random.default_rng(0)
    outcomes = set()
    for number in range(200):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 1 + number % 20):
            damaged[place] = random.integers(256)
        if number % 3 == 0:
            del damaged[random.integers(len(data)) :]
        whole = accepted(lambda damaged: halves(open_rgb(damaged)), bytes(damaged))
        assert accepted(half_size, bytes(damaged)) == whole
        outcomes.add(whole)
    assert outcomes == {True, False}
