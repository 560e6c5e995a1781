"""The farm for programs on asyncio: the same methods, awaited.

async with AsyncFarm() as farm:
    sweep = await farm.sweep("cats.yaml")
    async for job in sweep.as_completed():
        (await job.result()).save(f"{job.id}.png")
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import ALL_COMPLETED
from contextlib import aclosing
from functools import partial
from typing import Any, Self

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.client.items import distinct
from stylefarm.producer.client.jobs import Job
from stylefarm.producer.client.results import Snapshot
from stylefarm.producer.client.sweeps import Sweep
from stylefarm.producer.client.waiting import is_over, newly_ended
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.settings import Settings

# These block until jobs have ended; here the event loop waits instead of a thread.
WAITING = ("wait", "result", "exception", "results")


class AsyncProxy:
    """A Farm, Job, Sweep or Snapshot whose methods are awaited: each runs in a thread, so that the event loop goes on.

    Plain attributes (`job.id`, `sweep.axes`) are as they are; properties are awaited too (`await snapshot.image`);
    `as_completed` is for `async for`, and what is a generator elsewhere (`sweep.results`) comes as a list. Jobs, sweeps
    and snapshots in what comes back are wrapped likewise. When a coroutine that waits is cancelled, the waiting ends at
    once, and the jobs go on.

    Args:
        wrapped: what is called.

    Example:
        async with AsyncFarm() as farm:
            job = await farm.find_job("9a41c07d")  # an AsyncProxy of a Job
            print(job.id, (await job.status()).state)
    """

    def __init__(self, wrapped: Farm | Job | Sweep | Snapshot) -> None:
        self.wrapped = wrapped

    def __repr__(self) -> str:
        return f"AsyncProxy({self.wrapped!r})"

    def __getattr__(self, name: str) -> Any:
        if name == "wrapped":
            raise InvalidRequest("an AsyncFarm is to be used in an `async with` statement")
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        if isinstance(getattr(type(self.wrapped), name, None), property):
            return asyncio.to_thread(getattr, self.wrapped, name)
        value = getattr(self.wrapped, name)
        if name == "as_completed":
            return self._as_completed
        if not callable(value):
            return value
        return partial(self._wait, value) if name in WAITING else partial(_in_thread, value)

    async def _wait(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a method that waits when it need not wait any more."""
        over = options.get("return_when", ALL_COMPLETED)
        jobs, timeout = await self._waited_for(*arguments, **options)
        async with aclosing(_poll(jobs, timeout)) as seen:
            async for now in seen:
                if is_over(now, over):
                    break
        return await _in_thread(method, *arguments, **options)

    async def _as_completed(self, *arguments: Any, **options: Any) -> AsyncGenerator[AsyncProxy]:
        jobs, timeout = await self._waited_for(*arguments, **options)
        asked = distinct(jobs)
        reported: set[int] = set()
        async with aclosing(_poll(asked, timeout)) as seen:
            async for now in seen:
                for place in newly_ended(now, reported):
                    yield AsyncProxy(asked[place])

    async def _waited_for(self, *arguments: Any, **options: Any) -> tuple[list[Job], float | None]:
        """Return the jobs that are waited for and the seconds at most, from the arguments of a method that waits."""
        names = ("jobs", "timeout") if isinstance(self.wrapped, Farm) else ("timeout",)
        named = {**dict(zip(names, arguments, strict=False)), **options}
        if isinstance(self.wrapped, Sweep):
            jobs = await asyncio.to_thread(self.wrapped.jobs)
        else:
            jobs = [self.wrapped] if isinstance(self.wrapped, Job) else _plain(list(named["jobs"]))
        return jobs, named.get("timeout")


class AsyncFarm(AsyncProxy):
    """A Farm whose methods are awaited; use it in an `async with` statement.

    Args:
        settings: as for Farm.
        token: as for Farm.

    Example:
        async with AsyncFarm() as farm:
            job = await farm.submit(content="cat.jpg", style="waves.jpg")
            (await job.result()).save("cat-waves.png")
    """

    def __init__(self, settings: Settings | str | None = None, *, token: str | None = None) -> None:
        self._settings = settings
        self._token = token

    async def __aenter__(self) -> Self:
        self.wrapped = await asyncio.to_thread(Farm, self._settings, token=self._token)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


async def _poll(jobs: Sequence[Job], timeout: float | None) -> AsyncGenerator[list[Status]]:
    """Yield the statuses of each poll; after the last of them all jobs have ended."""
    if not jobs:
        return
    waiting = jobs[0].farm.waiting(jobs, timeout)
    try:
        while True:
            yield await asyncio.to_thread(waiting.poll_once)
            if not waiting.pending:
                return
            await asyncio.sleep(waiting.pause())
    finally:
        await asyncio.to_thread(waiting.close)


async def _in_thread(method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    def call() -> Any:
        value = method(*_plain(arguments), **_plain(options))
        return list(value) if isinstance(value, Generator) else value

    return _wrapped(await asyncio.to_thread(call))


def _wrapped(value: Any) -> Any:
    if isinstance(value, list):
        return [_wrapped(entry) for entry in value]
    return AsyncProxy(value) if isinstance(value, Job | Sweep | Snapshot) else value


def _plain(value: Any) -> Any:
    """Return a value with what is wrapped in the place of wrappers, also within lists and mappings."""
    if isinstance(value, AsyncProxy):
        return value.wrapped
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
