"""Jobs and sweeps by what a user calls them: the beginning of an id, @last, the name of a sweep."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine

from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queries.lists import JobFilter, Listing
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


def test_the_newest_are_counted_as_in_lists(engine: Engine, store: Store, queries: Queries) -> None:
    """Given sweeps and jobs, I expect @last and @last~N to be those of that place in lists, and no more than these."""
    for kind, noun in ((JobRow, "job"), (SweepRow, "sweep")):
        with pytest.raises(NotFound, match=f"@last: there is no {noun}"):
            queries.full_id(kind, "@last")
    with pytest.raises(NotFound, match="@last: there is no sweep"):
        queries.full_id(queries.kind_of("@last"), "@last")
    for count in (1, 2, 3):
        store.submissions.create_sweep("cats", {}, [new_job() for _ in range(count)])
        time.sleep(0.01)  # SQLite's clock has milliseconds
    listing = Listing(engine)
    jobs, sweeps = listing.jobs(JobFilter(), None), listing.sweeps(10)
    for place, job in enumerate(jobs):
        assert queries.full_id(JobRow, f"@last~{place}") == job.id
    assert [queries.full_id(SweepRow, f"@last~{place}") for place in range(3)] == [each.sweep.id for each in sweeps]
    assert queries.full_id(SweepRow, " @last ") == sweeps[0].sweep.id
    assert queries.kind_of("@last") is SweepRow
    store.submissions.create([new_job()])
    assert queries.kind_of("@last") is JobRow
    with pytest.raises(NotFound, match="@last~7: there are only 7 jobs"):
        queries.full_id(JobRow, "@last~7")
    for unknown in ("@last~", "@last~-1", "@first", "@last~99999999999"):
        with pytest.raises(NotFound, match="no sweep is called"):
            queries.full_id(SweepRow, unknown)


def test_sweeps_go_by_their_names(store: Store, queries: Queries) -> None:
    """Given names, I expect each sweep by its own, in one sentence the ids of those that share one, and no job."""
    one, (job_id,) = store.submissions.create_sweep("cats and dogs", {}, [new_job()])
    twice = [store.submissions.create_sweep("cats", {}, [])[0] for _ in range(2)]
    begins_alike, _ = store.submissions.create_sweep(one[:8], {}, [])
    assert queries.full_id(SweepRow, "cats and dogs") == one
    assert queries.kind_of("cats and dogs") is SweepRow
    assert queries.kind_of(job_id[:8]) is JobRow
    with pytest.raises(InvalidRequest) as ambiguous:
        queries.full_id(SweepRow, "cats")
    assert all(sweep_id in str(ambiguous.value) for sweep_id in twice)
    # A name that another's id begins with.
    with pytest.raises(InvalidRequest, match=f"may be any of {one}, {begins_alike}: give the id of one of them"):
        queries.full_id(SweepRow, one[:8])
    assert queries.full_id(SweepRow, one) == one
    with pytest.raises(NotFound, match="cats is a sweep, not a job: ask `stylefarm sweep` for it"):
        queries.full_id(JobRow, "cats")
    for unknown in ("dogs", "%", ""):
        with pytest.raises(NotFound, match="no job and no sweep is called"):
            queries.kind_of(unknown)
