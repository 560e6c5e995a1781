"""What breaks the farm: one fault after the other, drawn from a seed."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable

import psutil

from shared.routes import Hint, queue_name
from shared.services import connect_services
from tests.faults.arena import LEASE_SECONDS, Arena
from tests.faults.proxy import Mode

# Longer than a lease, so that a worker that wakes again finds its job given away.
ASLEEP_SECONDS = LEASE_SECONDS + 2


class Nemesis:
    """Draws faults by `seed` until its time is over; `tally` says how often each came."""

    def __init__(self, arena: Arena, seed: int) -> None:
        self.arena = arena
        self.random = random.Random(seed)
        self.tally: Counter[str] = Counter()
        self.faults: dict[str, Callable[[], None]] = {
            "worker killed": self._kill_worker,
            "painter killed": self._kill_painter,
            "worker asleep": self._put_asleep,
            "Redis killed": self._kill_redis,
            "Redis emptied": self._empty_redis,
            "Redis in a black hole": lambda: self._disturb("redis", "hole", 6),
            "PostgreSQL restarted": self._restart_postgres,
            "PostgreSQL cut off": lambda: self._disturb("postgres", "cut", 1),
            "S3 cut off": lambda: self._disturb("swift", "cut", 2),
            "S3 slow": lambda: self._disturb("swift", "delay", 3),
            "every message twice": self._duplicate,
        }

    def rage(self, seconds: float) -> None:
        """Breaks something every second or so; afterwards all servers and workers are up again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            name = self.random.choice(list(self.faults))
            self.tally[name] += 1
            self.faults[name]()
            time.sleep(self.random.uniform(0.2, 1.5))
        self.calm()

    def calm(self) -> None:
        """Everything is up, and nothing disturbed."""
        for proxy in self.arena.proxies.values():
            proxy.mode = "pass"
        for worker in self.arena.workers:
            worker.start()

    def _kill_worker(self) -> None:
        worker = self.random.choice(self.arena.workers)
        worker.kill()
        worker.start()

    def _kill_painter(self) -> None:
        painters = self.random.choice(self.arena.workers).painters()
        if painters:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.random.choice(painters).kill()

    def _put_asleep(self) -> None:
        with self.random.choice(self.arena.workers).halted():
            time.sleep(ASLEEP_SECONDS)

    def _kill_redis(self) -> None:
        self.arena.redis.kill()
        time.sleep(self.random.uniform(0, 2))
        self.arena.redis.start()

    def _empty_redis(self) -> None:
        services = connect_services(self.arena.direct)
        services.hints.client.flushall()

    def _restart_postgres(self) -> None:
        self.arena.postgres.restart()

    def _disturb(self, name: str, mode: Mode, seconds: float) -> None:
        proxy = self.arena.proxies[name]
        proxy.mode = mode
        time.sleep(seconds)
        proxy.mode = "pass"

    def _duplicate(self) -> None:
        services = connect_services(self.arena.direct)
        queue = queue_name("auto", "")
        services.hints.publish([Hint(job_id, queue, 5) for job_id in self.arena.acknowledged])
