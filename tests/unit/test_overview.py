"""What the jobs of a sweep are called beside each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from producer.overview import curve_labels
from producer.status import Status
from shared.states import State


def status(content: str, style: str, cell: dict[str, Any]) -> Status:
    return Status(
        id="",
        sweep=None,
        state=State.DONE,
        content=content,
        style=style,
        cell=cell,
        priority=5,
        device="auto",
        label="",
        attempt=1,
        iteration=1,
        iterations=1,
        loss=None,
        error=None,
        error_class=None,
        notes=(),
        spec={},
        worker=None,
        result_key=None,
        result_sha256=None,
        result_bytes=None,
        metrics={},
        created_at=datetime.now(UTC),
        started_at=None,
        finished_at=None,
    )


def test_jobs_that_differ_in_a_weight_are_named_by_it() -> None:
    """Given a sweep over a picture and a weight, I expect each label to tell the weight, and the picture once."""
    jobs = [status("a.png", "s.png", {"content": "x/a.png", "style_weight": weight}) for weight in (1.0, 10.0)]
    assert curve_labels(jobs) == ["a x s, style_weight = 1.0", "a x s, style_weight = 10.0"]


def test_jobs_of_one_name_are_numbered() -> None:
    """Given pictures of one name in several folders, one of them with a number already, I expect every label once."""
    jobs = [status("a.png", style, {"content": "x/a.png"}) for style in ("s", "s", "s (2)", "s")]
    assert curve_labels(jobs) == ["a x s", "a x s (2)", "a x s (2) (2)", "a x s (3)"]
