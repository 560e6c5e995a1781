"""Attempts whose pictures a trained model renders, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.engine_run import MemoryBudget, RunContext
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.render.applied import apply_to, learned_pictures, load_applier, load_model, model_hash


@dataclass(frozen=True)
class AppliedRun:
    """The `EngineRun` of methods that apply a trained model: one step, without losses."""

    context: RunContext

    @property
    def terms(self) -> tuple[str, ...]:
        """No losses: nothing is optimized."""
        return ()

    def progress(
        self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None
    ) -> Iterator[Progress]:
        """Render all pictures at once; see `EngineRun.progress`.

        Raises:
            InvalidSpec: the model is not one of the spec's method.
            InvalidRequest: the model renders numbers that are not finite.
        """
        spec, services, path = attempts[0].picture.spec, self.context.services, budget.path
        if spec.model is None or not isinstance(spec.size, int):
            raise TypeError("a model, and the size, are resolved when a job is submitted")
        # Asked for once: a training that is tried again has another model then.
        sha256 = model_hash(spec.model, services)
        model = load_model(sha256, services, self.context.folder)
        if model.method != spec.method:
            raise InvalidSpec(f"the model is one of {model.method}, not of {spec.method}: name another model")
        applier = self.context.cache.applier((sha256, str(path)), lambda: load_applier(model, path))
        batch = [attempt.picture.inputs for attempt in attempts]
        sized = [inputs.sized(spec.size, path.device) for inputs in batch]
        _, _, height, width = sized[0].content.shape
        planned = min(applier.bytes(height, width, len(batch)), budget.available)
        for attempt in attempts:
            attempt.picture.learned = learned_pictures(model, attempt.picture.spec)
            attempt.record["path"]["memory"].append({"size": spec.size, "way": "model", "bytes": planned})
        image = apply_to(applier, model.method, batch, sized, budget.available).float()
        if not image.isfinite().all():
            raise InvalidRequest("the model rendered numbers that are not finite: it is damaged, or was badly trained")
        yield Progress(1, 1, image, image.new_zeros((len(batch), 0)))
