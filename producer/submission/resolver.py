"""From what a user wrote to what a worker can do: pictures become content hashes, "auto" becomes a value.

Everything is read and checked before anything is stored; only then are pictures uploaded, each once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from PIL import Image

from stylefarm.producer.submission.auto_values import resolve_auto
from stylefarm.producer.submission.picture_size import check_size
from stylefarm.producer.submission.pictures import PictureReader, store_input
from stylefarm.producer.submission.pretrained import PretrainedWeights
from stylefarm.producer.submission.source import Source
from stylefarm.producer.submission.trained_models import TrainedModels
from stylefarm.producer.terminal.progress import counting
from stylefarm.shared.blobs.storage import fetch_verified
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.dispatch.weights import WeightsRegistry
from stylefarm.shared.errors import FarmError, InvalidImage, InvalidRequest, InvalidSpec, NotFound
from stylefarm.shared.images.decode import decode
from stylefarm.shared.services import Services
from stylefarm.shared.spec.batching import batch_key
from stylefarm.shared.spec.canonical import canonical, without_effect
from stylefarm.shared.spec.consistency import check_consistent
from stylefarm.shared.spec.spec import BLOB, JobSpec, parse_spec
from stylefarm.shared.spec.terms import DEFAULT_TERMS, Terms

# Uploads at a time; most of the time they wait.
UPLOADS = 8


@dataclass
class SpecResolver:
    """Resolves the specs of one submission; reads each picture once, however many specs name it.

    Args:
        services: the farm's.

    Example:
        resolver = SpecResolver(farm.services)
        job = resolver.resolve(parse_spec({"content": "cat.jpg", "style": "waves.jpg"}))
        resolver.upload()
    """

    services: Services
    _reader: PictureReader = field(init=False)
    _pretrained: PretrainedWeights = field(init=False)
    _models: TrainedModels = field(init=False)

    def __post_init__(self) -> None:
        self._reader = PictureReader(self.services.settings, self._stored)
        self._pretrained = PretrainedWeights(self.services.blobs, WeightsRegistry(self.services.engine))
        self._models = TrainedModels(self.services)

    def resolve(self, spec: JobSpec, cell: dict[str, object] | None = None, terms: Terms = DEFAULT_TERMS) -> NewJob:
        """Return the job that a spec asks for.

        Args:
            spec: as the user wrote it: pictures are paths, parameters may be "auto".
            cell: its values on the axes of its sweep.
            terms: how it is to be done.

        Returns:
            The job, not stored yet, with notes on what "auto" became.

        Raises:
            InvalidImage: a picture cannot be used.
            InvalidSpec: what "auto" became contradicts what the user wrote.
            InvalidRequest: the weights, or the model, cannot be used.
            NotFound: a picture, weights or a model are not there.
        """
        model_notes: list[str] = []
        named = spec.model_copy(update=self._models.resolve(spec, model_notes))
        if named is not spec and named.model is not None:
            spec, terms = _checked(named, spec.model_fields_set), self._after_training(spec.model, terms)
        content, *styles = pictures = [self.source(name) for name in (spec.content, *spec.style)]
        masks = self._masks(spec, content, styles)
        start = None if spec.init_image is None else self.source(spec.init_image)
        notes = [*model_notes, *(f"{source.name}: {note}" for source in pictures for note in source.notes)]
        changes: dict[str, object] = {
            "content": content.address,
            "style": tuple(style.address for style in styles),
            "init_image": None if start is None else start.address,
            **masks,
        }
        if spec.exif == "keep" and not content.has_exif:
            changes["exif"] = "drop"
            notes.append(f"exif: {content.name} has none")
        if spec.alpha == "keep" and not content.has_alpha:
            changes["alpha"] = "drop"
            notes.append(f"alpha: nothing of {content.name} is transparent")
        chosen = spec if spec.is_applied else spec.model_copy(update=self._pretrained.resolve(spec, notes))
        changes.update(resolve_auto(chosen, content, styles, spec.model_fields_set, notes))
        resolved = _checked(chosen.model_copy(update=changes), spec.model_fields_set)
        if not resolved.is_applied:
            check_size(resolved, content, styles)
        in_vain = without_effect(resolved)
        given = spec.model_fields_set
        notes += [f"{name}: has no effect, since {why}" for name, why in in_vain.items() if name in given]
        resolved = canonical(resolved, in_vain)
        alike = batch_key(resolved, (content.width, content.height), terms)
        return NewJob(resolved, content.name, _style_name(resolved, styles), notes, cell, terms, alike)

    def _after_training(self, model: str | None, terms: Terms) -> Terms:
        """Have a job wait for the training job of its model."""
        job = None if model is None else self._models.find(model).job
        return terms if job is None else terms.model_copy(update={"after": (*terms.after, job)})

    def network(self, features: str, weights: str | None, notes: list[str]) -> dict[str, object]:
        """Return `features` and `weights` of a training, whose network must be a pretrained one.

        Args:
            features: a network, or "auto".
            weights: a name in the farm, or a file; None: what is at hand.
            notes: gets a note on what was chosen.

        Raises:
            InvalidRequest: there is no pretrained network.
            NotFound: there are no such weights.

        Example:
            resolver.network("auto", None, notes)  # {"features": "squeezenet", "weights": "sha256:..."}
        """
        asked = parse_spec({"content": "-", "style": "-", "features": features, "weights": weights})
        chosen: list[str] = []
        found = self._pretrained.resolve(asked, chosen)
        if "weights" not in found:
            raise InvalidRequest(
                "training needs a pretrained network, and none is at hand: `stylefarm weights pull squeezenet` gets one"
            )
        notes += chosen
        return {"features": found["features"], "weights": found["weights"]}

    def survey(self, specs: Iterable[JobSpec]) -> dict[str, FarmError]:
        """Read every picture that the specs name, once each: see `PictureReader.survey`.

        Args:
            specs: as the user wrote them.

        Returns:
            What is wrong with those that cannot be used, by name.

        Example:
            for name, error in resolver.survey(spec for _, spec in grid.cells()).items():
                print(name, error)
        """
        return self._reader.survey(name for spec in specs for name in pictures_of(spec))

    def _masks(self, spec: JobSpec, content: Source, styles: list[Source]) -> dict[str, object]:
        """Return the addresses of the masks. Raises InvalidImage for one of another size, or all black."""
        of_content = [self.source(name) for name in spec.content_masks]
        of_style = [self.source(name) for name in spec.style_masks]
        for mask, picture in (*((mask, content) for mask in of_content), *zip(of_style, styles, strict=False)):
            if (mask.width, mask.height) != (picture.width, picture.height):
                raise InvalidImage(
                    f"the mask {mask.name} is {mask.width} x {mask.height}, and {picture.name}, which it belongs to, is"
                    f" {picture.width} x {picture.height}: give a mask of that size"
                )
            if not mask.brightest:
                raise InvalidImage(
                    f"the mask {mask.name} is all black, so nothing of {picture.name} counts: make it white"
                )
        return {
            "content_masks": tuple(mask.address for mask in of_content),
            "style_masks": tuple(mask.address for mask in of_style),
        }

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all objects that the resolved specs name."""
        return frozenset(map(_key, self._reader.sources.values())) | self._pretrained.keys | self._models.keys

    def upload(self) -> None:
        """Store what the resolved specs name, where it is not stored yet.

        Raises:
            InvalidImage: a file has changed since it was read.
            NotFound: what had been in the farm before was deleted.
            ServiceUnavailable: the object store does not answer.
            StorageFull: the object store is full.
        """
        count = len(self._reader.sources)
        with ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload") as pool, counting("uploads", count) as advance:
            for _ in pool.map(self._upload, self._reader.sources.values()):
                advance()
        self._pretrained.upload()
        self._models.upload()

    def _upload(self, source: Source) -> None:
        blobs, key = self.services.blobs, _key(source)
        if blobs.exists(key):
            return
        if source.origin is None:
            raise NotFound(f"there is no picture {source.address} in this farm any more: name a file")
        data = self._reader.bytes_as_read(source)
        picture = decode(data, source.name, max_pixels=self.services.settings.max_pixels)
        store_input(blobs, source.address.removeprefix(BLOB), data, source.name, picture)

    def picture(self, address: str) -> Image.Image:
        """Return a picture that a resolved spec names.

        Args:
            address: its content hash, "sha256:...".

        Returns:
            The picture, RGB.

        Raises:
            InvalidImage: it cannot be decoded any more.
            NotFound: its file is gone.

        Example:
            resolver.picture(job.spec.content).show()
        """
        source = next(source for source in self._reader.sources.values() if source.address == address)
        return decode(self._reader.bytes_of(source), source.name, max_pixels=self.services.settings.max_pixels).image

    def source(self, name: str) -> Source:
        """Return what is known of a picture: see `PictureReader.source`.

        Args:
            name: a path, an s3:// address or a content hash.

        Raises:
            InvalidImage: it cannot be used.
            NotFound: it is not there.

        Example:
            source = resolver.source("cat.jpg")
            print(source.width, source.height, source.address)
        """
        return self._reader.source(name)

    def _stored(self, sha256: str) -> bytes:
        return fetch_verified(self.services.blobs, f"inputs/{sha256}", sha256)


def pictures_of(spec: JobSpec) -> tuple[str, ...]:
    """Return the names of all pictures that a spec needs.

    Args:
        spec: resolved or not.

    Example:
        >>> pictures_of(JobSpec(content="cat.jpg", style=["waves.jpg", "night.jpg"]))
        ('cat.jpg', 'waves.jpg', 'night.jpg')
    """
    start = () if spec.init_image is None else (spec.init_image,)
    return (spec.content, *spec.style, *spec.content_masks, *spec.style_masks, *start)


def _style_name(spec: JobSpec, styles: Sequence[Source]) -> str:
    """Return what the styles of a job are called: by their pictures, or by their numbers in a model."""
    return " + ".join([source.name for source in styles] or [f"style {index}" for index in spec.style_index])


def _checked(spec: JobSpec, given: Collection[str]) -> JobSpec:
    """Return the spec, in which what "auto" became may contradict what the user gave. Raises InvalidSpec."""
    try:
        check_consistent(spec)
    except ValueError as error:
        raise InvalidSpec(str(error)) from None
    if "min_size" in given and spec.min_size is not None and isinstance(spec.size, int) and spec.min_size > spec.size:
        raise InvalidSpec(
            f"min_size = {spec.min_size} is larger than size = {spec.size}, and the coarsest scale cannot be: give a"
            " smaller min_size, or a larger size"
        )
    return spec


def _key(source: Source) -> str:
    return f"inputs/{source.address.removeprefix(BLOB)}"
