"""From a file of weights to a name in the farm: read, checked, converted, stored, registered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stylefarm.shared.blobs.storage import read_chunks
from stylefarm.shared.dispatch.weights import NewWeights, WeightsRegistry
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.services import Services
from stylefarm.shared.spec.space import InputSpace
from stylefarm.worker.engine.networks.conversion import convert
from stylefarm.worker.engine.networks.weights import read_weights


@dataclass(frozen=True)
class ImportRequest:
    """What a user says of weights: their name (by default the architecture), their input, whether to replace others."""

    name: str | None = None
    space: InputSpace | None = None
    force: bool = False


@dataclass(frozen=True)
class Imported:
    """Weights that are registered now; `added` is false if they were before. `input_words` say how they take pixels."""

    weights: NewWeights
    added: bool
    input_words: str


def import_weights(path: Path, source: str, wanted: ImportRequest, services: Services) -> Imported:
    """Register the weights in a file; `source` says where it came from.

    Raises:
        InvalidRequest: the file is not a whole network, or the name is taken; nothing is stored.
        ServiceUnavailable: a service does not answer.
        NotMigrated: the database has another schema.
        StorageFull: a disk is full.
    """
    with _named(source):
        state = read_weights(path, wanted.space)
        architecture, data = convert(state)
    digest = hashlib.sha256(data).hexdigest()
    new = NewWeights(wanted.name or architecture, digest, architecture, source, len(data))
    added = _store(new, data, services, replace=wanted.force)
    return Imported(new, added, f"{_words(state.space)} ({state.reason})")


def check_sha256(path: Path, expected: str, source: str) -> None:
    """Check that the file's SHA-256, in hex, begins with `expected`. Raises InvalidRequest."""
    digest = hashlib.sha256()
    for chunk in read_chunks(path):
        digest.update(chunk)
    refuse_other_hash(digest.hexdigest(), expected, source)


def refuse_other_hash(found: str, expected: str, source: str) -> None:
    """Check that `found` begins with `expected`. Raises InvalidRequest."""
    if not found.startswith(expected):
        raise InvalidRequest(f"{source} has the SHA-256 {found}, not {expected}: it is damaged, or another file")


def parse_sha256(text: str) -> str:
    """Return a SHA-256 as a user wrote it, in small letters. Raises InvalidRequest."""
    digits = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise InvalidRequest(f"--sha256 {text!r:.80} is no SHA-256: give all of its 64 hexadecimal digits")
    return digits


def _store(new: NewWeights, data: bytes, services: Services, *, replace: bool) -> bool:
    registry = WeightsRegistry(services.engine)
    if not replace:
        registry.check(new)
    # The file comes first: a name never stands for a file that is not there.
    key = f"weights/{new.sha256}"
    with services.store.holds.holding([key]):
        if not services.blobs.exists(key):
            services.blobs.put(key, data, "application/octet-stream")
        return registry.add(new, replace=replace)


@contextmanager
def _named(source: str) -> Iterator[None]:
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(f"{source}: {error}") from error


def _words(space: InputSpace) -> str:
    mean = ", ".join(f"{part:g}" for part in space.mean)
    return f"{space.order.upper()} from 0 to {space.range:g} less the mean ({mean})"
