"""Pictures coming in."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.images.decode import DecodedImage, decode, read_bytes
from tests.unit.pictures import (
    cmyk_profile,
    icc_profile,
    linear_grey_profile,
    photograph,
    png_chunk,
    png_of,
    raw_png,
    red_is_green_profile,
    saved,
)


def pixel(picture: DecodedImage, x: int = 0, y: int = 0) -> tuple[int, ...]:
    value = picture.image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def near(actual: tuple[int, ...], expected: tuple[int, ...], within: int = 2) -> bool:
    return all(abs(a - b) <= within for a, b in zip(actual, expected, strict=True))


class TestReading:
    def test_a_file_is_read(self, tmp_path: Path) -> None:
        """Given a file as large as allowed, if I read it, I expect its bytes."""
        (tmp_path / "a.png").write_bytes(b"12345")
        assert read_bytes(tmp_path / "a.png", 5) == b"12345"

    def test_a_missing_file_is_told_with_the_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given no file, if I read it by a relative path, I expect to be told where it was sought."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InvalidImage) as caught:
            read_bytes(Path("missing.jpg"), 5)
        sentence = f"check the path (it is looked for from the current folder, {tmp_path})"
        assert str(caught.value) == f"missing.jpg does not exist: {sentence}"

    def test_what_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        """Given a folder, an empty file, a large one, odd paths, if I read them, I expect one sentence each."""
        (tmp_path / "empty.png").touch()
        (tmp_path / "large.png").write_bytes(b"123456")
        sentences = {
            "absent.png": "does not exist: check the path$",
            ".": "is not a file",
            "empty.png": "is empty",
            "large.png": "is 6 bytes large, more than the limit of 5: export it smaller",
            "x" * 300: "File name too long|does not exist",
            "a\0b": "cannot be read|does not exist",
        }
        for name, sentence in sentences.items():
            with pytest.raises(InvalidImage, match=sentence):
                read_bytes(tmp_path / name, 5)

    def test_a_file_without_permission_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a file I may not read, if I read it, I expect a sentence about permission."""
        (tmp_path / "a.png").write_bytes(b"1")
        # Not by chmod: tests may run as root, who may read anything.
        monkeypatch.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
        with pytest.raises(InvalidImage, match="you have no permission"):
            read_bytes(tmp_path / "a.png", 5)


class TestRefusing:
    @pytest.mark.parametrize("data", [b"", b"hello, this is a letter", b"GIF", b"RIFF1234WEBP", b"\xff\xd8\xff", b"BM"])
    def test_no_picture(self, data: bytes) -> None:
        """Given text or a bare signature under the name of a picture, if I decode it, I expect a sentence."""
        with pytest.raises(
            InvalidImage,
            match=r"^notes\.jpg (is not a picture that can be read here: give one of|cannot be decoded \()",
        ):
            decode(data, "notes.jpg")

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
    @pytest.mark.parametrize("kept", [0.99, 0.5, 0.1])
    # Pillow tells what it misses in a TIFF by a warning, before it fails.
    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    def test_a_file_cut_short(self, kind: str, kept: float) -> None:
        """Given the beginning of a file, if I decode it, I expect a refusal and no half gray picture."""
        data = saved(photograph(), kind)
        with pytest.raises(InvalidImage, match=r"^a cannot be decoded \(.*\): export it again as PNG or JPEG$"):
            decode(data[: int(len(data) * kept)], "a")

    def test_a_png_without_its_last_chunk(self) -> None:
        """Given a PNG that lacks only its end, if I decode it, I expect a refusal."""
        with pytest.raises(InvalidImage, match="truncated"):
            decode(saved(photograph(), "PNG")[:-12], "a.png")

    def test_a_bomb_is_refused_on_its_header(self) -> None:
        """Given 70 bytes that claim 2.5 billion pixels, if I decode them, I expect the size, the limit, the setting."""
        data = raw_png(50_000, 50_000, 8, 2, b"")
        with pytest.raises(
            InvalidImage, match=r"50000 x 50000 \(2,500,000,000 pixels\).*100,000,000.*STYLEFARM_MAX_PIX"
        ):
            decode(data, "bomb.png")

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
    def test_only_our_limit_counts(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a picture beyond Pillow's limit and below ours, if I decode it, I expect it, and no warning."""
        data = saved(photograph(), kind)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        assert decode(data, "a").image.size == (48, 32)

    def test_no_limit_of_pillow_leaks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a WebP beyond Pillow's limit, which its decoder insists on, if I decode it, I expect our sentence."""
        data = saved(photograph(), "WEBP")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        with pytest.raises(InvalidImage, match="more pixels than Pillow decodes in this format"):
            decode(data, "a.webp")

    def test_limits_are_inclusive(self) -> None:
        """Given a picture of exactly the limits, if I decode it, I expect it; one pixel more or less, a refusal."""
        data = saved(photograph(48, 32), "PNG")
        assert decode(data, "a", max_pixels=48 * 32, min_side=32).width == 48
        with pytest.raises(InvalidImage, match="make it smaller"):
            decode(data, "a", max_pixels=48 * 32 - 1)
        with pytest.raises(InvalidImage, match="at least 33 pixels on each side"):
            decode(data, "a", min_side=33)

    def test_one_pixel(self) -> None:
        """Given a tracking pixel, if I decode it, I expect a refusal."""
        with pytest.raises(InvalidImage, match=r"a\.gif is 1 x 1: give one with at least 16 pixels on each side"):
            decode(saved(Image.new("P", (1, 1)), "GIF"), "a.gif")

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
    def test_animations_and_pages(self, kind: str) -> None:
        """Given three frames, if I decode them, I expect a refusal that counts them; a single one is a picture."""
        frames = [Image.new("RGB", (32, 32), color) for color in ("red", "lime", "blue")]
        sentence = r"has 3 pages: export one of them" if kind == "TIFF" else r"is animated \(3 frames\): export one"
        with pytest.raises(InvalidImage, match=sentence):
            decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]), "a")
        assert decode(saved(frames[0], kind, save_all=True), "a").width == 32

    def test_a_second_picture_in_a_jpeg_is_no_animation(self) -> None:
        """Given the JPEG of a phone with a depth map behind it, if I decode it, I expect the first picture."""
        data = saved(photograph(), "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32))])
        assert near(pixel(decode(data, "a.jpg"), 47, 0), (255, 0, 255), within=12)

    @pytest.mark.parametrize(
        "error", [MemoryError(), OverflowError("x"), zlib.error("x"), RuntimeWarning("x"), EOFError()]
    )
    def test_whatever_pillow_raises(self, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given a decoder that fails in any way, if I decode, I expect InvalidImage."""

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", fail)
        with pytest.raises(InvalidImage, match=r"cannot be decoded \(\w+\)"):
            decode(saved(photograph(), "PNG"), "a.png")


class TestConverting:
    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
    def test_an_ordinary_picture_is_left_alone(self, kind: str) -> None:
        """Given 8-bit RGB, if I decode it, I expect the same pixels and no notes."""
        picture = decode(saved(photograph(), kind), "a")
        assert picture.notes == ()
        assert (picture.width, picture.height, picture.image.mode) == (48, 32, "RGB")
        assert np.array_equal(np.asarray(picture.image), np.asarray(photograph()))

    def test_cmyk_without_a_profile(self) -> None:
        """Given a JPEG in CMYK, which holds its inks inverted, if I decode it, I expect its colors and a note."""
        inks = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
        picture = decode(saved(inks, "JPEG", quality=100), "a.jpg")
        assert picture.notes == ("CMYK converted to sRGB",)
        assert near(pixel(picture), (255, 0, 0))

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_cmyk_with_a_profile(self, kind: str) -> None:
        """Given a profile by which cyan prints gray, if I decode a cyan picture, I expect gray."""
        inks = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
        picture = decode(saved(inks, kind, icc_profile=cmyk_profile()), "a")
        assert picture.notes == ("CMYK converted to sRGB by the profile in the file",)
        red, green, blue = pixel(picture)
        assert near((red, green), (green, blue))
        assert 120 < red < 230

    def test_a_profile_is_heeded(self) -> None:
        """Given a profile whose red is green, if I decode red, I expect green; transparent parts stay white."""
        image = Image.new("RGBA", (32, 32), (255, 0, 0, 255))
        image.putpixel((0, 0), (255, 0, 0, 0))
        picture = decode(saved(image, "PNG", icc_profile=red_is_green_profile()), "a.png")
        assert picture.notes == ("colors converted to sRGB by the profile in the file", "alpha laid over white")
        assert near(pixel(picture, 1, 1), (0, 255, 0))
        assert pixel(picture) == (255, 255, 255)

    def test_a_profile_for_grey(self) -> None:
        """Given gray in linear light, if I decode its middle, I expect what sRGB calls the middle of light."""
        data = saved(Image.new("L", (32, 32), 128), "PNG", icc_profile=linear_grey_profile())
        assert near(pixel(decode(data, "a.png")), (188, 188, 188), within=3)

    def test_a_profile_that_says_srgb_changes_nothing(self) -> None:
        """Given sRGB by its profile, if I decode it, I expect each pixel as it was."""
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        picture = decode(saved(photograph(), "PNG", icc_profile=profile), "a.png")
        assert picture.notes == ()
        assert np.array_equal(np.asarray(picture.image), np.asarray(photograph()))

    @pytest.mark.parametrize(
        ("profile", "note"),
        [
            (b"no profile", "broken color profile ignored"),
            (icc_profile(b"RGB ", b"XYZ ", {}), "broken color profile ignored"),
            (cmyk_profile(), "color profile that is not for RGB ignored"),
        ],
    )
    def test_a_profile_that_does_not_serve(self, profile: bytes, note: str) -> None:
        """Given a broken or foreign profile, if I decode the picture, I expect its pixels as they are, and a note."""
        picture = decode(saved(photograph(), "PNG", icc_profile=profile), "a.png")
        assert picture.notes == (note,)
        assert np.array_equal(np.asarray(picture.image), np.asarray(photograph()))

    def test_sixteen_bits_of_grey_are_scaled(self) -> None:
        """Given a ramp from 0 to 65535, if I decode it, I expect a ramp from 0 to 255, not white from 256 on."""
        ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
        for data in (png_of(ramp.astype(">u2"), 16, 0), saved(Image.fromarray(ramp), "TIFF")):
            picture = decode(data, "a")
            assert picture.notes == ("16-bit reduced to 8-bit",)
            assert np.abs(np.asarray(picture.image)[..., 0] - ramp / 257).max() <= 0.5

    def test_sixteen_bits_of_color(self) -> None:
        """Given RGB of 16 bits, if I decode it, I expect the upper 8 and a note."""
        colors = np.full((32, 32, 3), (65535, 32768, 257), ">u2")
        picture = decode(png_of(colors, 16, 2), "a.png")
        assert picture.notes == ("16-bit reduced to 8-bit",)
        assert near(pixel(picture), (255, 128, 1), within=1)

    def test_one_transparent_value_of_sixteen_bits(self) -> None:
        """Given gray of which one value is transparent, if I decode it, I expect that white, its neighbor not."""
        values = np.full((32, 32), 1001, ">u2")
        values[0, 0] = 1000
        picture = decode(png_of(values, 16, 0, png_chunk(b"tRNS", struct.pack(">H", 1000))), "a.png")
        assert pixel(picture) == (255, 255, 255)
        assert pixel(picture, 1, 1) == (4, 4, 4)

    def test_white_is_zero(self) -> None:
        """Given a TIFF of 16 bits in which zero is white, if I decode it, I expect white."""
        data = saved(Image.fromarray(np.zeros((32, 32), np.uint16)), "TIFF", tiffinfo={262: 0})
        assert pixel(decode(data, "a.tif")) == (255, 255, 255)

    @pytest.mark.parametrize(
        ("values", "expected", "note"),
        [
            (np.linspace(0, 1, 1024, dtype=np.float32), (0, 255), "numbers from 0 to 1 scaled to 8-bit"),
            (np.linspace(0, 255, 1024, dtype=np.float32), (0, 255), "numbers from 0 to 255 scaled to 8-bit"),
            (np.linspace(-5, 99, 1024, dtype=np.float32), (0, 255), "numbers from -5 to 99 scaled to 8-bit"),
            (np.linspace(0, 32768, 1024).astype(np.int32), (0, 128), "numbers from 0 to 65535 scaled to 8-bit"),
            (np.full(1024, -7, np.int32), None, "numbers from -7 to -7 scaled to 8-bit"),
        ],
    )
    def test_numbers(self, values: npt.NDArray[Any], expected: tuple[int, int] | None, note: str) -> None:
        """Given a TIFF of 32-bit numbers, if I decode it, I expect its range as black to white."""
        picture = decode(saved(Image.fromarray(values.reshape(32, 32)), "TIFF"), "a.tif")
        assert picture.notes == (note,)
        if expected is not None:
            assert (pixel(picture)[0], pixel(picture, 31, 31)[0]) == expected

    def test_numbers_that_are_none(self) -> None:
        """Given a TIFF that holds NaN, if I decode it, I expect a refusal."""
        values = np.full((32, 32), np.nan, np.float32)
        with pytest.raises(InvalidImage, match="not finite"):
            decode(saved(Image.fromarray(values), "TIFF"), "a.tif")

    def test_one_bit(self) -> None:
        """Given black and white, if I decode it, I expect black and white."""
        image = Image.new("1", (32, 32), 1)
        image.putpixel((0, 0), 0)
        picture = decode(saved(image, "PNG"), "a.png")
        assert (pixel(picture), pixel(picture, 1, 1)) == ((0, 0, 0), (255, 255, 255))

    def test_a_palette(self) -> None:
        """Given a palette, if I decode it, I expect its colors, and white where it is transparent."""
        image = Image.new("P", (32, 32), 1)
        image.putpalette([0, 0, 0, 200, 100, 50])
        image.putpixel((0, 0), 0)
        assert decode(saved(image, "GIF"), "a.gif").notes == ()
        for kind in ("GIF", "PNG"):
            picture = decode(saved(image, kind, transparency=0), "a")
            assert picture.notes == ("alpha laid over white",)
            assert (pixel(picture), pixel(picture, 1, 1)) == ((255, 255, 255), (200, 100, 50))

    def test_a_palette_with_half_transparent_colors(self) -> None:
        """Given a palette with an opacity for each color, if I decode it, I expect them mixed with white."""
        image = Image.new("P", (32, 32), 0)
        image.putpalette([0, 0, 0])
        assert near(pixel(decode(saved(image, "PNG", transparency=b"\x80"), "a.png")), (127, 127, 127), within=1)

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    @pytest.mark.parametrize(("mode", "color"), [("RGBA", (0, 0, 0, 64)), ("LA", (0, 64))])
    def test_alpha_is_laid_over_white(self, kind: str, mode: str, color: tuple[int, ...]) -> None:
        """Given black, one quarter opaque, if I decode it, I expect three quarters of white."""
        picture = decode(saved(Image.new(mode, (32, 32), color), kind, lossless=True), "a")
        assert picture.notes == ("alpha laid over white",)
        assert pixel(picture) == (191, 191, 191)
        assert picture.alpha is not None
        assert picture.alpha.getextrema() == (64, 64)

    def test_opaque_alpha_is_no_news(self) -> None:
        """Given an alpha channel that hides nothing, if I decode it, I expect no note, and no alpha."""
        picture = decode(saved(photograph().convert("RGBA"), "PNG"), "a.png")
        assert (picture.notes, picture.alpha) == ((), None)

    def test_alpha_is_turned_with_its_picture(self) -> None:
        """Given a transparent corner, and EXIF that turns the picture, if I decode it, I expect it where it belongs."""
        image = photograph().convert("RGBA")
        image.putpixel((0, 0), (0, 0, 0, 0))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 3
        alpha = decode(saved(image, "PNG", exif=exif), "a.png").alpha
        assert alpha is not None
        assert (alpha.getpixel((0, 0)), alpha.getpixel((image.width - 1, image.height - 1))) == (255, 0)

    def test_lab(self) -> None:
        """Given a TIFF in Lab, if I decode its middle gray, I expect sRGB's."""
        data = saved(Image.new("LAB", (32, 32), (128, 128, 128)), "TIFF")
        picture = decode(data, "a.tif")
        assert picture.notes == ("Lab converted to sRGB",)
        assert near(pixel(picture), (119, 119, 119))

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_turns_it_upright(self, kind: str, orientation: int) -> None:
        """Given a picture stored in any of the eight ways, if I decode it, I expect it upright."""
        upright = photograph()
        undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # by Pillow's number of the move that stores it so
        stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation in undo else upright
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        picture = decode(saved(stored, kind, exif=exif.tobytes() if kind != "TIFF" else exif, quality=95), "a")
        assert picture.notes == (("turned upright by EXIF",) if orientation > 1 else ())
        assert picture.image.size == upright.size
        assert np.abs(np.asarray(picture.image).astype(int) - np.asarray(upright)).mean() < 4

    def test_broken_exif_is_ignored(self) -> None:
        """Given EXIF that is none, if I decode the picture, I expect it, and a note."""
        picture = decode(saved(photograph(), "PNG", exif=b"Exif\0\0rubbish, not TIFF"), "a.png")
        assert picture.notes == ("broken EXIF ignored",)

    def test_nothing_of_the_file_clings_to_the_picture(self) -> None:
        """Given a profile and EXIF, if I decode the picture, I expect neither to be applied again by anyone."""
        data = saved(photograph(), "PNG", icc_profile=red_is_green_profile(), exif=Image.Exif().tobytes())
        assert decode(data, "a.png").image.info == {}
