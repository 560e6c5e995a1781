"""Lists of jobs and sweeps on both databases, with jobs that several sweeps share."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update

from stylefarm.shared.db.records import Fence, NewJob, Submission
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.queries.lists import JobFilter, Listing
from stylefarm.shared.queries.pages import parse_place, place_of
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.store import Store
from tests.integration.jobs import RESULT

SPEC = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)


@pytest.fixture
def listing(engine: Engine) -> Listing:
    return Listing(engine)


def submitted(store: Store, name: str, *seeds: int) -> Submission:
    cells = [(SPEC.model_copy(update={"seed": seed}), {"seed": seed}) for seed in seeds]
    jobs = [NewJob(spec, "a.png", "s.png", cell=cell) for spec, cell in cells]
    return store.submissions.submit_sweep(name, {"seed": list(seeds)}, jobs)


def ended(store: Store, job_id: str, *, well: bool) -> None:
    job = store.attempts.claim(job_id, "w")
    assert job is not None
    fence = Fence(job_id, job.attempt)
    if well:
        store.attempts.finish(fence, RESULT, {})
    else:
        store.attempts.fail(fence, InvalidImage("no"), {})


def test_what_sweeps_share_counts_in_each(store: Store, listing: Listing) -> None:
    """Given a sweep that shares jobs of an older one, I expect these in its counts, failures, pace and list."""
    older = submitted(store, "older", 1, 2)
    time.sleep(0.01)  # SQLite's clock has milliseconds
    newer = submitted(store, "newer", 3, 1, 2)
    ended(store, older.ids[0], well=True)
    ended(store, newer.ids[0], well=False)
    time.sleep(0.01)
    ended(store, older.ids[1], well=False)
    listed = listing.sweeps(5)
    assert [each.sweep.name for each in listed] == ["newer", "older"]
    assert [each.counts for each in listed] == [{State.DONE: 1, State.FAILED: 2}, {State.DONE: 1, State.FAILED: 1}]
    assert [job.id for job in listing.failures(newer.sweep_id, 5)] == [older.ids[1], newer.ids[0]]
    assert [job.cell["seed"] for job in listing.failures(newer.sweep_id, 1)] == [2]
    for sweep in (older, newer):
        assert listing.throughput(sweep.sweep_id) > 0
    found = list(listing.jobs(JobFilter(sweep=newer.sweep_id), None))
    assert [(job.position, job.cell["seed"]) for job in found] == [(0, 3), (1, 1), (2, 2)]
    assert [job.position for job in listing.jobs(JobFilter(sweep=newer.sweep_id), 2)] == [0, 1]


def test_what_was_done_before_a_sweep_says_nothing_of_its_pace(store: Store, listing: Listing) -> None:
    """Given a done job, if a sweep that shares it is submitted later, I expect no pace before a job of its own is."""
    older = submitted(store, "older", 1)
    ended(store, older.ids[0], well=True)
    time.sleep(0.01)  # SQLite's clock has milliseconds
    newer = submitted(store, "newer", 1, 2)
    assert (listing.throughput(older.sweep_id) > 0, listing.throughput(newer.sweep_id)) == (True, 0.0)
    ended(store, newer.ids[1], well=True)
    assert listing.throughput(newer.sweep_id) > 0


def test_a_sweep_at_rest_has_no_pace(store: Store, listing: Listing) -> None:
    """Given queued jobs alone, I expect a pace of nothing, no failure, and no sweep more than asked for."""
    queued = submitted(store, "queued", 1)
    submitted(store, "other", 2)
    assert (listing.throughput(queued.sweep_id), listing.failures(queued.sweep_id, 5)) == (0.0, [])
    assert len(listing.sweeps(1)) == 1


def test_pages_go_on_in_the_order_of_the_list(store: Store, listing: Listing, engine: Engine) -> None:
    """Given jobs alone and of sweeps, many of one moment, I expect pages that join to the list, each entry once."""
    older = submitted(store, "older", 1, 2, 3)
    alone = [NewJob(SPEC.model_copy(update={"seed": seed}), "a.png", "s.png") for seed in (7, 8, 9)]
    store.submissions.create(alone)
    newer = submitted(store, "newer", 4, 1, 5, 3)
    moment = listing.jobs(JobFilter(), 1)[0].created_at
    with engine.begin() as connection:
        for table in (JobRow, SweepRow):
            connection.execute(update(table).values(created_at=moment))
    store.submissions.create([NewJob(SPEC.model_copy(update={"seed": 10}), "a.png", "s.png")])
    for wanted in (JobFilter(), JobFilter(sweep=newer.sweep_id), JobFilter(states=[State.QUEUED])):
        whole = listing.jobs(wanted, None)
        pages: list[JobRow] = []
        while found := listing.jobs(replace(wanted, after=parse_place(place_of(pages[-1])) if pages else None), 2):
            pages += found
        assert [(job.id, job.position) for job in pages] == [(job.id, job.position) for job in whole]
    first = listing.sweeps(1)[0].sweep
    (second,) = listing.sweeps(5, after=parse_place(place_of(first)))
    assert {first.id, second.sweep.id} == {older.sweep_id, newer.sweep_id}
    assert listing.sweeps(5, after=parse_place(place_of(second.sweep))) == []


def test_jobs_are_found_by_state_time_and_what_fits(store: Store, listing: Listing) -> None:
    """Given jobs, I expect each condition to count, and the limit of those that fit."""
    sweep = submitted(store, "", *range(10))
    ended(store, sweep.ids[4], well=True)
    assert [job.id for job in listing.jobs(JobFilter(states=(State.DONE,)), 5)] == [sweep.ids[4]]
    even = JobFilter(predicate=lambda job: job.spec["seed"] % 2 == 0)
    assert [job.cell["seed"] for job in listing.jobs(even, 3)] == [0, 2, 4]
    assert [job.cell["seed"] for job in listing.jobs(JobFilter(), 3)] == [0, 1, 2]
    assert len(list(listing.jobs(JobFilter(), None))) == 10
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    assert len(list(listing.jobs(JobFilter(since=now - hour, until=now + hour), None))) == 10
    assert list(listing.jobs(JobFilter(since=now + hour), None)) == []
    assert list(listing.jobs(JobFilter(until=now - hour), None)) == []
