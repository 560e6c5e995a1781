"""Attempts whose pictures are optimized: the network, the scales, and how each fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.engine_run import MemoryBudget, RunContext
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.methods.method import Method, Progress, RunRequest, Scale, UpdateRules
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.render.applied import apply_to, load_applier, load_model, model_hash
from stylefarm.worker.render.cache import CALIBRATION_EDGE, network_key
from stylefarm.worker.render.inputs import JobImages, ScaledImages
from stylefarm.worker.render.network import build_network
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, prepare_scale


@dataclass(frozen=True)
class IterativeRun:
    """The `EngineRun` of methods that optimize the pixels."""

    context: RunContext
    method: Method

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses that each Progress holds, the total first."""
        return self.method.terms

    def progress(
        self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None
    ) -> Iterator[Progress]:
        """Run the optimization; see `EngineRun.progress`."""
        return self.method.run(self._request(attempts, budget, state))

    def _request(self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None) -> RunRequest:
        spec, path, cache = attempts[0].picture.spec, budget.path, self.context.cache
        backbone = cache.network(network_key(spec, path), partial(self._network, attempts[0], path))

        def on_plan(edge: int, chosen: MemoryPlan) -> None:
            budget.planned = chosen.bytes
            for attempt in attempts:
                way = {"size": edge, "way": str(chosen), "bytes": chosen.bytes}
                attempt.record["path"]["memory"].append(way)

        def on_capture(note: str) -> None:
            for attempt in attempts:
                attempt.record["path"]["graphs"].append(note)

        start = self._start_by_model(spec, budget) if spec.init == "model" else None
        context = RenderContext(path, backbone, cache, lambda: budget.available, on_capture, start)
        batch = [attempt.picture.inputs for attempt in attempts]
        scales = [
            Scale(iterations, partial(prepare_scale, batch, edge, context, partial(on_plan, edge)))
            for edge, iterations in spec.schedule
        ]
        rules = UpdateRules.of(spec)
        return RunRequest(scales, make_optimizer(spec), rules, state)

    def _start_by_model(self, spec: JobSpec, budget: MemoryBudget) -> Callable[[JobImages, ScaledImages], Tensor]:
        """Return what renders the start of the first scale by the spec's model."""
        if spec.model is None:
            raise TypeError("init = model without a model is not valid")
        sha256 = model_hash(spec.model, self.context.services)
        model = load_model(sha256, self.context.services, self.context.folder)
        applier = self.context.cache.applier((sha256, str(budget.path)), lambda: load_applier(model, budget.path))

        def start(inputs: JobImages, sized: ScaledImages) -> Tensor:
            if max(sized.content.shape[2:]) != spec.sizes[0]:
                return sized.content  # Of later scales the size alone counts.
            return apply_to(applier, model.method, [inputs], [sized], budget.available).float().clamp(0, 1)

        return start

    def _network(self, attempt: Attempt, path: ComputePath) -> FeatureNetwork:
        spec = attempt.picture.spec
        calibration = attempt.picture.inputs.sized(min(spec.sizes[-1], CALIBRATION_EDGE), path.device)
        images = [calibration.content, *(style.image for style in calibration.styles)]
        return build_network(spec, images, self.context.services.blobs, self.context.folder, path)
