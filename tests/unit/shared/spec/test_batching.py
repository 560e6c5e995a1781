"""Which jobs may be rendered together."""

from __future__ import annotations

from typing import Any

import pytest

from stylefarm.shared.spec.batching import batch_key
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.spec.terms import Terms

SIZE = (640, 480)
PRETRAINED = "sha256:" + "c" * 64


def spec(**changes: Any) -> JobSpec:
    base = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)
    return base.model_copy(update=changes)


def key(size: tuple[int, int] = SIZE, terms: Terms | None = None, /, **changes: Any) -> str | None:
    return batch_key(spec(**changes), size, terms or Terms())


@pytest.mark.parametrize(
    "changes",
    [{"seed": 5}, {"style_weight": 7.0}, {"content_weight": 0.0}, {"format": "jpeg", "quality": 80}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_each_picture_has_of_its_own_does_not_part_jobs(changes: dict[str, Any]) -> None:
    """Given two jobs, if they differ in their seed, in a weight or in how they are saved, I expect one key."""
    assert key() is not None
    assert key(**changes) == key()


OTHERWISE: dict[str, Any] = {
    "content": "sha256:" + "d" * 64,
    "style": ("sha256:" + "e" * 64,),
    "size": 96,
    "iterations": 7,
    "min_size": 32,
    "tv_weight": 0.5,
    "style_layers": ("relu1_1",),
    "style_loss": {"gram": 1.0},
    "optimizer": "adam",
    "learning_rate": 0.5,
    "clamp": True,
    "average": 0.9,
    "precision": "fp32",
    "features_seed": 3,
    "color": "match",
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_everything_else_parts_them(name: str) -> None:
    """Given two jobs with random features, if they differ in anything else, I expect two keys."""
    assert key(**{name: OTHERWISE[name]}) not in {None, key()}


def test_pictures_part_only_networks_that_are_calibrated_on_them() -> None:
    """Given two jobs of other pictures, if their features are pretrained, I expect one key; if random, two."""
    other: dict[str, Any] = {"content": "sha256:" + "d" * 64, "style": ("sha256:" + "e" * 64,)}
    assert key(**other) != key()
    assert key(weights=PRETRAINED, **other) == key(weights=PRETRAINED)
    assert key(weights=PRETRAINED, rescale_filters=True, **other) != key(weights=PRETRAINED, rescale_filters=True)


def test_the_shape_of_the_result_counts_and_not_that_of_the_content() -> None:
    """Given contents of one aspect, I expect one key; of another aspect, two."""
    assert key((1280, 960)) == key()
    assert key((480, 640)) != key()


def test_who_may_not_wait_and_who_may_stop_before_goes_alone() -> None:
    """Given a job with a time limit, or one that stops by itself, I expect no key; on other devices, another one."""
    assert key(SIZE, Terms(time_limit=5.0)) is None
    assert key(stop_change=0.001) is None
    assert key(stop_loss_change=0.001) is None
    assert len({key(), key(SIZE, Terms(device="gpu")), key(SIZE, Terms(label="night"))}) == 3
