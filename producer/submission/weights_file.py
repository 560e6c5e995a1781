"""Files of weights as a producer sees them: opened, hashed, and their network told from the names in them.

There is no torch here, and nothing is unpickled: the names of a network's tensors stand in its file as plain bytes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.small import check_ends
from stylefarm.shared.spec.networks import TITLES, Architecture
from stylefarm.shared.spec.spec import BLOB

# A file of torch.save is a ZIP, or formerly a pickle, and one of MatConvNet is MATLAB's; safetensors has its header,
# JSON, after a length of eight bytes. In an HDF5 file are SqueezeNet's weights as Keras keeps them.
ZIP = b"PK"
PICKLE = b"\x80\x02"
HDF5 = b"\x89HDF\r\n\x1a\n"
STARTS = (ZIP, PICKLE, b"MATLAB ", HDF5)
SAFETENSORS_HEADER = b"{"
LENGTH_BYTES = 8

# The tensors that one network has and the others have not, as torchvision names them: a fire module; and where VGG-19
# has the fourth convolution of its third block, VGG-16 has a pooling, and its next convolution one place later.
TELLING_NAMES: dict[Architecture, str] = {
    "squeezenet": "features.3.squeeze.weight",
    "vgg19": "features.16.weight",
    "vgg16": "features.17.weight",
}
# Names stand before the numbers, within some kilobytes; more than this is not looked through.
NAMES_BYTES = 4_000_000
# What the farm writes of its own files into their metadata: see worker/engine/networks/weights_metadata.py.
METADATA_KEY = "stylefarm"

# What zipfile raises for damaged files: how, only the worker tells.
UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)


def network_of(path: Path) -> Architecture | None:
    """Return the network whose weights a file holds; None where only a worker can tell.

    Args:
        path: A file of torch.save, safetensors, MatConvNet or Keras.

    Raises:
        InvalidRequest: It cannot be opened, or is plainly no file of weights.
    """
    with opened(path) as file:
        start = file.read(LENGTH_BYTES + len(SAFETENSORS_HEADER))
        file.seek(0)
        if start.startswith(HDF5):
            return "squeezenet"
        if start.startswith(ZIP):
            return _network_in(_pickle_in_zip(file))
        if start.startswith(PICKLE):
            return _network_in(file.read(NAMES_BYTES))
        if start[LENGTH_BYTES:] == SAFETENSORS_HEADER:
            return _network_of_header(_safetensors_header(file))
    if not start.startswith(STARTS):
        raise InvalidRequest(f"weights: {path} is no file of weights: give one that torch.save or safetensors wrote")
    return None


def safetensors_metadata(path: Path) -> Mapping[str, str]:
    """Return the metadata of a safetensors file; nothing of another file. Raises InvalidRequest if it is unreadable."""
    with opened(path) as file:
        start = file.read(LENGTH_BYTES + len(SAFETENSORS_HEADER))
        file.seek(0)
        found = _safetensors_header(file).get("__metadata__") if start[LENGTH_BYTES:] == SAFETENSORS_HEADER else None
    return found if isinstance(found, dict) else {}


def address_of(path: Path) -> str:
    """Return the content hash of a file, as a spec names it. Raises InvalidRequest if it cannot be opened."""
    with opened(path) as file:
        return BLOB + hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a file of weights to read it. Raises InvalidRequest if it cannot be opened or read."""
    try:
        check_ends(path)
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null character
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"weights: {path} cannot be opened ({reason}): check the path") from None


def _pickle_in_zip(file: BufferedReader) -> bytes:
    """Return the pickle of a state dict, in which the names stand; nothing of a file that is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            name = next((name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"), None)
            if name is None:
                return b""
            with archive.open(name) as pickle:
                return pickle.read(NAMES_BYTES)
    except UNREADABLE:
        return b""


def _network_in(content: bytes) -> Architecture | None:
    """Return the network whose telling name stands in the bytes of a pickle."""
    return next((network for network, name in TELLING_NAMES.items() if name.encode() in content), None)


def _safetensors_header(file: BufferedReader) -> dict[str, Any]:
    """Return the header, by the tensors' names; an empty one if it is damaged."""
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    try:
        header = json.loads(file.read(min(length, NAMES_BYTES)))
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _network_of_header(header: dict[str, Any]) -> Architecture | None:
    said = _said_network(header.get("__metadata__"))
    return said or next((network for network, name in TELLING_NAMES.items() if name in header), None)


def _said_network(metadata: object) -> Architecture | None:
    """Return the network that the farm's own metadata name."""
    try:
        said = json.loads(metadata[METADATA_KEY])["architecture"] if isinstance(metadata, dict) else None
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return next((architecture for architecture in TITLES if architecture == said), None)
