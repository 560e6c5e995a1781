"""Pretrained weights of a submission: which ones a spec means, and their way into the object store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stylefarm.producer.submission.weights_file import address_of, network_of
from stylefarm.shared.blobs.storage import BlobStore
from stylefarm.shared.db.tables import WeightsRow
from stylefarm.shared.dispatch.weights import WeightsRegistry
from stylefarm.shared.errors import InvalidRequest, InvalidSpec, NotFound
from stylefarm.shared.files.paths import is_url, located
from stylefarm.shared.spec.networks import PRETRAINED_FILES, TITLES, Architecture, default_network, layer_names
from stylefarm.shared.spec.packaged_weights import refuse_damaged
from stylefarm.shared.spec.spec import BLOB, JobSpec, parse_spec
from stylefarm.shared.spec.weights_at_hand import AUTO_NETWORKS, WeightsAtHand, weights_at_hand

# What a job's note says where nothing pretrained can be taken.
NONE_AT_HAND = (
    "features: random, since no pretrained network is at hand: pictures get the colors of the style and little of its"
    " strokes; `stylefarm weights pull squeezenet` (5 MB) changes that"
)
NONE_WITH_THESE_LAYERS = (
    "features: random, since the layers are VGG's and no pretrained VGG-19 is at hand: `stylefarm weights pull vgg19`"
    " gets one, and without layers SqueezeNet will do"
)


@dataclass(frozen=True)
class _Choice:
    """Weights by their address; `architecture` is None where only a worker can tell it from the file."""

    address: str
    architecture: Architecture | None
    description: str


class PretrainedWeights:
    """Resolve `features` and `weights` of specs; each file is hashed once, and stored once.

    Args:
        blobs: the farm's object store.
        registry: the weights that are registered in the farm.

    Example:
        weights, notes = PretrainedWeights(farm.services.blobs, WeightsRegistry(farm.services.engine)), []
        changes = weights.resolve(spec, notes)  # {"features": "vgg19", "weights": "sha256:..."}
        weights.upload()
    """

    def __init__(self, blobs: BlobStore, registry: WeightsRegistry) -> None:
        self.blobs = blobs
        self.registry = registry
        self._files: dict[Path, str] = {}
        # The jobs of a sweep use few networks, and each lookup may query the object store.
        self._by_name: dict[str, _Choice] = {}
        self._at_hand: dict[Architecture, _Choice | None] = {}

    @cached_property
    def _registered(self) -> dict[str, WeightsRow]:
        """By name, as they were when this submission first asked."""
        return {row.name: row for row in self.registry.all()}

    def resolve(self, spec: JobSpec, notes: list[str]) -> dict[str, object]:
        """Return the feature network and the address of its weights, never "auto", so that every worker sees the same.

        Args:
            spec: as the user wrote it.
            notes: gets a note on what was chosen.

        Returns:
            The parameters that change, by name.

        Raises:
            InvalidSpec: the weights are of another network.
            InvalidRequest: the file is not one of weights.
            NotFound: there are no such weights.
        """
        if spec.features == "random":
            return {}
        choice = self._chosen(spec)
        if choice is None:
            # Where SqueezeNet's weights are, they were not chosen for its layers.
            fits = self._found("squeezenet") is None and _suits_squeezenet(spec)
            notes.append(NONE_AT_HAND if fits else NONE_WITH_THESE_LAYERS)
            return {"features": "random"}
        architecture = _agreed_architecture(spec, choice)
        notes.append(f"features: pretrained {architecture} {choice.description}")
        return {**_values_for(spec, architecture), "features": architecture, "weights": choice.address}

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all weights that resolved specs name."""
        return frozenset(map(_key, self._addresses))

    def upload(self) -> None:
        """Store the files that specs named, where they are not stored yet.

        Raises:
            InvalidRequest: a file has changed since it was hashed.
            NotFound: weights that were in the farm were deleted.
            ServiceUnavailable: the object store does not answer.
            StorageFull: the object store is full.
        """
        for path, address in self._files.items():
            key = _key(address)
            if not self.blobs.exists(key):
                if address_of(path) != address:
                    raise InvalidRequest(f"weights: {path} changed while it was being submitted: submit again")
                self.blobs.put_file(key, path, "application/octet-stream")
        for address in self._addresses - set(self._files.values()):
            if not self.blobs.exists(_key(address)):
                raise NotFound(f"weights: there are no weights {address} in this farm any more: name a file")

    @property
    def _addresses(self) -> set[str]:
        chosen = (*self._by_name.values(), *self._at_hand.values())
        return {choice.address for choice in chosen if choice is not None}

    def _chosen(self, spec: JobSpec) -> _Choice | None:
        if spec.weights is None:
            return self._unnamed(spec)
        if spec.weights not in self._by_name:
            self._by_name[spec.weights] = self._named(spec.weights)
        return self._by_name[spec.weights]

    def _unnamed(self, spec: JobSpec) -> _Choice | None:
        """Return what `features` alone means; None for random features."""
        if spec.features != "auto":
            return self._asked(default_network(spec.features))
        for network in AUTO_NETWORKS:
            choice = self._found(network)
            if choice is not None and (network != "squeezenet" or _suits_squeezenet(spec)):
                return choice
        return None

    def _asked(self, architecture: Architecture) -> _Choice:
        choice = self._found(architecture)
        if choice is None:
            raise InvalidSpec(
                f"features = {architecture}, but its pretrained weights are not in torchvision's cache on this machine:"
                f" name a file with weights, take features = random, or: stylefarm weights pull {architecture}"
            )
        return choice

    def _found(self, architecture: Architecture) -> _Choice | None:
        if architecture not in self._at_hand:
            found = weights_at_hand(architecture, self._registered)
            self._at_hand[architecture] = None if found is None else self._choice_of(found)
        return self._at_hand[architecture]

    def _choice_of(self, found: WeightsAtHand) -> _Choice:
        if found.path is None:
            return self._of_registry(self._registered[found.architecture])
        is_packaged = found.place == "packaged"
        address = self._packaged(found.path) if is_packaged else self._downloaded(found.path, found.architecture)
        return _Choice(address, found.architecture, found.description)

    def _named(self, name: str) -> _Choice:
        if name.startswith(BLOB):
            return self._addressed(name)
        path = _path(name)
        if name not in self._registered:
            return self._of_file(path, name, "")
        if path.is_file():
            return self._of_file(path, name, ", the file, not the registered ones of that name")
        return self._of_registry(self._registered[name])

    def _addressed(self, address: str) -> _Choice:
        if not self.blobs.exists(_key(address)):
            raise NotFound(f"weights: there are no weights {address} in this farm: name a file")
        sha256 = address.removeprefix(BLOB)
        found = {_architecture(row) for row in self._registered.values() if row.sha256 == sha256}
        return _Choice(address, found.pop() if found else None, f"with the weights of hash {sha256[:12]}")

    def _of_registry(self, row: WeightsRow) -> _Choice:
        if not self.blobs.exists(f"weights/{row.sha256}"):
            raise NotFound(
                f"weights: the file of the registered weights {row.name} is gone from the object store: import it again"
            )
        description = f"with the registered weights {row.name} ({row.sha256[:12]})"
        return _Choice(BLOB + row.sha256, _architecture(row), description)

    def _of_file(self, path: Path, name: str, beside: str) -> _Choice:
        if path not in self._files and not path.exists():
            raise self._unknown(name)
        return _Choice(self._file(path), network_of(path), f"with the weights {name}{beside}")

    def _unknown(self, name: str) -> InvalidRequest:
        known = f"known are {', '.join(self._registered)}" if self._registered else "there are none"
        return InvalidRequest(
            f"weights: {name} cannot be opened (No such file or directory), nor are weights registered by that name"
            f" ({known}): check the path or the name"
        )

    def _downloaded(self, path: Path, architecture: Architecture) -> str:
        expected = PRETRAINED_FILES[architecture].rpartition("-")[2].removesuffix(".pth")
        address = self._file(path)
        if not address.startswith(BLOB + expected):
            raise InvalidRequest(
                f"{path} is not what torchvision offers under that name: delete it, or name another file"
            )
        return address

    def _packaged(self, path: Path) -> str:
        address = self._file(path)
        refuse_damaged(path, address.removeprefix(BLOB))
        return address

    def _file(self, path: Path) -> str:
        if path not in self._files:
            self._files[path] = address_of(path)
        return self._files[path]


def _architecture(row: WeightsRow) -> Architecture:
    return next((architecture for architecture in TITLES if architecture == row.architecture), "vgg19")


def _agreed_architecture(spec: JobSpec, choice: _Choice) -> Architecture:
    """Return the architecture of both the spec and its weights. Raises InvalidSpec if they differ."""
    asked = default_network(spec.features)
    if choice.architecture in (None, asked):
        return asked
    if spec.features != "auto":
        raise InvalidSpec(
            f"features = {spec.features}, but the weights are {choice.architecture}'s ({choice.address[:19]}): leave"
            " out features, or name other weights"
        )
    return choice.architecture


def _values_for(spec: JobSpec, architecture: Architecture) -> dict[str, object]:
    """Return the values that change once `features`, which was "auto", is known: what the preset gives for it.

    Raises:
        InvalidSpec: the user names layers that the network has not, or what it gives contradicts the user.
    """
    if spec.features != "auto":
        return {}
    given = spec.model_dump(include=spec.model_fields_set)
    known = parse_spec({**given, "features": architecture})
    return {name: value for name, value in known if value != getattr(spec, name)}


def _suits_squeezenet(spec: JobSpec) -> bool:
    """Return whether SqueezeNet has the layers that the user names, if any."""
    named = {"content_layers", "style_layers"} & spec.model_fields_set
    if any(layer not in layer_names("squeezenet") for name in named for layer in getattr(spec, name)):
        return False
    try:
        _values_for(spec, "squeezenet")
    except InvalidSpec:
        return False
    return True


def _path(name: str) -> Path:
    if is_url(name):
        raise InvalidRequest(
            f"weights: {name} is a web address: run `stylefarm weights pull {name}`, and give the name that it prints"
        )
    return located(name)


def _key(address: str) -> str:
    return f"weights/{address.removeprefix(BLOB)}"
