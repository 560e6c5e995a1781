"""Slots that take no hints though hints wait for them: their processes are replaced.

Such a process is there, and reports nothing wrong: its loop hangs, or has lost its place in Redis.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from stylefarm.shared.dispatch.workers import NewWorker, WorkerRegistry
from stylefarm.shared.queue.hints import Hints
from stylefarm.worker.host.pulse import read_pulse
from stylefarm.worker.host.supervisor import Supervisor

# Longer than a slot takes to start, or to replace its rendering process, on a busy machine.
STALLED_SECONDS = 120.0


class HintWatch:
    """Looks after the slots of one supervisor, by their names on this machine; each has a file of its pulse."""

    def __init__(
        self,
        hints: Hints,
        workers: WorkerRegistry,
        slots: Mapping[str, NewWorker],
        pulses: Mapping[str, Path],
        supervisor: Supervisor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hints = hints
        self.workers = workers
        self.slots = slots
        self.pulses = pulses
        self.supervisor = supervisor
        self._clock = clock
        self._seen: dict[str, tuple[object, float]] = {}

    def look(self) -> None:
        """Have those processes replaced that have asked for no hint for long. Raises ServiceUnavailable."""
        now, tick = self._clock(), self.supervisor.tick
        still = {}
        for slot in self.slots:
            sign = (read_pulse(self.pulses[slot]).polled, tick.starts.get(slot), tick.standings.get(slot))
            last, since = self._seen.get(slot, (None, now))
            if sign == last:
                still[slot] = since
            self._seen[slot] = (sign, now)
        for slot, waiting in self._neglected(still).items():
            # The time counts from the first look at which it neglected them.
            self._seen[slot] = (self._seen[slot][0], still[slot])
            if now - still[slot] > STALLED_SECONDS:
                self.supervisor.replace(slot, f"took no hint for {now - still[slot]:.0f} s, though {waiting:,} wait")

    def _neglected(self, slots: Iterable[str]) -> dict[str, int]:
        """Return those of the slots that have no job though hints wait for them, and how many."""
        waiting = {slot: sum(map(self.hints.count, self.slots[slot].queues)) for slot in slots}
        if not any(waiting.values()):
            return {}
        busy = {entry.worker.name for entry in self.workers.listed() if entry.job_ids}
        return {slot: count for slot, count in waiting.items() if count and self.slots[slot].name not in busy}
