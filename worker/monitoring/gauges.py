"""What is read when Prometheus asks: from the farm, the GPUs, the slots, and the slots' counters."""

from __future__ import annotations

import math
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from stylefarm import shared
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import FarmError
from stylefarm.shared.queries.jobs import QueueTotal
from stylefarm.shared.queue.routes import queue_name
from stylefarm.shared.services import Services
from stylefarm.worker.host.nvml import Memory, read_memory
from stylefarm.worker.host.pulse import read_pulse
from stylefarm.worker.host.supervisor import STANDINGS, Supervisor

Answer = TypeVar("Answer")

log = structlog.get_logger("stylefarm.worker")

# Answers of services are kept for this long, however many clients ask.
FRESH_SECONDS = 5.0
# Prometheus gives up after 10 s by default, and would then get no metrics at all.
PATIENCE_SECONDS = 3.0


class BackgroundQuery(Generic[Answer]):
    """A query to a service, run on a thread of its own, so that one that hangs does not block the others."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._asking = threading.Lock()
        self._thread: threading.Thread | None = None
        self._answer: Answer | None = None
        self._answered_at = -math.inf

    def ask(self, asked_at: float) -> None:
        """Start the query, unless it is running, or the last answer is fresh at that time (of time.monotonic)."""
        with self._asking:
            if self._is_fresh(asked_at) or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._work, name="metrics", daemon=True)
            self._thread.start()

    def answer(self, asked_at: float) -> Answer | None:
        """Return the answer to the query of that time; None if the service is unavailable, or answers too late."""
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, asked_at + PATIENCE_SECONDS - time.monotonic()))
        return self._answer if self._is_fresh(asked_at) else None

    def _is_fresh(self, asked_at: float) -> bool:
        return asked_at - self._answered_at < FRESH_SECONDS

    def _work(self) -> None:
        try:
            self._answer = self._ask()
        except FarmError as error:
            self._answer = None
            log.warning("left out of the metrics", reason=str(error))
        self._answered_at = time.monotonic()


class FarmCollector(Collector):
    """The jobs of the whole farm, and which services answer; `queues` are those of this worker."""

    def __init__(self, services: Services, queues: Iterable[str]) -> None:
        assert services.announcer is not None, "where there is a broker, there is one"
        self.queues = sorted(set(queues))
        self.hints = services.announcer.hints
        self._database = BackgroundQuery(services.queries.totals)
        self._redis = BackgroundQuery(lambda: {queue: self.hints.count(queue) for queue in self.queues})
        self._objects = BackgroundQuery(lambda: services.blobs.exists("inputs/none"))

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        asked_at = time.monotonic()
        for ask in (self._database.ask, self._redis.ask, self._objects.ask):
            ask(asked_at)
        totals, hints = self._database.answer(asked_at), self._redis.answer(asked_at)
        answers = {"database": totals, "redis": hints, "objects": self._objects.answer(asked_at)}
        up = GaugeMetricFamily("stylefarm_service_up", "Whether a service answers this worker.", labels=["service"])
        for service, answer in answers.items():
            up.add_metric([service], float(answer is not None))
        yield up
        if totals is not None:
            yield from self._jobs(totals)
        if hints is not None:
            yield _gauge("stylefarm_hints", "Hints that stand in Redis, by queue.", "queue", hints)

    def _jobs(self, totals: Iterable[QueueTotal]) -> Iterator[Metric]:
        # With zeros: to Prometheus, a series that ends looks like one that is unknown.
        states = dict.fromkeys(map(str, State), 0)
        depths = dict.fromkeys(self.queues, 0)
        for total in totals:
            states[total.state] += total.jobs
            if total.state is State.QUEUED:
                queue = queue_name(total.device, total.label)
                depths[queue] = depths.get(queue, 0) + total.jobs
        yield _gauge("stylefarm_jobs", "Jobs of the farm, by state.", "state", states)
        yield _gauge("stylefarm_queue_depth", "Jobs that can be claimed, by queue.", "queue", depths)


class GpuCollector(Collector):
    """The memory of the GPUs that the slots see; `slots` has the UUID of each slot's."""

    def __init__(self, slots: Mapping[str, str]) -> None:
        self.slots = slots
        self._memory: BackgroundQuery[Mapping[str, Memory]] = BackgroundQuery(lambda: read_memory(set(slots.values())))

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        asked_at = time.monotonic()
        self._memory.ask(asked_at)
        memory = self._memory.answer(asked_at) or {}
        labels = ["slot", "gpu"]
        used = GaugeMetricFamily("stylefarm_gpu_memory_used_bytes", "Memory in use on a slot's GPU.", labels=labels)
        total = GaugeMetricFamily("stylefarm_gpu_memory_total_bytes", "Memory of a slot's GPU.", labels=labels)
        for slot, gpu in self.slots.items():
            if gpu in memory:
                used.add_metric([slot, gpu], memory[gpu].used)
                total.add_metric([slot, gpu], memory[gpu].total)
        yield used
        yield total


class SlotCollector(Collector):
    """The states of the slots, how often the process of each was started, and the messages that it dropped."""

    def __init__(self, supervisor: Supervisor, names: Mapping[str, str], pulses: Mapping[str, Path]) -> None:
        self.supervisor = supervisor
        self.names = names
        self.pulses = pulses

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield InfoMetricFamily("stylefarm_build", "The release.", value={"version": shared.__version__})
        tick = self.supervisor.tick
        counts = dict.fromkeys(STANDINGS, 0)
        for standing in tick.standings.values():
            counts[standing] += 1
        yield _gauge("stylefarm_slots", "Slots of this worker, by how they stand.", "state", counts)
        starts = CounterMetricFamily("stylefarm_slot_starts", "Times a slot's process was started.", labels=["slot"])
        for slot, count in tick.starts.items():
            starts.add_metric([self.names[slot]], count)
        yield starts
        trouble = GaugeMetricFamily(
            "stylefarm_slot_in_trouble", "Whether a slot's process does not live.", labels=["slot"]
        )
        for slot in tick.standings:
            trouble.add_metric([self.names[slot]], float(slot in tick.troubles))
        yield trouble
        dropped = CounterMetricFamily("stylefarm_dropped_messages", "Messages that were no hints.", labels=["slot"])
        for slot, path in self.pulses.items():
            dropped.add_metric([self.names[slot]], read_pulse(path).dropped)
        yield dropped


class CountCollector(Collector):
    """The counters of the slots, each in a folder of its own; `folders` are by the slots' names."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = folders

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        families: dict[str, Metric] = {}
        for slot, folder in self.folders.items():
            for family in _counted(folder):
                whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                whole.samples += [sample._replace(labels={"slot": slot, **sample.labels}) for sample in family.samples]
        return families.values()


def registry_of(collectors: Iterable[Collector]) -> CollectorRegistry:
    """Return a registry of these collectors alone."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return registry


def _counted(folder: Path) -> Iterable[Metric]:
    try:
        # The function has no type annotations.
        return list(MultiProcessCollector(None, str(folder)).collect())  # type: ignore[no-untyped-call]
    except struct.error:
        return []  # a file that its process is about to begin: there is nothing in it yet


def _gauge(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(name, documentation, labels=[label])
    for value, number in values.items():
        gauge.add_metric([value], number)
    return gauge
