"""The middle of the way of jobs that are painted together, most often of one: the engine, and the memory it gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import structlog
import torch

from stylefarm.shared.db.records import Checkpoint
from stylefarm.shared.errors import FarmError, OutOfMemory
from stylefarm.shared.services import Services
from stylefarm.worker.attempt.attempt import Piece
from stylefarm.worker.attempt.resume import earlier_state
from stylefarm.worker.engine.hardware.budget import USABLE, MemoryPlan
from stylefarm.worker.engine.hardware.device import ComputePath, choose
from stylefarm.worker.engine.hardware.memory import available_memory, is_out_of_memory, release_memory
from stylefarm.worker.engine.methods.iterative import Progress, Scale, UpdateRules, optimize
from stylefarm.worker.engine.networks.vgg import Vgg
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.monitoring import metrics
from stylefarm.worker.render.cache import CALIBRATION_EDGE, Workshop, network_key
from stylefarm.worker.render.network import build_network
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, prepared

log = structlog.get_logger("stylefarm.worker")

# After an attempt that ran out of memory, so much of what is left is planned with.
LESS = 0.6


@dataclass
class Means:
    """What is computed with: the way on a device, the bytes at hand there, and those planned with."""

    path: ComputePath
    available: int
    planned: int = 0

    def room(self) -> int:
        """How many bytes copies of the engine's state may take: on a CPU what the plan of this scale leaves."""
        if self.path.device.type == "cpu":
            return round(self.available * USABLE) - self.planned
        return round(available_memory(torch.device("cpu")) * USABLE)


@dataclass(frozen=True)
class Painting:
    """Attempts at jobs that are painted together: they have one `batch_key`."""

    services: Services
    workshop: Workshop
    pieces: Sequence[Piece]

    def paint(self) -> Iterator[Piece]:
        """Yields each piece once, as soon as it has ended, its outcome in it.

        What cannot be painted together is painted one after the other. A piece alone goes on from the checkpoint of an
        earlier attempt, if there is one that can be used, and is tried once more with less memory if that runs out.
        """
        for piece in self.pieces:
            with piece.at_work():
                piece.begin(choose(piece.spec.precision))
            if not piece.is_open:
                yield piece
        together = [piece for piece in self.pieces if piece.is_open]
        if len(together) > 1:
            yield from self._together(together)
        for piece in together:
            if piece.is_open:
                yield from self._alone(piece)

    def _together(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            piece.record["batch"] = len(pieces)
        try:
            yield from self._painted(pieces, self._means(pieces[0], 1.0), None)
        except Exception as error:
            # Whatever one of them has brought about must not touch the others.
            if is_out_of_memory(error):
                metrics.OUT_OF_MEMORY.inc()
            reason = str(error) or type(error).__name__
            log.warning("not painted together", pieces=len(pieces), reason=reason, exc_info=not _is_known(error))
        for piece in pieces:
            if piece.is_open:
                del piece.record["batch"]

    def _alone(self, piece: Piece) -> Iterator[Piece]:
        with piece.at_work(), earlier_state(self.services, piece.job, piece.spec, piece.record) as state:
            piece.shelf.named = None if state is None else Checkpoint.of(piece.job)
            # A job that an earlier attempt found too large begins with less.
            first = LESS if piece.job.is_to_be_smaller else 1.0
            for share in (first, first * LESS):
                # Outside of any except block, which would hold on to the tensors of the attempt that failed.
                release_memory()
                if self._fits(piece, share, state):
                    break
            else:
                raise OutOfMemory(
                    f"a picture of size = {piece.spec.size} did not fit into this worker's memory, twice: ask for a"
                    " smaller size"
                )
        yield piece

    def _fits(self, piece: Piece, share: float, state: EngineState | None) -> bool:
        """Paints a piece alone; False if the memory did not suffice."""
        means = self._means(piece, share)
        try:
            for _ in self._painted([piece], means, state):
                pass
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            metrics.OUT_OF_MEMORY.inc()
            log.warning("out of memory", available=means.available)
            return False
        return True

    def _means(self, piece: Piece, share: float) -> Means:
        path = choose(piece.spec.precision)
        return Means(path, round(share * available_memory(path.device, self.services.settings.memory)))

    def _painted(self, pieces: Sequence[Piece], means: Means, state: EngineState | None) -> Iterator[Piece]:
        """Runs the engine to its end, or until no piece is left; yields those that have ended."""
        try:
            for piece in pieces:
                piece.sit(lambda: means.room() // len(pieces))
            for progress in self._steps(pieces, means, state):
                yield from _shown(pieces, progress)
                if not any(piece.is_open for piece in pieces):
                    return
            for index, piece in enumerate(pieces):
                if piece.is_open:
                    with piece.at_work():
                        piece.complete(progress.of(index), self.workshop.targets)
                    yield piece
        finally:
            for piece in pieces:
                piece.close()

    def _steps(self, pieces: Sequence[Piece], means: Means, state: EngineState | None) -> Iterator[Progress]:
        spec, path = pieces[0].spec, means.path
        backbone = self.workshop.network(network_key(spec, path), partial(self._network, pieces[0], path))

        def told(edge: int, chosen: MemoryPlan) -> None:
            means.planned = chosen.bytes
            for piece in pieces:
                way = {"size": edge, "way": str(chosen), "bytes": chosen.bytes}
                piece.record["path"]["memory"].append(way)

        def captured(told: str) -> None:
            for piece in pieces:
                piece.record["path"]["graphs"].append(told)

        bench = RenderContext(path, backbone, self.workshop, lambda: means.available, captured)
        batch = [piece.inputs for piece in pieces]
        scales = [
            Scale(iterations, partial(prepared, batch, edge, bench, partial(told, edge)))
            for edge, iterations in spec.schedule
        ]
        return optimize(scales, make_optimizer(spec), UpdateRules(spec.clamp, spec.average, spec.stop_change), state)

    def _network(self, piece: Piece, path: ComputePath) -> Vgg:
        calibration = piece.inputs.sized(min(piece.spec.sizes[-1], CALIBRATION_EDGE), path.device)
        images = [calibration.content, *(style.image for style in calibration.styles)]
        cache = self.services.settings.home.expanduser() / "cache"
        return build_network(piece.spec, images, self.services.blobs, cache, path)


def _shown(pieces: Sequence[Piece], progress: Progress) -> Iterator[Piece]:
    """Shows each piece its part of a step; yields those that end by it."""
    sitting = [(index, piece) for index, piece in enumerate(pieces) if piece.is_open]

    def show(numbered: tuple[int, Piece]) -> None:
        index, piece = numbered
        with piece.at_work():
            piece.take(progress.of(index))

    if len(sitting) > 1 and sitting[0][1].lease.interrupted.is_set():
        # Each is about to store its last checkpoint; one after the other, the last would come too late.
        with ThreadPoolExecutor(len(sitting)) as pool:
            list(pool.map(show, sitting))
    else:
        for numbered in sitting:
            show(numbered)
    yield from (piece for _, piece in sitting if not piece.is_open)


def _is_known(error: Exception) -> bool:
    return isinstance(error, FarmError) or is_out_of_memory(error)
