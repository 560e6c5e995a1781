"""Tags and notes on both databases: written by several at once, and found in lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from stylefarm.shared.errors import NotFound
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queries.lists import JobFilter, Listing
from stylefarm.shared.spec.marks import Marks
from stylefarm.shared.store import Store
from tests.integration.jobs import claimed, new_job
from tests.integration.shared.store.test_submissions import submitted


def test_tags_of_several_come_together(store: Store, queries: Queries) -> None:
    """Given a job and a sweep, if many tag them at once, I expect all tags, and a note until it is removed."""
    sweep_id, (job_id,) = store.submissions.create_sweep("", {}, [new_job()])
    for change, row_id in ((store.marks.of_job, job_id), (store.marks.of_sweep, sweep_id)):
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(change, [row_id] * 6, "fedcba"))
        assert change(row_id, note="mine") == Marks(tuple("abcdef"), "mine")
        assert change(row_id, ["a", "b"], remove=["b", "z"]) == Marks(tuple("acdef"), "mine")
        assert change(row_id, note="") == Marks(tuple("acdef"), None)
        with pytest.raises(NotFound, match=r"there is no (job|sweep) nowhere"):
            change("nowhere", ["a"])
    job, sweep = queries.job(job_id), queries.sweep(sweep_id)
    assert (job.tags, job.note, sweep.tags, sweep.note) == (list("acdef"), None, list("acdef"), None)
    fence = claimed(store, job_id)
    assert store.marks.of_job(job_id, note="it runs").note == "it runs"
    assert store.attempts.renew(fence)


def test_lists_are_filtered_by_tags(engine: Engine, store: Store) -> None:
    """Given tags that begin or end alike, I expect whole tags found alone, and a sweep's for its shared jobs."""
    older = submitted(store, 1, 2, name="older")
    newer = submitted(store, 2, 3, name="newer")
    store.marks.of_sweep(newer.sweep_id, ["cats"])
    store.marks.of_sweep(older.sweep_id, ["cats/large", "my_cats"])
    store.marks.of_job(older.ids[0], ["cat", "100.0"])
    listing = Listing(engine)

    def jobs(*tags: str) -> set[str]:
        return {job.id for job in listing.jobs(JobFilter(tags=tags), None)}

    assert jobs("cats") == set(newer.ids)
    assert jobs("cat") == {older.ids[0]}
    assert jobs("my_cats") == set(older.ids)
    assert jobs("my.cats") == jobs("100_0") == jobs("large") == set()
    assert jobs("cats", "my_cats") == {older.ids[1]}
    found = listing.jobs(JobFilter(sweep=newer.sweep_id, tags=["my_cats"]), 5)
    assert [(job.id, job.cell["seed"]) for job in found] == [(older.ids[1], 2)]
    assert [each.sweep.name for each in listing.sweeps(5, ["cats"])] == ["newer"]
