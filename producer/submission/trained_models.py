"""Trained models of a submission: which one a spec means, what it can be asked for, and its way into the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stylefarm.producer.submission.weights_file import address_of, safetensors_metadata
from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.shared.errors import InvalidRequest, InvalidSpec, NotFound
from stylefarm.shared.files.paths import located
from stylefarm.shared.services import Services
from stylefarm.shared.spec.model_description import parse_description
from stylefarm.shared.spec.models import JOB, METADATA_KEY, MODEL_METHODS
from stylefarm.shared.spec.spec import BLOB, JobSpec
from stylefarm.shared.store.library import Models
from stylefarm.shared.text import counted, nearest


@dataclass(frozen=True)
class TrainedModel:
    """A model that a spec names.

    Args:
        address: "sha256:..." of its file; "job:..." of the training job that will make it.
        method: the method that applies it.
        architecture: what its network is built from; what is known of it before it is trained.
        description: how notes call it.
        job: the id of the training job that must be done first; None: it is there.
    """

    address: str
    method: str
    architecture: Mapping[str, Any]
    description: str
    job: str | None = None

    @property
    def styles(self) -> int | None:
        """How many styles it has learned; None where only the worker will know."""
        styles: int | None = self.architecture.get("styles", 1)
        return styles


class TrainedModels:
    """Resolve the models of specs; each file is hashed once, and stored once.

    Args:
        services: the farm's.

    Example:
        models = TrainedModels(farm.services)
        model = models.find("night")
        models.upload()
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self._found: dict[str, TrainedModel] = {}
        self._files: dict[Path, str] = {}

    @cached_property
    def _registered(self) -> dict[str, ModelRow]:
        return {row.name: row for row in self.services.store.models.all()}

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the objects that the resolved specs name."""
        addresses = (model.address for model in self._found.values())
        return frozenset(_key(address) for address in addresses if address.startswith(BLOB))

    def find(self, name: str) -> TrainedModel:
        """Return the model of a name.

        Args:
            name: registered in the farm, that of one that is being trained, a file, or a content hash.

        Raises:
            NotFound: there is none of that name.
            InvalidRequest: the file is no model.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def resolve(self, spec: JobSpec, notes: list[str]) -> dict[str, object]:
        """Return what changes in a spec that names a model: its method, its address, the style that is meant.

        Args:
            spec: as the user wrote it.
            notes: gets a note on the model.

        Raises:
            NotFound: there is no such model.
            InvalidRequest: the file is no model.
            InvalidSpec: it is of another method, or has no such style.
        """
        if spec.model is None:
            return {}
        model = self.find(spec.model)
        given = "method" in spec.model_fields_set
        if spec.init != "model" and given and spec.method != model.method:
            raise InvalidSpec(f"method = {spec.method}, but {model.description} is one of {model.method}: name another")
        if model.method not in MODEL_METHODS:
            raise InvalidSpec(f"{model.description} is of the method {model.method}, which this release does not have")
        notes.append(f"model: {model.description}, of the method {model.method}")
        changes: dict[str, object] = {"model": model.address}
        if spec.init != "model":
            changes["method"] = model.method
        if spec.strength == "auto":
            changes["strength"] = 0.6 if model.method == "wct" else 1.0
        _check_levels(spec, model)
        if MODEL_METHODS[model.method].takes == "indices":
            changes.update(_style_index(spec, model))
        return changes

    def upload(self) -> None:
        """Store the files that specs named, where they are not stored yet.

        Raises:
            InvalidRequest: a file has changed since it was hashed.
            NotFound: a model that was in the farm was deleted.
            ServiceUnavailable: the object store does not answer.
            StorageFull: the object store is full.
        """
        for path, address in self._files.items():
            if not self.services.blobs.exists(_key(address)):
                if address_of(path) != address:
                    raise InvalidRequest(f"model: {path} changed while it was being submitted: submit again")
                self.services.blobs.put_file(_key(address), path, "application/octet-stream")
        for model in self._found.values():
            if model.address.startswith(BLOB) and not self.services.blobs.exists(_key(model.address)):
                raise NotFound(f"model: the file of {model.description} is gone from this farm: import it again")

    def _find(self, name: str) -> TrainedModel:
        if name.startswith(BLOB):
            return self._addressed(name)
        row = self._registered.get(name)
        training = None if row is not None else self.services.queries.training(name)
        if row is None and training is None:
            # A training that has just ended is in neither.
            row = self.services.store.models.find(name)
        if row is not None:
            return TrainedModel(BLOB + row.sha256, row.method, row.architecture, f"{name} ({row.sha256[:12]})")
        if training is not None:
            known = {"styles": self._styles_to_come(training.spec)}
            said = f"{name} (which job {training.id[:8]} trains)"
            return TrainedModel(JOB + training.id, str(training.spec["method"]), known, said, training.id)
        path = located(name)
        if path.is_file():
            return self._file(path, name)
        names = list(self._registered)
        there = nearest(name, names) if names else ": there is none yet"
        raise NotFound(f"no model is called {name!r:.80}, nor is there such a file{there}")

    def _styles_to_come(self, training: Mapping[str, Any]) -> int | None:
        """Return how many styles a training will end in: those of its base come first."""
        own, base = len(training["style"]), training["base"]
        if base is None:
            return own
        row = next((row for row in self._registered.values() if BLOB + row.sha256 == base), None)
        return None if row is None else own + int(row.architecture.get("styles", 1))

    def _addressed(self, address: str) -> TrainedModel:
        sha256 = address.removeprefix(BLOB)
        row = next((row for row in self._registered.values() if row.sha256 == sha256), None)
        if row is None:
            raise NotFound(f"there is no model {address[:19]} in this farm any more: import it again")
        return TrainedModel(address, row.method, row.architecture, f"{row.name} ({sha256[:12]})")

    def _file(self, path: Path, name: str) -> TrainedModel:
        text = safetensors_metadata(path).get(METADATA_KEY)
        if text is None:
            raise InvalidRequest(f"model: {name} is no model of stylefarm: give one that `model export` wrote")
        said = parse_description(text, f"model: {name}")
        self._files[path] = address = address_of(path)
        return TrainedModel(address, said.method, said.architecture, f"the file {name}")


def _check_levels(spec: JobSpec, model: TrainedModel) -> None:
    there = [level["level"] for level in model.architecture.get("levels", ()) if isinstance(level, Mapping)]
    missing = next((level for level in spec.levels if there and level not in there), None)
    if missing is not None:
        listed = ", ".join(map(str, there))
        raise InvalidSpec(f"levels has {missing}, but {model.description} has the levels {listed}: choose among these")


def _style_index(spec: JobSpec, model: TrainedModel) -> Iterator[tuple[str, object]]:
    if spec.style:
        raise InvalidSpec(f"{model.description} takes no style pictures: choose among its styles by style_index")
    if not spec.style_index:
        if model.styles != 1:
            which = "several styles" if model.styles is None else f"the styles 0 to {model.styles - 1}"
            raise InvalidSpec(f"style_index is missing: {model.description} has {which}")
        yield "style_index", (0,)
    for index in spec.style_index:
        if model.styles is not None and index >= model.styles:
            raise InvalidSpec(
                f"style_index = {index}, but {model.description} has {counted(model.styles, 'style')}, from 0 on"
            )


def _key(address: str) -> str:
    return f"{Models.folder}/{address.removeprefix(BLOB)}"
