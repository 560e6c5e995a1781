"""Fetch and check the checkpoint of an earlier attempt, for this one to continue from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import structlog

from stylefarm.shared.db.records import Checkpoint, Fence
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import NotFound
from stylefarm.shared.services import Services
from stylefarm.shared.spec.kinds import AnySpec
from stylefarm.shared.spec.spec import ENGINE_VERSION
from stylefarm.worker.attempt.checkpoint_file import UnusableCheckpoint, read_checkpoint, temporary_file
from stylefarm.worker.attempt.lease import LeaseLost
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.host.retry import retry_transient

log = structlog.get_logger("stylefarm.worker")


def checkpoint_folder(services: Services) -> Path:
    """Return the folder of this machine through which checkpoints pass."""
    return services.settings.home.expanduser() / "cache" / "checkpoints"


def checkpoint_metadata(spec: AnySpec, state: EngineState) -> dict[str, object]:
    """Return the metadata of a checkpoint: engine, spec and progress."""
    return {
        "engine_version": ENGINE_VERSION,
        "spec_key": spec.key,
        "iteration": state.numbers["done"],
        "scale": state.numbers.get("scale", 0),
    }


@contextmanager
def resume_state(
    services: Services, job: JobRow, spec: AnySpec, record: dict[str, Any]
) -> Iterator[EngineState | None]:
    """Yield the state that the job continues from, or None if it starts from the beginning; `record` notes which.

    A checkpoint that cannot be used is discarded.

    Raises:
        LeaseLost: the job belongs to another attempt.
        ServiceUnavailable: the object store does not answer.
        StorageFull: this machine's disk is full.
    """
    checkpoint = Checkpoint.of(job)
    if checkpoint is None:
        yield None
        return
    with ExitStack() as stack:
        try:
            state = _fetched(services, spec, checkpoint, stack)
        except UnusableCheckpoint as error:
            _pass_over(services, Fence(job.id, job.attempt), checkpoint, str(error))
            record["afresh"] = str(error)
            state = None
        else:
            record["resumed"] = {"iteration": checkpoint.iteration, "attempt": checkpoint.attempt}
            log.info("resumed", iteration=checkpoint.iteration, stored_by=checkpoint.attempt)
        yield state


def _fetched(services: Services, spec: AnySpec, checkpoint: Checkpoint, stack: ExitStack) -> EngineState:
    stored = checkpoint.stored
    path = stack.enter_context(temporary_file(checkpoint_folder(services)))
    try:
        retry_transient(lambda: services.blobs.get_file(stored.key, path))
    except NotFound:
        raise UnusableCheckpoint("the checkpoint is not in the object store") from None
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != stored.sha256:
            raise UnusableCheckpoint("the checkpoint is not what was stored, it is damaged")
    state, said = stack.enter_context(read_checkpoint(path))
    if said.get("engine_version") != ENGINE_VERSION:
        raise UnusableCheckpoint(f"the checkpoint is of engine version {said.get('engine_version')}")
    if said.get("spec_key") != spec.key:
        raise UnusableCheckpoint("the checkpoint is of another spec")
    return state


def _pass_over(services: Services, fence: Fence, checkpoint: Checkpoint, reason: str) -> None:
    log.warning("checkpoint passed over", reason=reason, key=checkpoint.stored.key)
    if not retry_transient(lambda: services.store.checkpoints.discard(fence, reason)):
        raise LeaseLost
