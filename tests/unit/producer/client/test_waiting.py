"""How long a program rests between two polls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from stylefarm.producer.backends.protocol import Backend
from stylefarm.producer.client.waiting import POLL_SECONDS, POLL_SHARE, Waiting
from stylefarm.producer.views.status import Status


class SlowFarm:
    """A farm whose maintenance, and whose answers, take so many seconds by a clock of its own."""

    renders = False

    def __init__(self, maintenance: float, answers: float) -> None:
        self.maintenance = maintenance
        self.answers = answers
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait_tasks(self, ids: Sequence[str]) -> SlowFarm:
        return self

    def before_poll(self) -> None:
        self.now += self.maintenance

    def after_poll(self, statuses: Sequence[Status]) -> None:
        pass

    def progress(self, ids: Sequence[str]) -> list[Status]:
        self.now += self.answers
        return []


@pytest.mark.parametrize(
    ("maintenance", "answers", "pause"),
    [(0.0, 0.0, POLL_SECONDS), (10.0, 0.0, POLL_SECONDS), (10.0, 1.0, 1.0 / POLL_SHARE)],
)
def test_the_pause_is_as_long_as_answers_take(
    maintenance: float, answers: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given slow answers, I expect longer pauses; if only what is done for the farm meanwhile is slow, I do not."""
    farm = SlowFarm(maintenance, answers)
    monkeypatch.setattr("stylefarm.producer.client.waiting.time", farm)
    waiting = Waiting(cast("Backend", farm), [], None)
    waiting.poll_once()
    assert waiting.pause() == pytest.approx(pause)
