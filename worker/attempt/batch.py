"""Attempts that are rendered together, most often one alone: the engine, and the memory that it gets."""

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
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.resume import resume_state
from stylefarm.worker.engine.hardware.budget import USABLE
from stylefarm.worker.engine.hardware.device import ComputePath, choose
from stylefarm.worker.engine.hardware.memory import available_memory, is_out_of_memory, release_memory
from stylefarm.worker.engine.methods.method import Progress, RunRequest, Scale, UpdateRules, load_method
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.monitoring import metrics
from stylefarm.worker.render.cache import CALIBRATION_EDGE, ModelCache, network_key
from stylefarm.worker.render.network import build_network
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, prepare_scale

log = structlog.get_logger("stylefarm.worker")

# The share of the free memory that is planned with after an attempt that ran out of memory.
RETRY_SHARE = 0.6


@dataclass
class MemoryBudget:
    """The memory of a run: the device, the bytes available there, and those that the plan takes."""

    path: ComputePath
    available: int
    planned: int = 0

    def left(self) -> int:
        """How many bytes copies of the engine's state may take: on a CPU what the plan of this scale leaves."""
        if self.path.device.type == "cpu":
            return round(self.available * USABLE) - self.planned
        return round(available_memory(torch.device("cpu")) * USABLE)


@dataclass(frozen=True)
class BatchRun:
    """Attempts at jobs that are rendered together, most often one alone: they have one `batch_key`."""

    services: Services
    cache: ModelCache
    attempts: Sequence[Attempt]

    def render(self) -> Iterator[Attempt]:
        """Yield each attempt once, as soon as it has ended, its outcome in it.

        What cannot be rendered together is rendered one after the other. An attempt alone goes on from the checkpoint
        of an earlier one, if there is one that can be used, and is tried once more with less memory if that runs out.
        """
        for attempt in self.attempts:
            with attempt.ends_on_error():
                attempt.prepare(choose(attempt.spec.precision))
            if attempt.has_ended:
                yield attempt
        together = [attempt for attempt in self.attempts if not attempt.has_ended]
        if len(together) > 1:
            yield from self._render_together(together)
        for attempt in together:
            if not attempt.has_ended:
                yield from self._render_alone(attempt)

    def _render_together(self, attempts: Sequence[Attempt]) -> Iterator[Attempt]:
        for attempt in attempts:
            attempt.record["batch"] = len(attempts)
        try:
            yield from self._rendered(attempts, self._budget(attempts[0], 1.0), None)
        except Exception as error:
            # An error of one job must not affect the others.
            if is_out_of_memory(error):
                metrics.OUT_OF_MEMORY.inc()
            reason = str(error) or type(error).__name__
            log.warning("not rendered together", attempts=len(attempts), reason=reason, exc_info=not _is_known(error))
        for attempt in attempts:
            if not attempt.has_ended:
                del attempt.record["batch"]

    def _render_alone(self, attempt: Attempt) -> Iterator[Attempt]:
        with attempt.ends_on_error(), resume_state(self.services, attempt.job, attempt.spec, attempt.record) as state:
            attempt.checkpoint_store.named = None if state is None else Checkpoint.of(attempt.job)
            # A job that an earlier attempt found too large begins with less.
            first = RETRY_SHARE if attempt.job.is_to_be_smaller else 1.0
            for share in (first, first * RETRY_SHARE):
                # Outside of the except block, which would keep the tensors of the failed attempt alive.
                release_memory()
                if self._try_render(attempt, share, state):
                    break
            else:
                raise OutOfMemory(
                    f"a picture of size = {attempt.spec.size} did not fit into this worker's memory, twice: ask for a"
                    " smaller size"
                )
        yield attempt

    def _try_render(self, attempt: Attempt, share: float, state: EngineState | None) -> bool:
        """Render an attempt alone; return False if memory ran out."""
        budget = self._budget(attempt, share)
        try:
            for _ in self._rendered([attempt], budget, state):
                pass
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            metrics.OUT_OF_MEMORY.inc()
            log.warning("out of memory", available=budget.available)
            return False
        return True

    def _budget(self, attempt: Attempt, share: float) -> MemoryBudget:
        path = choose(attempt.spec.precision)
        return MemoryBudget(path, round(share * available_memory(path.device, self.services.settings.memory)))

    def _rendered(
        self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None
    ) -> Iterator[Attempt]:
        """Run the engine to its end, or until no attempt is left; yield those that have ended."""
        method = load_method(attempts[0].spec.method)
        try:
            for attempt in attempts:
                with attempt.ends_on_error():
                    attempt.start(method.terms, lambda: budget.left() // len(attempts))
            yield from (attempt for attempt in attempts if attempt.has_ended)
            if all(attempt.has_ended for attempt in attempts):
                return
            for progress in method.run(self._request(attempts, budget, state)):
                yield from _show_progress(attempts, progress)
                if all(attempt.has_ended for attempt in attempts):
                    return
            for index, attempt in enumerate(attempts):
                if not attempt.has_ended:
                    with attempt.ends_on_error():
                        attempt.finish(progress.of(index), self.cache.targets)
                    yield attempt
        finally:
            for attempt in attempts:
                attempt.close()

    def _request(self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None) -> RunRequest:
        spec, path = attempts[0].spec, budget.path
        backbone = self.cache.network(network_key(spec, path), partial(self._network, attempts[0], path))

        def on_plan(edge: int, chosen: MemoryPlan) -> None:
            budget.planned = chosen.bytes
            for attempt in attempts:
                way = {"size": edge, "way": str(chosen), "bytes": chosen.bytes}
                attempt.record["path"]["memory"].append(way)

        def on_capture(note: str) -> None:
            for attempt in attempts:
                attempt.record["path"]["graphs"].append(note)

        context = RenderContext(path, backbone, self.cache, lambda: budget.available, on_capture)
        batch = [attempt.inputs for attempt in attempts]
        scales = [
            Scale(iterations, partial(prepare_scale, batch, edge, context, partial(on_plan, edge)))
            for edge, iterations in spec.schedule
        ]
        rules = UpdateRules.of(spec)
        return RunRequest(scales, make_optimizer(spec), rules, state)

    def _network(self, attempt: Attempt, path: ComputePath) -> FeatureNetwork:
        calibration = attempt.inputs.sized(min(attempt.spec.sizes[-1], CALIBRATION_EDGE), path.device)
        images = [calibration.content, *(style.image for style in calibration.styles)]
        cache = self.services.settings.home.expanduser() / "cache"
        return build_network(attempt.spec, images, self.services.blobs, cache, path)


def _show_progress(attempts: Sequence[Attempt], progress: Progress) -> Iterator[Attempt]:
    """Show each attempt its part of a step; yield those that end by it."""
    running = [(index, attempt) for index, attempt in enumerate(attempts) if not attempt.has_ended]

    def show(numbered: tuple[int, Attempt]) -> None:
        index, attempt = numbered
        with attempt.ends_on_error():
            attempt.on_progress(progress.of(index))

    if len(running) > 1 and running[0][1].lease.interrupted.is_set():
        # Each is about to store its last checkpoint; one after the other, the last would come too late.
        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(show, running))
    else:
        for numbered in running:
            show(numbered)
    yield from (attempt for _, attempt in running if attempt.has_ended)


def _is_known(error: Exception) -> bool:
    return isinstance(error, FarmError) or is_out_of_memory(error)
