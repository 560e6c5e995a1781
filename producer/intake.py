"""From what a user wrote to what a worker can do: pictures become content hashes, "auto" becomes a value.

Everything is read and checked before anything is stored; only then are pictures uploaded, each once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from shared.blobs import fetch_verified
from shared.errors import InvalidImage, InvalidRequest, InvalidSpec
from shared.images import decode, read_bytes
from shared.services import Services
from shared.spec import BLOB, JobSpec
from shared.store import NewJob
from shared.vgg import PRETRAINED_FILES, Architecture, cached_weights, smallest_side

AUTO_SIZE = 512
# Of random features, a deep layer knows the picture's things less well than one of a trained network does.
AUTO_CONTENT_LAYERS = {"random": ("relu3_1",), "vgg19": ("relu4_2",), "vgg16": ("relu4_2",)}
AUTO_LEARNING_RATE = {"lbfgs": 1.0, "adam": 0.02}

# A file of torch.save is a ZIP, or of old a pickle; safetensors has its header, JSON, after a length of eight bytes.
TORCH_STARTS = (b"PK", b"\x80\x02")
SAFETENSORS_HEADER = b"{"


@dataclass(frozen=True)
class Source:
    """A picture that a spec names: its address in the object store, and what was found in it."""

    address: str
    path: Path | None
    name: str
    width: int
    height: int
    notes: tuple[str, ...]


@dataclass
class Intake:
    """Resolves the specs of one submission; remembers what it has read, so that a sweep reads each file once."""

    services: Services
    _sources: dict[str, Source] = field(default_factory=dict)
    _weights: dict[str, tuple[str, Path]] = field(default_factory=dict)

    def resolve(self, spec: JobSpec, cell: dict[str, object] | None = None) -> NewJob:
        """The job that `spec` asks for. Raises InvalidImage, InvalidSpec, InvalidRequest and NotFound."""
        content, style = self.source(spec.content), self.source(spec.style)
        notes = [f"{source.name}: {note}" for source in (content, style) for note in source.notes]
        changes: dict[str, object] = {"content": content.address, "style": style.address}
        changes.update(self._features(spec, notes))
        changes.update(_size(spec, content, notes))
        if spec.content_layers == "auto":
            features = str(changes.get("features", spec.features))
            changes["content_layers"] = AUTO_CONTENT_LAYERS[features]
        if spec.learning_rate == "auto":
            changes["learning_rate"] = AUTO_LEARNING_RATE[spec.optimizer]
        resolved = spec.model_copy(update=changes)
        for source in (content, style):
            _check_depth(resolved, source)
        return NewJob(resolved, content.name, style.name, notes, cell)

    def upload(self) -> None:
        """Stores what the resolved specs name, where it is not stored yet. Raises ServiceUnavailable, StorageFull."""
        blobs = self.services.blobs
        for source in self._sources.values():
            key = f"inputs/{source.address.removeprefix(BLOB)}"
            if source.path is not None and not blobs.exists(key):
                data = read_bytes(source.path, self.services.settings.max_bytes)
                if _address(data) != source.address:
                    raise InvalidImage(f"{source.path} changed while it was being submitted: submit again")
                blobs.put(key, data, "application/octet-stream")
        for address, path in self._weights.values():
            key = f"weights/{address.removeprefix(BLOB)}"
            if not blobs.exists(key):
                blobs.put_file(key, path, "application/octet-stream")

    def source(self, name: str) -> Source:
        """The picture that `name`, a path or an address, stands for. Raises InvalidImage and NotFound."""
        if name not in self._sources:
            self._sources[name] = self._read(name)
        return self._sources[name]

    def _read(self, name: str) -> Source:
        settings = self.services.settings
        if name.startswith(BLOB):
            sha256 = name.removeprefix(BLOB)
            data, path, shown = fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256), None, name[:19]
        else:
            path = Path(name).expanduser()
            data, shown = read_bytes(path, settings.max_bytes), path.name
        picture = decode(data, shown if path is None else name, max_pixels=settings.max_pixels)
        return Source(_address(data), path, shown, picture.width, picture.height, picture.notes)

    def _features(self, spec: JobSpec, notes: list[str]) -> dict[str, object]:
        """Which network, and the address of its weights: never "auto", so that every worker sees the same."""
        if spec.features == "random":
            return {}
        architecture: Architecture = "vgg16" if spec.features == "vgg16" else "vgg19"
        if spec.weights is not None:
            path = Path(spec.weights).expanduser()
            if str(path) not in self._weights:
                _check_kind(path)
            return {"features": architecture, "weights": self._weights_address(path)}
        cached = cached_weights(architecture)
        if cached is not None:
            address = self._weights_address(cached)
            _check_download(cached, architecture, address)
            notes.append(f"features: pretrained {architecture} from torchvision's cache")
            return {"features": architecture, "weights": address}
        if spec.features == "auto":
            notes.append("features: random, since no pretrained VGG-19 is at hand (give one with weights = FILE)")
            return {"features": "random"}
        raise InvalidSpec(
            f"features = {architecture}, but its pretrained weights are not in torchvision's cache on this machine:"
            " name a file with weights, or take features = random"
        )

    def _weights_address(self, path: Path) -> str:
        if str(path) not in self._weights:
            with _weights_file(path) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._weights[str(path)] = (BLOB + digest, path)
        return self._weights[str(path)][0]


def _size(spec: JobSpec, content: Source, notes: list[str]) -> dict[str, object]:
    if spec.size != "auto":
        return {}
    size = min(AUTO_SIZE, max(content.width, content.height))
    why = "the content's own" if size < AUTO_SIZE else "the largest that auto chooses"
    notes.append(f"size: {size} px, {why}")
    return {"size": size}


def _check_depth(spec: JobSpec, source: Source) -> None:
    """Each pooling halves the picture; at the deepest layer something must be left of it."""
    if not isinstance(spec.size, int):
        raise TypeError("the size is resolved first")
    longest = max(source.width, source.height)
    shortest = max(1, round(min(source.width, source.height) * spec.size / longest))
    deepest = max(spec.layers, key=smallest_side)
    if shortest < smallest_side(deepest):
        raise InvalidImage(
            f"{source.name} is {shortest} px on its short side at size = {spec.size}, too small for {deepest}: at least"
            f" {smallest_side(deepest)} px are needed, so ask for a larger size or crop the picture"
        )


@contextmanager
def _weights_file(path: Path) -> Iterator[BufferedReader]:
    try:
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null character
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequest(f"weights: {path} cannot be opened ({reason}): check the path") from None


def _check_kind(path: Path) -> None:
    """What is plainly no weights file is refused here; what is in one, only a worker can tell."""
    with _weights_file(path) as file:
        start = file.read(9)
    if not start.startswith(TORCH_STARTS) and start[8:] != SAFETENSORS_HEADER:
        raise InvalidRequest(f"weights: {path} is no file of weights: give one that torch.save or safetensors wrote")


def _check_download(path: Path, architecture: Architecture, address: str) -> None:
    expected = PRETRAINED_FILES[architecture].rpartition("-")[2].removesuffix(".pth")
    if not address.startswith(BLOB + expected):
        raise InvalidRequest(f"{path} is not what torchvision offers under that name: delete it, or name another file")


def _address(data: bytes) -> str:
    return BLOB + hashlib.sha256(data).hexdigest()
