"""What is kept of a curve that leaves the numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import cast

import pytest
import torch

from stylefarm.shared.db.records import Fence, Heartbeat, LossPoint
from stylefarm.shared.errors import Diverged
from stylefarm.shared.store import Store
from stylefarm.worker.attempt.sinks import Background, LossSink
from stylefarm.worker.engine.methods.iterative import Progress

NAN = float("nan")


class Recorder:
    """Stands where the store does."""

    def __init__(self) -> None:
        self.points: list[LossPoint] = []
        self.attempts = self

    def record_losses(self, fence: Fence, points: Sequence[LossPoint]) -> Heartbeat:
        self.points += points
        return Heartbeat(ours=True)


def rendered(contents: Sequence[float], pixel: float) -> tuple[list[int], str]:
    """The iterations that are stored of a curve, whose last picture has that value, and what ends the job."""
    recorder = Recorder()
    with contextlib.closing(Background()) as background:
        sink = LossSink(cast(Store, recorder), Fence("job", 1), background, ("total", "content", "style", "tv"))
        for iteration, content in enumerate(contents):
            losses = torch.tensor([[content + 1.0, content, 1.0, 0.0]])
            sink.on_progress(Progress(iteration, len(contents), torch.full((1, 3, 4, 4), pixel), losses))
        with pytest.raises(Diverged) as raised:
            sink.close()
        background.finish()
    return [point.iteration for point in recorder.points], str(raised.value)


def test_nothing_is_kept_after_the_first_number_that_is_none() -> None:
    """given losses of which one is infinite and later ones are not; I expect those before it, and its iteration."""
    stored, said = rendered([3.0, 2.0, float("inf"), 4.0], 0.5)
    assert stored == [0, 1]
    assert said.startswith("the content loss left the finite numbers at iteration 2: try ")


def test_a_picture_that_no_loss_sees_ends_the_job() -> None:
    """given finite losses; if the picture holds what is not a number; I expect the job ended, not a black picture."""
    stored, said = rendered([3.0, 2.0], NAN)
    assert stored == [0, 1]
    assert said.startswith("the picture left the finite numbers at iteration 1 or before: try ")
