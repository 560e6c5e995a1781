"""What the curves of several jobs are called."""

from __future__ import annotations

from stylefarm.producer.reports.overview import curve_labels
from tests.unit.statuses import status


def test_curves_are_named_by_what_varies() -> None:
    """Given a sweep over a weight, I expect labels of the weight alone; of jobs alike, the pair and a number."""
    jobs = [
        status(content="a.png", style="s.png", cell={"content": "x/a.png", "style_weight": weight})
        for weight in (1.0, 10.0)
    ]
    assert curve_labels(jobs) == ["style_weight 1", "style_weight 10"]
    assert curve_labels([jobs[0]] * 3) == ["a x s", "a x s (2)", "a x s (3)"]
