"""From what a user wrote to what a worker can do: pictures become content hashes, "auto" becomes a value.

Everything is read and checked before anything is stored; only then are pictures uploaded, each once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from producer.pretrained import Pretrained
from shared.blobs import fetch_verified
from shared.errors import InvalidImage
from shared.images import decode, read_bytes
from shared.services import Services
from shared.spec import BLOB, JobSpec
from shared.store import NewJob
from shared.vgg import smallest_side

AUTO_SIZE = 512
# Of random features, a deep layer knows the picture's things less well than one of a trained network does.
AUTO_CONTENT_LAYERS = {"random": ("relu3_1",), "vgg19": ("relu4_2",), "vgg16": ("relu4_2",)}
AUTO_LEARNING_RATE = {"lbfgs": 1.0, "adam": 0.02}


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
    _pretrained: Pretrained = field(init=False)

    def __post_init__(self) -> None:
        self._pretrained = Pretrained(self.services.blobs)

    def resolve(self, spec: JobSpec, cell: dict[str, object] | None = None) -> NewJob:
        """The job that `spec` asks for. Raises InvalidImage, InvalidSpec, InvalidRequest and NotFound."""
        content, style = self.source(spec.content), self.source(spec.style)
        notes = [f"{source.name}: {note}" for source in (content, style) for note in source.notes]
        changes: dict[str, object] = {"content": content.address, "style": style.address}
        changes.update(self._pretrained.resolve(spec, notes))
        changes.update(_size(spec, content, notes))
        changes.update(_by_features(spec, str(changes.get("features", spec.features)), notes))
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
        self._pretrained.upload()

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


def _size(spec: JobSpec, content: Source, notes: list[str]) -> dict[str, object]:
    if spec.size != "auto":
        return {}
    size = min(AUTO_SIZE, max(content.width, content.height))
    why = "the content's own" if size < AUTO_SIZE else "the largest that auto chooses"
    notes.append(f"size: {size} px, {why}")
    return {"size": size}


def _by_features(spec: JobSpec, features: str, notes: list[str]) -> dict[str, object]:
    """What is still "auto" and follows from the features and the optimiser."""
    changes: dict[str, object] = {}
    if spec.content_layers == "auto":
        changes["content_layers"] = AUTO_CONTENT_LAYERS[features]
        notes.append(f"content_layers: {', '.join(AUTO_CONTENT_LAYERS[features])}")
    if spec.learning_rate == "auto":
        changes["learning_rate"] = AUTO_LEARNING_RATE[spec.optimizer]
        notes.append(f"learning_rate: {AUTO_LEARNING_RATE[spec.optimizer]:g}")
    return changes


def _check_depth(spec: JobSpec, source: Source) -> None:
    """Each pooling halves the picture; at the deepest layer something must be left of it."""
    if not isinstance(spec.size, int):
        raise TypeError("the size is resolved first")
    longest = max(source.width, source.height)
    shortest = max(1, round(min(source.width, source.height) * spec.size / longest))
    deepest = max(spec.layers, key=smallest_side)
    if shortest < max(2, smallest_side(deepest)):
        raise InvalidImage(
            f"{source.name} is {shortest} px on its short side at size = {spec.size}, too small for {deepest}: at least"
            f" {max(2, smallest_side(deepest))} px are needed, so ask for a larger size or crop the picture"
        )


def _address(data: bytes) -> str:
    return BLOB + hashlib.sha256(data).hexdigest()
