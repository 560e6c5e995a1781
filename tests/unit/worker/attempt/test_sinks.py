"""What is kept of a curve that leaves the numbers, and what is told of work in the background that fails."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any, cast

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


def test_work_that_fails_while_it_is_looked_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """given work in the background; if it fails just after it was looked at; I expect its error raised all the same."""
    begun, really_done = threading.Event(), Future.done

    def fail() -> None:
        begun.wait()
        raise OSError("the database is gone")

    def done(future: Future[Any]) -> bool:
        seen = really_done(future)
        begun.set()
        wait([future])
        return seen

    with contextlib.closing(Background()) as background:
        background.submit(fail)
        monkeypatch.setattr(Future, "done", done)
        with pytest.raises(OSError, match="gone"):
            background.submit(lambda: None)
            background.finish()
