"""The farm for programs on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED
from pathlib import Path

import pytest

from examples.embedded import embedded_settings
from stylefarm import AsyncFarm, Farm, InvalidRequest, JobFailed, NotFound, State, StillPending
from stylefarm.shared.settings import Settings
from tests.made_up import made_up

SMALL = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1"], "size": 32, "style_loss": "gram", "iterations": 2}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return embedded_settings(tmp_path / "made-up")


@pytest.fixture
def farm(settings: Settings) -> Iterator[Farm]:
    """Another door into the same farm."""
    with Farm(settings) as farm:
        yield farm


def test_jobs_are_rendered_while_the_loop_goes_on(settings: Settings, pictures: Path) -> None:
    """Given a sweep, if its jobs are awaited as they end, I expect their pictures, and the loop to turn meanwhile."""
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    async def program() -> None:
        ticking = asyncio.create_task(tick())
        pair = {"content": [str(pictures / "a.png")], "style": [str(pictures / "s.png")]}
        async with AsyncFarm(settings) as farm:
            sweep = await farm.sweep(matrix={**pair, "seed": [1, 2]}, base={**SMALL, "init": "noise"})
            came = [job.id async for job in sweep.as_completed(timeout=120)]
            jobs = await sweep.jobs()
            assert sorted(came) == sorted(job.id for job in jobs)
            results = await asyncio.gather(*(job.result() for job in jobs), sweep.results())
            assert results[0].image.size == (32, 24)
            assert [results[0].data, results[1].data] == [result.data for result in results[2]]
            again = await farm.submit(content=pair["content"][0], style=pair["style"][0], init="noise", seed=1, **SMALL)
            after = await farm.submit(
                content=pair["content"][0], style=pair["style"][0], init="noise", seed=3, after=[again], **SMALL
            )
            assert (again.id, again.created) == (jobs[0].id, False)
            assert [job.id async for job in farm.as_completed([after, again], 120)] == [again.id, after.id]
            assert (await sweep.best()).id in came
        ticking.cancel()

    asyncio.run(program())
    assert turns > 10


def test_who_stops_waiting_stops_nothing(settings: Settings, farm: Farm) -> None:
    """Given a job that does not end, if a coroutine that waits for it is cancelled, I expect the job untouched.

    And the program to end at once: no thread waits on.
    """
    (job,) = made_up(farm, {"content": ["cat.png"]}, outcome=lambda _: State.PAUSED)

    async def program() -> None:
        async with AsyncFarm(settings) as asked:
            found = await asked.find_job(job.id)
            waiting = asyncio.create_task(found.result())
            await asyncio.sleep(0.4)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            with pytest.raises(StillPending):
                await found.wait(timeout=0.1)
            with pytest.raises(StillPending):
                await asked.wait([found], 0.1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(found.exception(), 0.3)

    asyncio.run(program())
    assert job.status().state is State.PAUSED


def test_errors_and_pictures_come_through(settings: Settings, farm: Farm) -> None:
    """Given ended jobs, I expect what blocks elsewhere awaited: errors, snapshots, the first to end, properties."""
    states = {"cat.png": State.DONE, "dog.png": State.FAILED, "hen.png": State.PAUSED}
    made = made_up(farm, {"content": list(states)}, outcome=lambda cell: states[cell["content"]], snapshots=1)

    async def program() -> None:
        async with AsyncFarm(settings) as asked:
            sweep = await asked.find_sweep(made.id)
            assert sweep.axes == made.axes
            now = await sweep.wait(timeout=30, return_when=FIRST_COMPLETED)
            assert [status.state for status in now] == list(states.values())
            done, failed, _ = await sweep.jobs()
            assert await done.exception() is None
            with pytest.raises(JobFailed, match="cannot be decoded"):
                await failed.result()
            (snapshot,) = await done.snapshots()
            assert (await snapshot.image).size == (48, 36)
            assert snapshot.iteration == 10
            with pytest.raises(NotFound):
                await asked.find_job("0000")

    asyncio.run(program())
    with pytest.raises(InvalidRequest, match="`async with`"):
        AsyncFarm(settings).submit  # noqa: B018 - that it is asked for is enough
