"""From a training as a user wrote it to one that a worker can do: data sets, pictures and weights become hashes."""

from __future__ import annotations

from dataclasses import dataclass, field

from stylefarm.producer.submission.datasets import BUILTIN, ReadDataset, builtin_dataset, upload_dataset
from stylefarm.producer.submission.resolver import SpecResolver
from stylefarm.producer.submission.trained_models import TrainedModel, TrainedModels
from stylefarm.shared.blobs.manifest import FOLDER, Manifest, read_manifest
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import BLOB
from stylefarm.shared.spec.terms import DEFAULT_TERMS, Terms
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.shared.spec.training_effects import in_vain
from stylefarm.shared.text import counted

# Methods whose decoders learn to reconstruct need no style as such, and all need several contents.
LEAST_PICTURES = 2
# Published trainings of cyclegan have about so many pictures a set.
CYCLEGAN_PICTURES = 1000


@dataclass
class TrainingResolver:
    """Resolves one training spec, and stores what it names.

    Args:
        services: the farm's.

    Example:
        resolver = TrainingResolver(farm.services)
        job = resolver.resolve(TrainingSpec(method="ulyanov", name="waves", style="waves.jpg"))
        resolver.upload()
    """

    services: Services
    _pictures: SpecResolver = field(init=False)
    _models: TrainedModels = field(init=False)
    _builtin: ReadDataset | None = None
    _datasets: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._pictures = SpecResolver(self.services)
        self._models = TrainedModels(self.services)

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all objects that the resolved spec names."""
        datasets = {f"{FOLDER}/{sha256}" for sha256 in self._datasets}
        return self._pictures.keys | self._models.keys | datasets

    def resolve(self, spec: TrainingSpec, terms: Terms = DEFAULT_TERMS) -> NewJob[TrainingSpec]:
        """Return the job that a training spec asks for.

        Args:
            spec: as the user wrote it: data sets are names, pictures are paths.
            terms: how it is to be done.

        Returns:
            The job, not stored yet.

        Raises:
            NotFound: a data set, a picture, weights or a model are not there.
            InvalidImage: a picture cannot be used.
            InvalidSpec: a data set is too small, or a model is of another method.
            InvalidRequest: no pretrained network is at hand.
        """
        notes = [note for note in [in_vain(spec)] if note]
        contents = self._dataset(spec.content_set, "content_set", spec, notes)
        styles = [self._pictures.source(name) for name in spec.style]
        changes: dict[str, object] = {
            "content_set": BLOB + contents.sha256,
            "style": tuple(source.address for source in styles),
        }
        named = [source.name for source in styles]
        if spec.style_set is not None:
            style_set = self._dataset(spec.style_set, "style_set", spec, notes)
            if style_set.sha256 == contents.sha256 and spec.method == "cyclegan":
                raise InvalidSpec("content_set and style_set are the same pictures: there is nothing to translate")
            changes["style_set"] = BLOB + style_set.sha256
            named.append(spec.style_set)
        if spec.method != "cyclegan":
            changes.update(self._pictures.network(spec.features, spec.weights, notes))
        after = terms.after
        if spec.base is not None:
            base = self._base(spec, spec.base, notes)
            changes["base"] = base.address
            after = (*after, base.job) if base.job is not None else after
        resolved = spec.model_copy(update=changes)
        wanted = terms.model_copy(update={"after": after})
        return NewJob(resolved, spec.content_set, " + ".join(named), notes, None, wanted)

    def upload(self) -> None:
        """Store what the resolved spec names, where it is not stored yet.

        Raises:
            InvalidRequest: a file has changed since it was read.
            NotFound: what had been in the farm was deleted.
            ServiceUnavailable: the object store does not answer.
            StorageFull: the object store is full.
        """
        self._pictures.upload()
        self._models.upload()
        if self._builtin is not None:
            upload_dataset(self._builtin, self.services)

    def _dataset(self, name: str, parameter: str, spec: TrainingSpec, notes: list[str]) -> Manifest:
        row = self.services.store.datasets.find(name)
        if row is None and name == BUILTIN:
            self._builtin = self._builtin or builtin_dataset(self.services.settings)
            manifest = self._builtin.manifest
        else:
            row = row or self.services.store.datasets.get(name)
            manifest = read_manifest(self.services.blobs, row.sha256)
        self._datasets.add(manifest.sha256)
        count = len(manifest.pictures)
        if count < LEAST_PICTURES:
            raise InvalidSpec(
                f"{parameter} = {name} has {counted(count, 'picture')}: training needs {LEAST_PICTURES} at least, and"
                " is good from some hundreds on"
            )
        if all(min(picture.width, picture.height) < spec.image_size / 2 for picture in manifest.pictures):
            raise InvalidSpec(
                f"the pictures of {parameter} = {name} are too small for image_size = {spec.image_size}: each is less"
                " than half as large on its short side; ask for a smaller image_size, or take other pictures"
            )
        if spec.method == "cyclegan" and count < CYCLEGAN_PICTURES:
            notes.append(f"{parameter}: {count} pictures are few for cyclegan, which was published with about 1,000")
        return manifest

    def _base(self, spec: TrainingSpec, name: str, notes: list[str]) -> TrainedModel:
        base = self._models.find(name)
        # A network of many styles has learned what one of a single style begins with.
        if base.method != spec.method and (base.method, spec.method) != ("cin", "ulyanov"):
            raise InvalidSpec(f"base = {name} is a model of {base.method}, not of {spec.method}: name another")
        if base.job is not None:
            raise InvalidRequest(f"base = {name} is being trained by job {base.job[:8]}: wait for it, and submit then")
        notes.append(f"base: {base.description}")
        return base
