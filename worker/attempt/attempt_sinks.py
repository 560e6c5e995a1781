"""The sinks of one attempt, and the thread that does their slow part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from stylefarm.shared.errors import Diverged
from stylefarm.shared.services import Services
from stylefarm.worker.attempt.checkpoint import CheckpointSink, CheckpointStore
from stylefarm.worker.attempt.lease import Lease
from stylefarm.worker.attempt.product import PictureEncoder
from stylefarm.worker.attempt.sinks import Background, LossSink, Sink, SnapshotSink, StepSink
from stylefarm.worker.engine.methods.iterative import Progress


@dataclass(frozen=True)
class AttemptSinks:
    """Where the progress of one attempt goes: losses, snapshots, checkpoints."""

    background: Background
    checkpoints: CheckpointSink
    sinks: tuple[Sink, ...]

    @classmethod
    def opened(
        cls,
        services: Services,
        lease: Lease,
        encoder: PictureEncoder,
        store: CheckpointStore,
        *,
        terms: Sequence[str],
        snapshot_every: int,
        checkpoint_seconds: float,
        memory_left: Callable[[], int],
    ) -> AttemptSinks:
        """Open them for one attempt.

        Args:
            services: where losses, snapshots and checkpoints are stored.
            lease: the attempt's; it learns what the user wants when losses are stored.
            encoder: makes files of snapshots.
            store: keeps the checkpoints.
            terms: the names of the losses that each Progress holds, the total first; none without losses.
            snapshot_every: iterations from one snapshot to the next; 0: none.
            checkpoint_seconds: seconds from one checkpoint to the next; 0: none.
            memory_left: how many bytes a copy of the engine's state may take.
        """
        background, fence = Background(), lease.fence
        losses: Sink
        if terms:
            losses = LossSink(services.store, fence, background, terms, lease.on_heartbeat)
        else:
            losses = StepSink(services.store, fence, background)
        snapshots = SnapshotSink(
            services.store, services.blobs, fence, background, every=snapshot_every, encoder=encoder
        )
        checkpoints = CheckpointSink(store, losses, background, every=checkpoint_seconds, memory_left=memory_left)
        return cls(background, checkpoints, (losses, snapshots, checkpoints))

    def on_progress(self, progress: Progress) -> None:
        """Hand one step to each of them. Raises what went wrong in one of them, or in the background."""
        with self._storing_finite_part():
            for sink in self.sinks:
                sink.on_progress(progress)

    def finish(self) -> None:
        """Hand over what is left, and wait until all of it is stored. Raises what went wrong."""
        with self._storing_finite_part():
            for sink in self.sinks:
                sink.close()
            self.background.finish()

    def close(self) -> None:
        """Drop what has not begun."""
        self.checkpoints.abandon()
        self.background.close()

    @contextmanager
    def _storing_finite_part(self) -> Iterator[None]:
        """Store the curve and the snapshots before a loss that is not finite."""
        try:
            yield
        except Diverged:
            self.background.finish()
            raise
