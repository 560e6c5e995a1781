"""What the jobs of a sweep are called beside each other."""

from __future__ import annotations

from stylefarm.producer.reports.overview import curve_labels
from stylefarm.producer.views.selection import title_of
from tests.unit.statuses import status


def test_jobs_that_differ_in_a_weight_are_named_by_it() -> None:
    """Given a sweep over a picture and a weight, I expect each label to tell the weight, and the picture once."""
    jobs = [
        status(content="a.png", style="s.png", cell={"content": "x/a.png", "style_weight": weight})
        for weight in (1.0, 10.0)
    ]
    assert curve_labels(jobs) == ["a x s, style_weight = 1.0", "a x s, style_weight = 10.0"]


def test_jobs_of_one_name_are_numbered() -> None:
    """Given pictures of one name in several folders, one of them with a number already, I expect every label once."""
    jobs = [status(content="a.png", style=style, cell={"content": "x/a.png"}) for style in ("s", "s", "s (2)", "s")]
    assert curve_labels(jobs) == ["a x s", "a x s (2)", "a x s (2) (2)", "a x s (3)"]


def test_of_each_of_several_styles_the_suffix_is_left_out() -> None:
    """Given a mixture of two styles, and a job without a style, I expect their names alone."""
    jobs = [status(content="a.png", style="s.png + t.jpg"), status(content="a.png", style="")]
    assert curve_labels(jobs) == ["a x s + t", "a"]
    assert [title_of(job) for job in jobs] == ["a × s + t", "a"]
