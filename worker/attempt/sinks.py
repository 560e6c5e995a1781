"""Where the engine's progress goes: the loss curve and the snapshots.

A sink takes what it needs from a Progress on the rendering thread, and does the slow part, talking to services, on the
job's background thread, so that rendering never waits for them.
"""

from __future__ import annotations

import contextvars
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import takewhile
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from stylefarm.shared.blobs.storage import BlobStore
from stylefarm.shared.db.records import Fence, Heartbeat, LossPoint
from stylefarm.shared.errors import Diverged, InvalidSpec
from stylefarm.shared.store import Store
from stylefarm.worker.attempt.lease import Interrupted, LeaseLost
from stylefarm.worker.attempt.product import PictureEncoder
from stylefarm.worker.attempt.stored_picture import store_picture
from stylefarm.worker.engine.methods.iterative import Progress
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.monitoring import metrics

# How often points of the loss curve are stored, and so how old a user's view may be.
FLUSH_SECONDS = 0.5

# The advice for a job whose steps have diverged.
REMEDY = "try optimizer = adam, a smaller learning_rate, or smaller weights"

# Pictures that wait for a slow object store are kept in memory; with more of them, the rendering waits.
MOST_PENDING = 8

Result = TypeVar("Result")


class Sink(Protocol):
    """Something that takes the engine's progress."""

    def on_progress(self, progress: Progress) -> None:
        """Take what it needs of one step, on the rendering thread."""
        ...

    def close(self) -> None:
        """Hand over what is left."""
        ...


def begin(pool: ThreadPoolExecutor, work: Callable[[], Result]) -> Future[Result]:
    """Queue `work` on another thread, whose log messages name the job and the attempt, too.

    Raises:
        Interrupted: the program exits without having closed its farm, and Python begins nothing more.
    """
    context = contextvars.copy_context()
    try:
        return pool.submit(context.run, work)
    except RuntimeError as error:
        raise Interrupted from error


class Background:
    """One thread for the slow part of a job's sinks, in order; an exception there is raised in the rendering thread."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sinks")
        self._pending: list[Future[None]] = []
        self._failed = False

    def submit(self, work: Callable[[], None]) -> None:
        """Queue `work`, and wait for room if much is queued; raise what earlier work raised."""
        if len(self._pending) >= MOST_PENDING:
            self._pending[0].result()
        # Each is looked at once: one that ends between two looks would be in neither list, and its exception lost.
        ended = {future: future.done() for future in self._pending}
        self._pending = [future for future in self._pending if not ended[future]]
        for future, has_ended in ended.items():
            if has_ended:
                future.result()
        self._pending.append(begin(self._pool, lambda: self._run(work)))

    def finish(self) -> None:
        """Wait for all of it; raise the first exception."""
        for future in self._pending:
            future.result()

    def close(self) -> None:
        """Drop what has not begun, and wait for the rest."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, work: Callable[[], None]) -> None:
        # Nothing more is done after a failure: a checkpoint means that everything before it is stored.
        if self._failed:
            return
        try:
            work()
        except BaseException:
            self._failed = True
            raise


class LossSink:
    """Stores the loss curve in batches, and stops the work when a loss is not finite.

    `terms` are the names of the losses, the total first. `on_heartbeat` is called with what the store says of the job,
    far more often than the lease is renewed.
    """

    def __init__(
        self,
        store: Store,
        fence: Fence,
        background: Background,
        terms: Sequence[str],
        on_heartbeat: Callable[[Heartbeat], None] | None = None,
    ) -> None:
        self.store = store
        self.fence = fence
        self.background = background
        self.terms = terms
        self.on_heartbeat = on_heartbeat
        self._points: list[tuple[int, Tensor]] = []
        self._image: Tensor | None = None
        self._flushed_at = time.monotonic()

    def on_progress(self, progress: Progress) -> None:
        """Keep the losses of a step, and store what was kept twice a second. Raises Diverged."""
        self._points.append((progress.iteration, progress.losses[0]))
        self._image = progress.image[0]
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.close()

    def close(self) -> None:
        """Store the losses that are left. Raises Diverged."""
        if not self._points:
            return
        iterations = [iteration for iteration, _ in self._points]
        # Reading the losses waits for the device: done twice a second, and not in each iteration.
        values = torch.stack([losses for _, losses in self._points]).tolist()
        if len(values[0]) != len(self.terms):
            raise InvalidSpec(f"the method gives {len(values[0])} losses, and names {len(self.terms)} of them")
        points = [LossPoint(i, tuple(row)) for i, row in zip(iterations, values, strict=True)]
        self._points = []
        self._flushed_at = time.monotonic()
        # The curve begins with the start, which does not count as an iteration.
        metrics.ITERATIONS.inc(sum(iteration > 0 for iteration in iterations))
        # After a NaN, later values mean nothing, even if they are finite again.
        finite = list(takewhile(lambda point: math.isfinite(point.total), points))
        if finite:
            self.background.submit(lambda: self._record(finite))
        if len(finite) < len(points):
            raise _diverged(points[len(finite)], self.terms)
        if self._image is not None and not self._image.isfinite().all():
            # A ReLU computed as max(x, 0) may turn NaN into 0, so that the losses stay finite.
            raise Diverged(f"the picture left the finite numbers at iteration {iterations[-1]} or before: {REMEDY}")

    def _record(self, points: list[LossPoint]) -> None:
        heartbeat = retry_transient(lambda: self.store.attempts.record_losses(self.fence, points))
        if not heartbeat:
            raise LeaseLost
        if self.on_heartbeat is not None:
            self.on_heartbeat(heartbeat)


class StepSink:
    """Stores how far a job is that has no losses."""

    def __init__(self, store: Store, fence: Fence, background: Background) -> None:
        self.store = store
        self.fence = fence
        self.background = background

    def on_progress(self, progress: Progress) -> None:
        """Store the step."""
        iteration = progress.iteration
        self.background.submit(lambda: self._record(iteration))

    def close(self) -> None:
        """Do nothing: each step was handed over."""

    def _record(self, iteration: int) -> None:
        if not retry_transient(lambda: self.store.attempts.record_iteration(self.fence, iteration)):
            raise LeaseLost


class SnapshotSink:
    """Uploads the picture each `every` iterations, under the attempt's own keys."""

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        fence: Fence,
        background: Background,
        *,
        every: int,
        encoder: PictureEncoder,
    ) -> None:
        self.store = store
        self.blobs = blobs
        self.fence = fence
        self.background = background
        self.every = every
        self.encoder = encoder

    def on_progress(self, progress: Progress) -> None:
        """Upload the picture of a step, if a snapshot is due."""
        iteration = progress.iteration
        if self.every and iteration % self.every == 0 and 0 < iteration < progress.iterations:
            image = progress.image[0].cpu()
            # A picture with NaN is not stored; the loss sink will end the job.
            if image.isfinite().all():
                self.background.submit(lambda: self._upload(iteration, image))

    def close(self) -> None:
        """Do nothing: each snapshot was handed over when it was taken."""

    def _upload(self, iteration: int, image: Tensor) -> None:
        path = f"jobs/{self.fence.job_id}/{self.fence.attempt}/snapshots/{iteration:06d}"
        picture = self.encoder.finished(image)
        stored = store_picture(self.blobs, path, self.encoder, picture, iteration, "snapshot")
        if not retry_transient(lambda: self.store.attempts.add_snapshot(self.fence, iteration, stored)):
            raise LeaseLost


def _diverged(point: LossPoint, terms: Sequence[str]) -> Diverged:
    named = zip(terms[1:], point.losses[1:], strict=True)
    term = next((name for name, loss in named if not math.isfinite(loss)), "total")
    return Diverged(f"the {term} loss left the finite numbers at iteration {point.iteration}: {REMEDY}")
