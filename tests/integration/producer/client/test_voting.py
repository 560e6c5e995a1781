"""A search that people's votes steer: it waits for them, goes on where it was, and finds what they prefer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylefarm import Farm, State, Sweep
from stylefarm.producer.client import voting
from stylefarm.producer.client.proposals import propose
from stylefarm.producer.client.search import best, search, tried_cells
from stylefarm.producer.grids import Grid, parse_grid
from stylefarm.producer.views.preference import next_pair
from stylefarm.shared.settings import Settings

SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1"], "size": 16, "snapshot_every": 0, "iterations": 1}
# The style weight that the voter likes; how far another one is from it is a matter of their ratio.
LIKED = 0.05
TRIALS = 24
VOTES_PER_PAUSE = 3


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(Settings(home=tmp_path / "home", threads=1)) as farm:
        yield farm


@pytest.fixture
def grid(pictures: Path) -> Grid:
    """A search of style weights by votes, four at a time."""
    return parse_grid(
        {
            "base": {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), **SHALLOW},
            "matrix": {"style_weight": {"loguniform": [0.01, 10_000]}},
            "search": {"metric": "preference", "trials": TRIALS, "batch": 4, "votes": 4, "seed": 1},
        }
    )


def distance(weight: float) -> float:
    """How far a style weight is from the one that is liked."""
    return abs(math.log(weight / LIKED))


class Voter:
    """Somebody who votes for the better one of any two pictures that are shown, and skips the first pair.

    They vote while the search pauses, so that what it knows when it goes on does not depend on how fast either is.
    """

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.pauses = 0

    def sleep(self, _seconds: float) -> None:
        self.pauses += 1
        (sweep,) = self.farm.sweeps()
        services = self.farm.services
        done = {job.id: job.cell for job in services.queries.sweep_jobs(sweep.id) if job.state == State.DONE}
        for _ in range(VOTES_PER_PAUSE):
            votes = [(vote.left, vote.right, vote.outcome) for vote in services.review_reads.votes(sweep.id)]
            pair = next_pair([list(done)], votes)
            assert pair is not None
            left, right = (distance(done[job]["style_weight"]) for job in pair)
            outcome = "skip" if not votes else "left" if left < right else "right"
            self.farm.store.reviews.vote("ada", sweep.id, *pair, outcome)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voting, "VOTE_POLL_SECONDS", 0.05)


def test_votes_steer_a_search_to_what_is_preferred(farm: Farm, grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a voter who likes one style weight, if a search by votes is interrupted while it waits for the first, and
    run again, I expect the same cells, then others that come closer, and one of the closest to be the best."""
    assert grid.search is not None

    def stop(_sweep: str, missing: int) -> None:
        assert missing == 4
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(farm, grid, on_votes=stop)
    (started,) = farm.sweeps()
    first = [status.id for status in started.statuses()]
    waited: list[tuple[str, int]] = []
    voter = Voter(farm)
    monkeypatch.setattr(voting, "time", voter)
    found = search(farm, grid, on_votes=lambda sweep, missing: waited.append((sweep, missing)))
    tried = tried_cells(found, grid.search)
    assert (found.id, [status.id for status in tried][:4], len(tried)) == (started.id, first, TRIALS)
    assert {sweep for sweep, _ in waited} == {started.id}
    assert voter.pauses > len(waited), "it waits until there are votes enough"
    distances = [distance(status.cell["style_weight"]) for status in tried]
    chosen = distance(best(tried, grid.search).cell["style_weight"])
    assert chosen in sorted(distances)[: TRIALS // 4]
    # The first ones are drawn at random. Without votes, or against them, the others would lie farther away.
    assert sum(distances[12:]) < 0.8 * sum(distances[:12])
    assert tried[0].metrics["preference"] != 0


def test_a_search_in_two_programs_tries_each_cell_once(farm: Farm, grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a search that runs in two programs, if both propose cells at once, I expect those of one of them."""
    assert grid.search is not None
    alone = replace(grid, search=replace(grid.search, metric="loss", trials=8, votes=None))
    others: list[Sweep] = []

    def propose_late(*arguments: Any) -> list[dict[str, Any]]:
        monkeypatch.setattr("stylefarm.producer.client.search.propose", propose)
        others.append(search(farm, alone))
        return propose(*arguments)

    monkeypatch.setattr("stylefarm.producer.client.search.propose", propose_late)
    found = search(farm, alone)
    assert [other.id for other in others] == [found.id]
    assert len(found) == 8
    assert len({status.id for status in found.statuses()}) == 8


def test_what_is_deleted_while_votes_are_waited_for_lacks_none(farm: Farm, grid: Grid) -> None:
    """Given a search that waits for votes, if all pictures but one are deleted, I expect it to wait no more."""

    def stop(_sweep: str, _missing: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(farm, grid, on_votes=stop)
    (started,) = farm.sweeps()
    told: list[int] = []

    def delete(missing: int) -> None:
        told.append(missing)
        farm.delete(started.jobs()[1:])

    voting.wait_for_votes(farm, started.id, 2, delete)
    assert told == [4]
