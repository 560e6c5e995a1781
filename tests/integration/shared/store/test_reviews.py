"""Ratings and votes in both databases: what is undone is as it was, to the last action."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from stylefarm.shared.db.records import JobSelector, StoredObject
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.queries.cells import CellReads
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queries.reviews import ReviewReads, StoredRating
from stylefarm.shared.spec.ratings import Rating
from stylefarm.shared.store import Store
from tests.integration.jobs import RESULT, claimed, new_job

# The examples of a test share a database: each has a user of its own.
USERS = itertools.count()
CHANGES = st.dictionaries(
    st.integers(0, 3),
    st.fixed_dictionaries(
        {}, optional={"stars": st.none() | st.integers(0, 5), "flag": st.none() | st.sampled_from(["pick", "reject"])}
    ),
    min_size=1,
)


@pytest.fixture
def jobs(store: Store) -> list[str]:
    """Four jobs of a sweep."""
    _, ids = store.submissions.create_sweep("s", {"seed": [0, 1, 2, 3]}, [new_job(seed=seed) for seed in range(4)])
    return ids


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(CHANGES, min_size=1, max_size=8))
def test_every_action_is_undone_and_redone(
    store: Store, engine: Engine, jobs: list[str], actions: list[dict[int, dict[str, object]]]
) -> None:
    """Given any actions, if all are undone and redone, I expect each state on the way again, backwards and forwards."""
    reads, user = ReviewReads(engine), f"user {next(USERS)}"
    states = [_rated(reads, user, jobs)]
    for action in actions:
        store.reviews.rate(user, {jobs[place]: change for place, change in action.items()})
        states.append(_rated(reads, user, jobs))
    for expected in states[-2::-1]:
        assert store.reviews.undo(user) is not None
        assert _rated(reads, user, jobs) == expected
    assert store.reviews.undo(user) is None
    for expected in states[1:]:
        assert store.reviews.redo(user) is not None
        assert _rated(reads, user, jobs) == expected
    assert store.reviews.redo(user) is None


def _rated(reads: ReviewReads, user: str, jobs: list[str]) -> dict[str, tuple[int | None, str | None]]:
    found = reads.ratings(user, jobs)
    return {job: (found[job].stars, found[job].flag) if job in found else (None, None) for job in jobs}


def test_ratings_are_their_users(store: Store, engine: Engine, jobs: list[str]) -> None:
    """Given two users, if one rates and the other undoes, I expect nothing of the first one's to change."""
    store.reviews.rate("ada", {jobs[0]: {"stars": 5}, jobs[1]: {"flag": "reject"}})
    store.reviews.rate("ada", {jobs[0]: {"flag": "pick"}})
    assert store.reviews.undo("bob") is None
    found = ReviewReads(engine).ratings("ada", jobs)
    assert found == {jobs[0]: StoredRating(jobs[0], 5, "pick"), jobs[1]: StoredRating(jobs[1], None, "reject")}
    assert ReviewReads(engine).ratings("bob", jobs) == {}


def test_what_is_done_after_an_undo_ends_the_redo(store: Store, jobs: list[str]) -> None:
    """Given an undone action, if another one follows, I expect nothing to be redone."""
    store.reviews.rate("ada", {jobs[0]: {"stars": 1}})
    store.reviews.undo("ada")
    store.reviews.rate("ada", {jobs[0]: {"stars": 2}})
    assert store.reviews.redo("ada") is None
    undone = store.reviews.undo("ada")
    assert undone is not None
    assert undone.ratings == {jobs[0]: Rating(None, None)}


@pytest.mark.parametrize("change", [{"stars": 6}, {"stars": -1}, {"flag": "maybe"}])
def test_wrong_ratings_change_nothing(store: Store, engine: Engine, jobs: list[str], change: dict[str, object]) -> None:
    """Given a wrong value, or a job that is not there, beside right ones, I expect an error, and nothing changed."""
    with pytest.raises(InvalidRequest):
        store.reviews.rate("ada", {jobs[0]: {"stars": 3}, jobs[1]: change})
    with pytest.raises(NotFound, match="there is no job"):
        store.reviews.rate("ada", {jobs[0]: {"stars": 3}, "nobody": {"stars": 3}})
    assert ReviewReads(engine).ratings("ada", jobs) == {}


def test_votes_are_cast_taken_back_and_cast_again(store: Store, engine: Engine, jobs: list[str]) -> None:
    """Given votes, if one is undone and redone, I expect it gone and there again; both must be of the sweep."""
    sweep = store.submissions.create_sweep("other", {}, [new_job(seed=9)])
    reads = ReviewReads(engine)
    mine = _sweep_of(engine, jobs[0])
    store.reviews.vote("ada", mine, jobs[0], jobs[1], "left")
    store.reviews.vote("bob", mine, jobs[2], jobs[1], "tie")
    store.reviews.undo("ada")
    assert [vote.user for vote in reads.votes(mine)] == ["bob"]
    store.reviews.redo("ada")
    assert sorted((vote.user, vote.outcome) for vote in reads.votes(mine)) == [("ada", "left"), ("bob", "tie")]
    with pytest.raises(NotFound, match="in sweep"):
        store.reviews.vote("ada", mine, jobs[0], sweep[1][0], "left")
    with pytest.raises(InvalidRequest, match="two pictures"):
        store.reviews.vote("ada", mine, jobs[0], jobs[0], "left")


def test_reviews_go_with_their_jobs(store: Store, engine: Engine, jobs: list[str]) -> None:
    """Given ratings, votes and views, if the sweep is deleted, I expect all gone, and an undo to change nothing."""
    sweep = _sweep_of(engine, jobs[0])
    store.reviews.rate("ada", {job: {"stars": 1} for job in jobs})
    store.reviews.vote("ada", sweep, jobs[0], jobs[1], "left")
    store.reviews.save_view("ada", sweep, "best", "stars=5")
    assert ReviewReads(engine).views("ada", sweep) == {"best": "stars=5"}
    store.deletions.delete(sweeps=[sweep])
    assert ReviewReads(engine).ratings("ada", jobs) == {}
    assert ReviewReads(engine).votes(sweep) == []
    for _ in range(2):
        undone = store.reviews.undo("ada")
        assert undone is not None
        assert undone.ratings == {}
    store.reviews.redo("ada")


def test_cells_tell_of_the_newest_picture(store: Store, engine: Engine, jobs: list[str]) -> None:
    """Given jobs with snapshots and a result, I expect the result of the done one, the newest snapshot of the other."""
    sweep, reads = _sweep_of(engine, jobs[0]), CellReads(engine)
    first, second = claimed(store, jobs[0]), claimed(store, jobs[1])
    for fence in (first, second):
        for step in (5, 10):
            store.attempts.add_snapshot(fence, step, _stored(f"{fence.job_id}-{step}", step))
    before = reads.cells(sweep)
    assert {job: picture.iteration for job, picture in before.pictures.items()} == {jobs[0]: 10, jobs[1]: 10}
    assert store.attempts.finish(first, _stored("result", 99), {}, {"ssim": 0.5})
    after = reads.cells(sweep, before.cursor)
    assert after.pictures[jobs[0]].sha256 == _stored("result", 99).sha256
    assert [cell.position for cell in reads.of_jobs(sweep, [jobs[2]]).cells] == [2]
    assert reads.has_picture(sweep, "a" * 64), "a content is a picture of the sweep"
    assert not reads.has_picture(sweep, "c" * 64)


def test_a_command_for_many_jobs_leaves_the_others(store: Store, engine: Engine, jobs: list[str]) -> None:
    """Given some of the jobs, if they are cancelled, I expect these cancelled and no other."""
    assert set(store.commands.cancel(JobSelector(jobs=jobs[1:3])).changed) == set(jobs[1:3])
    states = [str(cell.state) for cell in CellReads(engine).cells(_sweep_of(engine, jobs[0])).cells]
    assert states == ["queued", "cancelled", "cancelled", "queued"]


def _stored(name: str, number: int) -> StoredObject:
    return dataclasses.replace(RESULT, key=f"jobs/{name}.png", sha256=f"{number:064x}")


def _sweep_of(engine: Engine, job: str) -> str:
    sweep = Queries(engine).job(job).sweep_id
    assert sweep is not None
    return sweep
