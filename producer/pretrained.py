"""Pretrained weights of a submission: which file a spec means, and its way into the object store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from shared.blobs import BlobStore
from shared.errors import InvalidRequest, InvalidSpec, NotFound
from shared.spec import BLOB, JobSpec
from shared.vgg import PRETRAINED_FILES, Architecture, cached_weights

# A file of torch.save is a ZIP, or of old a pickle; safetensors has its header, JSON, after a length of eight bytes.
TORCH_STARTS = (b"PK", b"\x80\x02")
SAFETENSORS_HEADER = b"{"


class Pretrained:
    """Resolves `features` and `weights` of specs; hashes each file once, and stores it once."""

    def __init__(self, blobs: BlobStore) -> None:
        self.blobs = blobs
        self._files: dict[Path, str] = {}

    def resolve(self, spec: JobSpec, notes: list[str]) -> dict[str, object]:
        """The network and the address of its weights, never "auto", so that every worker sees the same.

        What was chosen is added to `notes`. Raises InvalidSpec, InvalidRequest and NotFound.
        """
        if spec.features == "random":
            return {}
        architecture: Architecture = "vgg16" if spec.features == "vgg16" else "vgg19"
        if spec.weights is not None:
            notes.append(f"features: pretrained {architecture} with the weights {spec.weights}")
            return {"features": architecture, "weights": self._named(spec.weights)}
        cached = cached_weights(architecture)
        if cached is not None:
            notes.append(f"features: pretrained {architecture} from torchvision's cache")
            return {"features": architecture, "weights": self._downloaded(cached, architecture)}
        if spec.features == "auto":
            notes.append("features: random, since no pretrained VGG-19 is at hand (give one with weights = FILE)")
            return {"features": "random"}
        raise InvalidSpec(
            f"features = {architecture}, but its pretrained weights are not in torchvision's cache on this machine:"
            " name a file with weights, or take features = random"
        )

    def upload(self) -> None:
        """Stores the files that specs named, where they are not stored yet. Raises InvalidRequest if one changed."""
        for path, address in self._files.items():
            key = _key(address)
            if not self.blobs.exists(key):
                if _hash(path) != address:
                    raise InvalidRequest(f"weights: {path} changed while it was being submitted: submit again")
                self.blobs.put_file(key, path, "application/octet-stream")

    def _named(self, name: str) -> str:
        if name.startswith(BLOB):
            if not self.blobs.exists(_key(name)):
                raise NotFound(f"weights: there are no weights {name} in this farm: name a file")
            return name
        path = Path(name).expanduser()
        if path not in self._files:
            _check_kind(path)
        return self._file(path)

    def _downloaded(self, path: Path, architecture: Architecture) -> str:
        expected = PRETRAINED_FILES[architecture].rpartition("-")[2].removesuffix(".pth")
        address = self._file(path)
        if not address.startswith(BLOB + expected):
            raise InvalidRequest(
                f"{path} is not what torchvision offers under that name: delete it, or name another file"
            )
        return address

    def _file(self, path: Path) -> str:
        if path not in self._files:
            self._files[path] = _hash(path)
        return self._files[path]


def _key(address: str) -> str:
    return f"weights/{address.removeprefix(BLOB)}"


def _hash(path: Path) -> str:
    with _opened(path) as file:
        return BLOB + hashlib.file_digest(file, "sha256").hexdigest()


def _check_kind(path: Path) -> None:
    """What is plainly no weights file is refused here; what is in one, only a worker can tell."""
    with _opened(path) as file:
        start = file.read(9)
    if not start.startswith(TORCH_STARTS) and start[8:] != SAFETENSORS_HEADER:
        raise InvalidRequest(f"weights: {path} is no file of weights: give one that torch.save or safetensors wrote")


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null character
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"weights: {path} cannot be opened ({reason}): check the path") from None
