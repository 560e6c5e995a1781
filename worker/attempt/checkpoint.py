"""Checkpoints: what another worker continues from, stored off the hot path.

At a step that is due the rendering thread copies the engine's state to the CPU's memory, since the next steps change
parts of it in place. Another thread writes the copy to a file, tensor by tensor, and uploads it. Then the rendering
thread has the background thread name it on the job's row, after all points of the curve and all snapshots that come
before it in that thread's queue, so that what is named is never ahead of the curve.

There is one copy at a time. What falls due during an upload is taken when the upload is over, which is later, and thus
better, than anything that could have waited.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import structlog

from stylefarm.shared.db.records import Checkpoint, Fence, StoredObject
from stylefarm.shared.errors import FarmError
from stylefarm.shared.services import Services
from stylefarm.shared.spec.kinds import AnySpec
from stylefarm.worker.attempt.checkpoint_file import CONTENT_TYPE, temporary_file, write_checkpoint
from stylefarm.worker.attempt.lease import Interrupted, LeaseLost
from stylefarm.worker.attempt.resume import checkpoint_folder, checkpoint_metadata
from stylefarm.worker.attempt.sinks import Background, Sink, begin
from stylefarm.worker.engine.methods.iterative import Progress
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.monitoring import metrics

log = structlog.get_logger("stylefarm.worker")

# A worker that stops, or a job that is paused, waits no longer than this for the last checkpoint.
LAST_SECONDS = 8.0


@dataclass
class CheckpointStore:
    """Stores the checkpoints of one attempt, and knows the one that the job's row names."""

    services: Services
    spec: AnySpec
    fence: Fence
    record: dict[str, Any]
    named: Checkpoint | None = None

    def store(self, state: EngineState, closed: threading.Event) -> Checkpoint | None:
        """Upload a state, unless `closed` is set by then; return None, and log why, if that fails."""
        iteration = int(state.numbers["done"])
        key = f"jobs/{self.fence.job_id}/{self.fence.attempt}/checkpoint-{iteration}.safetensors"
        try:
            stored = self._uploaded(key, state, closed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job goes on, and the next one may be stored
            log.warning("checkpoint not stored", iteration=iteration, reason=str(error))
            return None
        return Checkpoint(stored, iteration, self.fence.attempt)

    def discard(self, upload: Future[Checkpoint | None]) -> None:
        """Delete what was uploaded but is named by no row."""
        if not upload.cancelled() and (stored := upload.result()) is not None:
            self._delete(stored.stored.key)

    def name(self, checkpoint: Checkpoint) -> None:
        """Name a checkpoint on the job's row, and delete the one before it. Raises LeaseLost."""
        try:
            ours = retry_transient(lambda: self.services.store.checkpoints.save(self.fence, checkpoint))
        except FarmError as error:
            log.warning("checkpoint not named", iteration=checkpoint.iteration, reason=str(error))
            return
        if not ours:
            raise LeaseLost
        before, self.named = self.named, checkpoint
        if before is not None and before.stored.key != checkpoint.stored.key:
            self._delete(before.stored.key)
        kept = self.record.setdefault("checkpoints", {"stored": 0})
        kept.update(stored=kept["stored"] + 1, iteration=checkpoint.iteration)
        log.info("checkpoint", iteration=checkpoint.iteration, bytes=checkpoint.stored.bytes)

    def clear(self) -> None:
        """Delete the last checkpoint, once the job is done and its row names it no more."""
        if self.named is not None:
            self._delete(self.named.stored.key)

    def _uploaded(self, key: str, state: EngineState, closed: threading.Event) -> StoredObject:
        with temporary_file(checkpoint_folder(self.services)) as path:
            write_checkpoint(path, state, checkpoint_metadata(self.spec, state))
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if not closed.is_set():
                with metrics.uploading("checkpoint"):
                    retry_transient(lambda: self.services.blobs.put_file(key, path, CONTENT_TYPE))
            return StoredObject(key, digest, path.stat().st_size)

    def _delete(self, key: str) -> None:
        try:
            self.services.blobs.delete(key)
        except FarmError as error:
            # No row refers to it any more: the sweep of orphans deletes it.
            log.warning("old checkpoint not deleted", key=key, reason=str(error))


class CheckpointSink:
    """Stores a checkpoint each `every` seconds (0: never), and when the attempt is stopped.

    Args:
        store: keeps the checkpoints.
        losses: the sink of the loss curve, which must be stored first.
        background: the thread that names checkpoints.
        every: seconds; 0: never.
        memory_left: how many bytes a copy of the state may take.
    """

    def __init__(
        self,
        store: CheckpointStore,
        losses: Sink,
        background: Background,
        *,
        every: float,
        memory_left: Callable[[], int],
    ) -> None:
        self.store = store
        self.losses = losses
        self.background = background
        self.every = every
        self.memory_left = memory_left
        self._taken_at: float | None = None
        self._upload: Future[Checkpoint | None] | None = None
        self._closed = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")

    def on_progress(self, progress: Progress) -> None:
        """Copy the state and start its upload, if a checkpoint is due."""
        self._settle()
        if self._taken_at is None:
            self._taken_at = time.monotonic()
        if not self.every or self._upload is not None or progress.state is None or not progress.iteration:
            return
        if time.monotonic() - self._taken_at >= self.every:
            state = self._copy(progress.state())
            self._taken_at = time.monotonic()
            if state is not None:
                self._upload = self._start_upload(state)

    def store_last(self, progress: Progress) -> None:
        """Store the state at which the attempt stops; wait a few seconds at most, and raise nothing."""
        named = self.store.named
        if not self.every or progress.state is None or progress.iteration <= (named.iteration if named else 0):
            return
        try:
            self._store_last(progress, progress.state())
        except Interrupted:
            return
        except Exception as error:  # noqa: BLE001 - the work stops for another reason, which is the one to tell
            log.warning("no last checkpoint", reason=str(error) or type(error).__name__)

    def close(self) -> None:
        """Do nothing: at the end of a job no checkpoint is worth the wait."""

    def abandon(self) -> None:
        """Name nothing more, and wait for nothing: delete what is being uploaded, or has just been."""
        self._closed.set()
        if self._upload is not None:
            self._upload.add_done_callback(self.store.discard)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _store_last(self, progress: Progress, state: EngineState) -> None:
        due = time.monotonic() + LAST_SECONDS
        if self._upload is not None:
            wait([self._upload], LAST_SECONDS)
        self._settle()
        if self._upload is None and _is_finite(progress):
            # Not copied, since no step will change it.
            self._upload = self._start_upload(state)
            wait([self._upload], max(0.0, due - time.monotonic()))
            self._settle()
        self.background.finish()

    def _start_upload(self, state: EngineState) -> Future[Checkpoint | None]:
        return begin(self._pool, lambda: self.store.store(state, self._closed))

    def _settle(self) -> None:
        """Have the row name an uploaded checkpoint, after the losses before it are stored."""
        if self._upload is None or not self._upload.done():
            return
        stored, self._upload = self._upload.result(), None
        if stored is not None:
            self.losses.close()
            self.background.submit(lambda: self.store.name(stored))

    def _copy(self, state: EngineState) -> EngineState | None:
        """Copy as much of the state as there is memory for: L-BFGS can start a new history."""
        room = self.memory_left()
        if state.bytes > room:
            self.store.record["checkpoints_without"] = "history of the optimizer, of which no copy fits into the memory"
            log.warning("checkpoint without history", bytes=state.bytes, room=room)
            state = state.without_history()
        if state.bytes > room:
            log.warning("no checkpoint", reason="no copy fits into the memory", bytes=state.bytes, room=room)
            return None
        try:
            return state.copied()
        except (RuntimeError, MemoryError) as error:
            log.warning("no checkpoint", reason=str(error))
            return None


def _is_finite(progress: Progress) -> bool:
    """Whether the picture and its losses are numbers; the losses before are looked at where they are stored."""
    return bool(progress.losses.isfinite().all()) and bool(progress.image.isfinite().all())
