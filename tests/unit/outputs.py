"""What tests of encoding share: every output there is, a picture for it, and what cameras write into theirs."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, TiffImagePlugin
from PIL.ExifTags import IFD, Base

from stylefarm.shared.images.decode import to_array
from stylefarm.shared.images.encode import Format, Output
from tests.unit.pictures import photograph

FORMATS: tuple[Format, ...] = ("png", "jpeg", "webp", "avif", "tiff")
OUTPUTS = [*(Output(kind) for kind in FORMATS), Output("png", 16), Output("tiff", 16)]
PARAMETERS: dict[str, object] = {
    "style": "Hokusai – 神奈川沖浪裏 🌊",
    "style_weight": 1e5,
    "layers": ["relu1_1"],
    "seed": None,
}

each_format = pytest.mark.parametrize("kind", FORMATS)
each_output = pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: f"{output.format}-{output.bits}")


def pixels(width: int = 48, height: int = 32) -> npt.NDArray[np.float32]:
    """A photograph as `encode` takes it."""
    return to_array(photograph(width, height))


NOTE = b"Canon's own numbers, which point to one another"
BROKEN = [
    b"",
    b"Exif\0\0",
    b"Exif\0\0II*\0",
    b"nonsense, and more of it",
    b"MM\0*\0\0\0\x08",
    b"MM\0*\xff\xff\xff\xff\0\0",
    b"II*\0\x08\0\0\0\xff\xff" + bytes(30),
    b"MM\0*" + struct.pack(">LHHHLL", 8, 1, IFD.Exif, 4, 1, 70_000) + bytes(4),
]


def camera_exif(order: str = ">", note: bytes = NOTE) -> bytes:
    """What a Canon might write, of a turned picture in Adobe RGB, with a thumbnail; in either byte order."""
    head = b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"
    image = TiffImagePlugin.ImageFileDirectory_v2(head)
    image[Base.Make], image[Base.Model], image[Base.Orientation] = "Canon", "Canon EOS 5D", 6
    image.tagtype[Base.Copyright] = 2
    image[Base.Copyright] = "© Ada".encode()
    image[Base.ImageWidth], image[Base.ImageLength] = 4368, 2912
    image[IFD.Exif] = {
        Base.ExposureTime: TiffImagePlugin.IFDRational(1, 125),
        Base.ISOSpeedRatings: 400,
        Base.LensModel: "EF50mm f/1.4 USM",
        Base.MakerNote: note,
        Base.UserComment: b"ASCII\0\0\0of before",
        Base.ColorSpace: 65535,
        Base.ExifImageWidth: 4368,
        Base.ExifImageHeight: 2912,
        Base.SubjectLocation: (2000, 1000),
        Base.FocalPlaneXResolution: TiffImagePlugin.IFDRational(3087, 1),
    }
    image[IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: tuple(TiffImagePlugin.IFDRational(part, 1) for part in (52, 31, 12)),
    }
    return b"Exif\0\0" + head + with_thumbnail(image.tobytes(8), order, len(image))


def with_thumbnail(directory: bytes, order: str, length: int) -> bytes:
    """The directory, which begins at offset 8, with a second one behind it that holds a picture."""
    link = 2 + 12 * length
    second = 8 + len(directory)
    directory = directory[:link] + struct.pack(f"{order}L", second) + directory[link + 4 :]
    fields = struct.pack(f"{order}HHLL", 0x201, 4, 1, second + 30) + struct.pack(f"{order}HHLL", 0x202, 4, 1, 9)
    return directory + struct.pack(f"{order}H", 2) + fields + bytes(4) + b"THUMBNAIL"
