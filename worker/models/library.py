"""Models of the farm: stored under their hash, registered by a name."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.files.small import check_ends
from stylefarm.shared.services import Services
from stylefarm.shared.store.library import Models, NewModel
from stylefarm.worker.engine.feedforward.model import Model, read_model, write_model
from stylefarm.worker.engine.hardware.device import ComputePath, choose
from stylefarm.worker.render.applied import load_applier


def import_model(file: Path, name: str | None, services: Services, *, replace: bool = False) -> tuple[ModelRow, bool]:
    """Register the model in a file.

    Args:
        file: as `write_model` writes it.
        name: what to call it; None: as the file is called.
        services: the farm's.
        replace: whether another model of that name is replaced.

    Returns:
        The model, and whether it is new.

    Raises:
        NotFound: there is no such file.
        InvalidRequest: it is no model, it is of another release, or the name is taken; nothing is stored.
        ServiceUnavailable: a service does not answer.
        StorageFull: a disk is full.

    Example:
        row, added = import_model(Path("waves.safetensors"), None, farm.services)
    """
    if not file.is_file():
        raise NotFound(f"there is no file {file}: check the path")
    try:
        check_ends(file)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{file} cannot be opened ({error}): check the path") from None
    model = read_model(file)
    chosen = name or re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")
    return store_model(model, chosen, file.name, services, replace=replace)


def store_model(
    model: Model, name: str, source: str, services: Services, *, replace: bool = False
) -> tuple[ModelRow, bool]:
    """Store a model, and register its name.

    Args:
        model: the model, which is made ready to render once, so that one that cannot is not stored.
        name: what to call it.
        source: where it comes from.
        services: the farm's.
        replace: whether another model of that name is replaced.

    Returns:
        The model, and whether it is new.

    Raises:
        InvalidRequest: it is of another release, or damaged; or the name is taken. Nothing is stored.
        ServiceUnavailable: a service does not answer.
        StorageFull: a disk is full.

    Example:
        row, added = store_model(import_distilled(folder)[0], "distilled-wct", str(folder), farm.services)
    """
    _check(model, source, choose("fp32"))
    with tempfile.TemporaryDirectory(prefix="stylefarm-") as folder:
        path = Path(folder) / "model.safetensors"
        write_model(path, model)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        new = NewModel(
            name, sha256, path.stat().st_size, source, model.method, dict(model.architecture), dict(model.card)
        )
        found = services.store.models.find(name)
        if found is not None and found.sha256 != sha256 and not replace:
            services.store.models.add(new)  # Refuses, before anything is stored.
        key = f"{Models.folder}/{sha256}"
        with services.store.holds.holding([key]):
            if not services.blobs.exists(key):
                services.blobs.put_file(key, path, "application/octet-stream")
            added = services.store.models.add(new, replace=replace)
    return services.store.models.get(name), added


def _check(model: Model, source: str, path: ComputePath) -> None:
    try:
        load_applier(model, path)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidRequest(
            f"{source} cannot be used as a model of {model.method} ({reason}): it is damaged"
        ) from error
