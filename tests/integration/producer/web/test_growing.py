"""A sweep that grows while it is looked at, as that of a search does: between any two looks a cell may come to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from fastapi.testclient import TestClient

from stylefarm import Farm, Sweep
from stylefarm.shared.db.records import Fence, LossPoint
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queries.sweeps import SweepReads
from tests.integration.jobs import new_job

Grow = Callable[[], None]


@pytest.fixture
def grow(farm: Farm, sweep: Sweep) -> Grow:
    """Appends a cell with a new value of an axis, whose job runs."""
    weights = count(1000)
    axes: dict[str, list[Any]] = {axis: [*values] for axis, values in sweep.axes.items()}

    def append() -> None:
        weight = next(weights)
        axes["style_weight"].append(weight)
        cell = {"content": axes["content"][0], "style": axes["style"][0], "style_weight": weight}
        job = replace(new_job(style_weight=float(weight)), cell=cell)
        (job_id,) = farm.store.submissions.extend_sweep(sweep.id, axes, [job]).ids
        assert farm.store.attempts.claim(job_id, "w") is not None
        farm.store.attempts.record_losses(Fence(job_id, 1), [LossPoint(0, (1.0, 0.5, 0.3, 0.2))])

    return append


def after(monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str, grow: Grow) -> None:
    """Have the sweep grow just after this read."""
    read = getattr(kind, name)

    def reads(*arguments: Any) -> Any:
        found = read(*arguments)
        grow()
        return found

    monkeypatch.setattr(kind, name, reads)


@pytest.mark.parametrize("what", ["zip", "sheet", "sweep"])
def test_it_is_exported(
    client: TestClient, sweep: Sweep, grow: Grow, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Given a sweep to which a cell comes while it is exported, I expect the selected cells all the same."""
    after(monkeypatch, Queries, "sweep_jobs", grow)
    answered = client.post(f"/api/v1/sweeps/{sweep.id}/exports", json={"what": what, "positions": [0, 1, 2]})
    assert answered.status_code == 200
    assert "made_up-3" in answered.headers["content-disposition"]


def test_each_cell_has_its_place_on_the_axes(
    client: TestClient, sweep: Sweep, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a cell with a new value of an axis that comes meanwhile, I expect no document with the one alone."""
    after(monkeypatch, Queries, "sweep", grow)
    path = f"/api/v1/sweeps/{sweep.id}/cells"
    whole = client.get(path).json()
    changed = client.get(path, params={"changed_since": whole["cursor"]}).json()
    for cells in (whole["cells"], changed["cells"]):
        assert None not in cells["at"][2]


def test_its_curves_are_read(farm: Farm, sweep: Sweep, grow: Grow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a job with losses that comes while curves are read, I expect those of the others."""
    curves = dict(farm.backend.sweep_losses(sweep.id))
    after(monkeypatch, SweepReads, "loss_terms", grow)
    assert dict(farm.backend.sweep_losses(sweep.id)).keys() == curves.keys()
