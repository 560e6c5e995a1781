"""Those who hold many jobs at once, on PostgreSQL: whoever comes second waits, and nobody waits for ever."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, text

from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.records import JobSelector
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from tests.integration.jobs import claimed, new_job
from tests.integration.shared.store.test_submissions import submitted
from tests.servers.processes import wait_until

# Enough that the order in which they were written is hardly that of their ids.
MANY = 60


@pytest.fixture
def engine(postgres_url: str) -> Engine:
    return connect(postgres_url)


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine)


def held_up(engine: Engine, job_id: str, *works: Callable[[], object]) -> list[Any]:
    """What the works give that are begun one after the other while somebody holds a job, which is let go then."""
    done: list[Future[Any]] = []
    with ThreadPoolExecutor(len(works)) as pool, engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM jobs WHERE id = :id FOR NO KEY UPDATE"), {"id": job_id})
        for work in works:
            done.append(pool.submit(work))
            _until_at_rest(engine, done)
        holder.rollback()
        return [future.result() for future in done]


def _until_at_rest(engine: Engine, works: Sequence[Future[Any]]) -> None:
    """Wait until each of them has ended, or waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )

    def at_rest() -> bool:
        with engine.connect() as connection:
            return int(connection.execute(waiting).scalar_one()) >= sum(not work.done() for work in works)

    wait_until(at_rest, 60)


def second_of(ids: Sequence[str]) -> str:
    return sorted(ids)[1]


def test_a_sweep_is_paused_while_another_comes_to_share_it(engine: Engine, store: Store) -> None:
    """Given a sweep, if it is paused while its pictures are asked for under another name, I expect both."""
    first = submitted(store, *range(MANY))

    def paused() -> int:
        return len(store.commands.pause(JobSelector(sweep=first.sweep_id)))

    count, other = held_up(engine, second_of(first.ids), paused, lambda: submitted(store, *range(MANY), name="other"))
    assert count == MANY
    assert other.ids == list(first.ids)


def test_a_cancelled_sweep_is_tried_again_while_it_is_submitted_again(engine: Engine, store: Store) -> None:
    """Given a cancelled sweep, if it is tried again and submitted again at once, I expect each of its jobs queued."""
    first = submitted(store, *range(MANY))
    store.commands.cancel(JobSelector(sweep=first.sweep_id))
    sweep = JobSelector(sweep=first.sweep_id)
    held_up(engine, second_of(first.ids), lambda: store.commands.retry(sweep), lambda: submitted(store, *range(MANY)))
    assert Queries(engine).counts(first.sweep_id) == {State.QUEUED: MANY}


def test_a_sweep_is_cancelled_while_its_painter_is_reclaimed(engine: Engine, store: Store) -> None:
    """Given a batch of a sweep whose process died, if the sweep is cancelled at that moment, I expect it cancelled."""
    jobs = [dataclasses.replace(new_job(seed=number), batch_key="a") for number in range(MANY)]
    sweep_id, ids = store.submissions.create_sweep("", {}, jobs)
    assert len(store.attempts.claim_batch(ids[0], "w:family:1", most=MANY)) == MANY
    held_up(
        engine,
        second_of(ids),
        lambda: store.commands.cancel(JobSelector(sweep=sweep_id)),
        lambda: store.maintenance.reclaim_dead(":family:"),
    )
    assert Queries(engine).counts(sweep_id) == {State.CANCELLED: MANY}


def test_a_job_and_the_one_before_it_are_cancelled_at_once(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one job after two others, of which one waits for the other, if both are cancelled at once, I expect that.

    Also if the younger a job is, the sooner its id comes.
    """
    ids = (uuid.UUID(int=number) for number in range(9, 0, -1))
    monkeypatch.setattr("stylefarm.shared.store.insertion.uuid.uuid4", lambda: next(ids))

    def after(*parents: str) -> str:
        return store.submissions.create([dataclasses.replace(new_job(), terms=Terms(after=parents))])[0]

    first = after()
    middle = after(first)
    last, besides = after(first, middle), after(middle)
    cancels = [
        partial(store.commands.cancel, JobSelector(job=middle)),
        partial(store.commands.cancel, JobSelector(job=first)),
    ]
    held_up(engine, besides, *cancels)
    states = [job.state for job in Queries(engine).jobs([first, middle, last, besides])]
    assert states == [State.CANCELLED, State.CANCELLED, State.FAILED, State.FAILED]


def test_a_job_stops_while_its_sweep_is_asked_for_again(engine: Engine, store: Store) -> None:
    """Given a job that is to be cancelled, if it stops while its sweep is submitted again, I expect it queued."""
    first = submitted(store, 1)
    fence = claimed(store, first.ids[0])
    store.commands.cancel(JobSelector(sweep=first.sweep_id))
    held_up(engine, first.ids[0], lambda: store.attempts.confirm_cancel(fence, {}), lambda: submitted(store, 1))
    assert Queries(engine).counts(first.sweep_id) == {State.QUEUED: 1}
