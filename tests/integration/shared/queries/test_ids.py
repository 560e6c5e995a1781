"""Jobs and sweeps by the beginning of their ids."""

from __future__ import annotations

import pytest

from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.store import Store
from tests.integration.jobs import new_job


def test_ids_may_be_shortened(store: Store, queries: Queries) -> None:
    """Given a job and a sweep, I expect a unique beginning of an id to find each, and nothing else to find anything."""
    sweep_id, (job_id,) = store.submissions.create_sweep("", {}, [new_job()])
    assert queries.full_id(JobRow, job_id[:8]) == job_id
    assert queries.full_id(SweepRow, sweep_id[:8].upper()) == sweep_id
    for unknown in ("zzzz", "", "abc", "%", sweep_id + "0"):
        with pytest.raises(NotFound):
            queries.full_id(JobRow, unknown)


def test_an_id_of_the_other_kind_is_recognized(store: Store, queries: Queries) -> None:
    """Given a sweep and its job, if one is asked for by the other's id, I expect to be told what that id is of."""
    sweep_id, (job_id,) = store.submissions.create_sweep("", {}, [new_job()])
    with pytest.raises(NotFound, match=f"{sweep_id} is a sweep, not a job: ask `stylefarm sweep` for it"):
        queries.full_id(JobRow, sweep_id)
    with pytest.raises(NotFound, match=f"{job_id[:8]} is a job, not a sweep: ask `stylefarm job` for it"):
        queries.full_id(SweepRow, job_id[:8])


def test_an_ambiguous_id_is_refused(store: Store, queries: Queries) -> None:
    """Given so many jobs that two ids must start alike, if such a beginning is given, I expect to be asked for more."""
    ids = store.submissions.create([new_job() for _ in range(2000)])
    starts = [job_id[:4] for job_id in ids]
    twice = next(start for start in starts if starts.count(start) > 1)
    with pytest.raises(InvalidRequest, match="give more digits"):
        queries.full_id(JobRow, twice)
