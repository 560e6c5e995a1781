"""People's votes in the place of a metric: what they say of the cells of a search, and waiting for more of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from stylefarm.producer.client.session import Session
from stylefarm.producer.grids.search import PREFERENCE
from stylefarm.producer.views.preference import SCORES, by_content, strengths
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State

VOTE_POLL_SECONDS = 0.5


def with_preference(farm: Session, sweep_id: str, statuses: Sequence[Status]) -> list[Status]:
    """Return jobs of a sweep with what all votes say of them as one more metric, `preference`, of those that are done.

    Args:
        farm: where they are.
        sweep_id: the sweep in which the votes were cast.
        statuses: its jobs.

    Example:
        for status in with_preference(farm, sweep.id, sweep.statuses()):
            print(status.cell, status.metrics.get("preference"))
    """
    done = dict.fromkeys(status.id for status in statuses if status.state is State.DONE)
    found = strengths(list(done), _votes(farm, sweep_id))
    return [
        replace(status, metrics={**status.metrics, PREFERENCE: found[status.id].value}) if status.id in done else status
        for status in statuses
    ]


def wait_for_votes(farm: Session, sweep_id: str, votes: int, on_missing: Callable[[int], None]) -> None:
    """Wait until each picture of a sweep that can be compared was in so many votes; skipped pairs count for nothing.

    Args:
        farm: where it is.
        sweep_id: the sweep.
        votes: how many.
        on_missing: called once with the number of pictures that lack votes, if there are any.

    Raises:
        NotFound: the sweep was deleted.

    Example:
        wait_for_votes(farm, sweep.id, 3, lambda missing: print(missing, "pictures wait for votes"))
    """
    told = False
    while missing := _missing(farm, sweep_id, votes):
        if not told:
            on_missing(missing)
            told = True
        time.sleep(VOTE_POLL_SECONDS)


def _missing(farm: Session, sweep_id: str, votes: int) -> int:
    """Return how many pictures were in fewer votes. What was deleted meanwhile, or is rendered again, lacks none."""
    farm.services.queries.sweep(sweep_id)
    cells = [cell for cell in farm.services.cell_reads.cells(sweep_id).cells if cell.state is State.DONE]
    pictures: Mapping[str, Mapping[str, object]] = {cell.job: cell.cell for cell in cells}
    number = Counter(picture for vote in _votes(farm, sweep_id) if vote[2] in SCORES for picture in vote[:2])
    groups = (group for group in by_content(pictures.items()) if len(group) > 1)
    return sum(number[picture] < votes for group in groups for picture in group)


def _votes(farm: Session, sweep_id: str) -> list[tuple[str, str, str]]:
    return [(vote.left, vote.right, vote.outcome) for vote in farm.services.review_reads.votes(sweep_id)]
