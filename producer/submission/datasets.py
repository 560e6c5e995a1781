"""Data sets: folders and buckets of pictures, read once, stored by their hashes, and listed in a manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from stylefarm.producer.grids.s3_objects import SCHEME, Objects
from stylefarm.producer.terminal.progress import counting
from stylefarm.shared.blobs.manifest import FOLDER, ListedPicture, Manifest
from stylefarm.shared.blobs.storage import picture_metadata
from stylefarm.shared.errors import InvalidImage, InvalidRequest, InvalidSettings, NotFound
from stylefarm.shared.files.paths import is_folder, located
from stylefarm.shared.images.decode import decode, read_bytes
from stylefarm.shared.images.recognize import HEAD_BYTES, media_type, recognize, recognize_file
from stylefarm.shared.services import Services
from stylefarm.shared.settings import Settings
from stylefarm.shared.store.library import NewDataset
from stylefarm.shared.text import counted

# Pictures decoded, and uploaded, at a time.
READS = 4
UPLOADS = 8
# The photographs that scikit-image brings with it, by the names of their files.
BUILTIN = "builtin"
PHOTOGRAPHS = (
    *("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "motorcycle_left.png"),
    *("retina.jpg", "rocket.jpg"),
)


@dataclass(frozen=True)
class ReadDataset:
    """The pictures of a data set before they are stored.

    Attributes:
        manifest: the pictures, each once.
        origins: the file or the address of each, by its hash.
        faults: why files are left out, by their names.

    Example:
        found = read_dataset("photographs", load_settings())
        print(len(found.manifest.pictures), "pictures;", len(found.faults), "files are left out")
    """

    manifest: Manifest
    origins: Mapping[str, Path | str]
    faults: Mapping[str, str] = field(default_factory=dict)


def read_dataset(source: str, settings: Settings) -> ReadDataset:
    """Read every picture below a folder, or an address in S3.

    Args:
        source: a folder, which is searched with all folders in it, or s3://bucket/prefix.
        settings: the limits of pictures, and the farm's settings of S3.

    Returns:
        The pictures. Hidden files, and files that are no pictures by their first bytes, are not looked at; what is
        damaged, too large or animated is among the faults.

    Raises:
        NotFound: there is no such folder.
        InvalidRequest: there is no picture in it.
        ServiceUnavailable: the bucket does not answer.

    Example:
        found = read_dataset("s3://photos/landscapes", load_settings())
    """
    objects = Objects(settings)
    names: Sequence[Path | str]
    if source.startswith(SCHEME):
        names = [name for name in objects.listed(source) if not Path(name).name.startswith(".")]
    else:
        folder = located(source)
        if not is_folder(folder):
            raise NotFound(f"{source} is no folder: give one with pictures in it, or an address s3://bucket/folder")
        names = sorted(_files_below(folder))
    return _read(source, names, objects, settings)


def builtin_dataset(settings: Settings) -> ReadDataset:
    """Return the photographs that scikit-image brings with it, which is a small data set to begin with.

    Args:
        settings: the limits of pictures.

    Raises:
        InvalidSettings: scikit-image is not installed here.

    Example:
        >>> len(builtin_dataset(Settings()).manifest.pictures) >= 6
        True
    """
    found = find_spec("skimage")
    places = list(found.submodule_search_locations or ()) if found is not None else []
    if not places:
        raise InvalidSettings(
            "the data set builtin is of scikit-image's photographs, which is not installed: pip install"
            " 'stylefarm[worker]', or name another data set"
        )
    folder = Path(places[0]) / "data"
    files = [folder / name for name in PHOTOGRAPHS if (folder / name).is_file()]
    return _read(BUILTIN, files, Objects(settings), settings)


def store_dataset(name: str, source: str, found: ReadDataset, services: Services, *, replace: bool = False) -> bool:
    """Store the pictures and the manifest of a data set, and register its name.

    Args:
        name: what training jobs call it.
        source: where it was read from.
        found: its pictures.
        services: the farm's.
        replace: whether another data set of that name is replaced.

    Returns:
        Whether it is new: False if the same is there under that name.

    Raises:
        InvalidRequest: the name cannot be one, or is another data set's; or a file has changed since it was read.
        ServiceUnavailable: a service does not answer.
        StorageFull: the object store is full.

    Example:
        store_dataset("photos", "photographs", read_dataset("photographs", settings), farm.services)
    """
    manifest = found.manifest
    new = NewDataset(
        name, manifest.sha256, manifest.size, source, pictures=len(manifest.pictures), left_out=len(found.faults)
    )
    there = services.store.datasets.find(name)
    if there is not None and there.sha256 != new.sha256 and not replace:
        # Asked before anything is uploaded.
        services.store.datasets.add(new)
    keys = [f"{FOLDER}/{new.sha256}", *(f"inputs/{picture.sha256}" for picture in manifest.pictures)]
    with services.store.holds.holding(keys):
        upload_dataset(found, services)
        return services.store.datasets.add(new, replace=replace)


def upload_dataset(found: ReadDataset, services: Services) -> None:
    """Store the pictures and the manifest of a data set, where they are not stored yet.

    Args:
        found: its pictures.
        services: the farm's.

    Raises:
        InvalidRequest: a file has changed since it was read.
        ServiceUnavailable: the object store does not answer.
        StorageFull: the object store is full.

    Example:
        upload_dataset(builtin_dataset(farm.settings), farm.services)
    """
    pictures, objects = found.manifest.pictures, Objects(services.settings)

    def upload(picture: ListedPicture) -> None:
        key = f"inputs/{picture.sha256}"
        if services.blobs.exists(key):
            return
        data = _bytes(found.origins[picture.sha256], objects, services.settings)
        if hashlib.sha256(data).hexdigest() != picture.sha256:
            raise InvalidRequest(f"{picture.name} changed while it was being stored: try again")
        metadata = picture_metadata(picture.name, picture.width, picture.height)
        services.blobs.put(key, data, media_type(data[:HEAD_BYTES]), metadata)

    with ThreadPoolExecutor(UPLOADS, "upload") as pool, counting("uploads", len(pictures)) as advance:
        for _ in pool.map(upload, pictures):
            advance()
    services.blobs.put(f"{FOLDER}/{found.manifest.sha256}", found.manifest.document, "application/json")


def _files_below(folder: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(path) / name for name in files if not name.startswith("."))


def _read(source: str, names: Sequence[Path | str], objects: Objects, settings: Settings) -> ReadDataset:
    pictures: list[ListedPicture] = []
    origins: dict[str, Path | str] = {}
    faults: dict[str, str] = {}

    def read(origin: Path | str) -> ListedPicture | None:
        if isinstance(origin, Path) and recognize_file(origin) is None:
            return None
        data = _bytes(origin, objects, settings)
        if recognize(data[:HEAD_BYTES]) is None:
            return None
        image = decode(data, str(origin), max_pixels=settings.max_pixels).image
        sha256 = hashlib.sha256(data).hexdigest()
        return ListedPicture(sha256, len(data), image.width, image.height, Path(origin).name)

    def tried(origin: Path | str) -> tuple[Path | str, ListedPicture | None, str]:
        try:
            return origin, read(origin), ""
        except (InvalidImage, NotFound) as error:
            return origin, None, str(error)

    with ThreadPoolExecutor(READS, "read") as pool, counting("pictures", len(names)) as advance:
        for origin, picture, fault in pool.map(tried, names):
            advance()
            if fault:
                faults[str(origin)] = fault
            if picture is not None:
                pictures.append(picture)
                origins.setdefault(picture.sha256, origin)
    if not pictures:
        why = (
            f": {counted(len(faults), 'file')} cannot be used, such as {next(iter(faults.values()))}" if faults else ""
        )
        raise InvalidRequest(f"there is no picture in {source}{why}")
    return ReadDataset(Manifest.of(pictures), origins, faults)


def _bytes(origin: Path | str, objects: Objects, settings: Settings) -> bytes:
    return read_bytes(origin, settings.max_bytes) if isinstance(origin, Path) else objects.get(origin)
