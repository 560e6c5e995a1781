"""One process for each slot: started, restarted when it dies, and stopped when the worker is stopped."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

import structlog

from stylefarm.shared.db.states import WorkerState
from stylefarm.worker.host import shutdown
from stylefarm.worker.host.pin import Slot

log = structlog.get_logger("stylefarm.worker")

POLL_SECONDS = 0.05
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 60.0
# A process that has run for so long started well: its death does not count as a failed start.
WELL_SECONDS = 60.0

# SIGHUP comes when the terminal is closed; with nohup, the worker is to go on.
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# A supervisor checks its slots twenty times a second; one that has not for so long hangs.
SILENT_SECONDS = 10.0

# One that is failing has a process, but the last ones did not live long.
RUNNING, RESTARTING, FAILING = "running", "restarting", "failing"
STANDINGS = (RUNNING, RESTARTING, FAILING, str(WorkerState.DRAINING), str(WorkerState.BENCHED))

Command = Callable[[Slot], Sequence[str]]


def next_delay(last: float, ran: float) -> float:
    """Return how long to wait before restarting a process that died after `ran` seconds; `last` is the delay before."""
    if ran >= WELL_SECONDS:
        return FIRST_DELAY_SECONDS
    return min(max(2 * last, FIRST_DELAY_SECONDS), LONGEST_DELAY_SECONDS)


def _words(code: int) -> str:
    """Return how a process ended, by its exit code."""
    if code >= 0:
        return f"code {code}"
    return next((number.name for number in signal.Signals if number == -code), f"signal {-code}")


class SlotProcess:
    """The process of one slot, and when it is to be restarted."""

    def __init__(self, slot: Slot, command: Sequence[str]) -> None:
        self.slot = slot
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._due_at = 0.0
        self._delay = 0.0
        self._resting = False
        self._end = ""
        self.starts = 0

    @property
    def standing(self) -> str:
        """Whether there is a process, and how it is."""
        if not self.is_running:
            return RESTARTING
        return FAILING if self.trouble else RUNNING

    @property
    def trouble(self) -> str | None:
        """What is wrong: how the last process ended, until the present one has run well; None if nothing is."""
        if not self._end or (self.is_running and time.monotonic() - self._started_at >= WELL_SECONDS):
            return None
        return f"its process {self._end}; it has been started {self.starts} times"

    @property
    def is_running(self) -> bool:
        """Whether there is a process now."""
        return self._process is not None and self._process.poll() is None

    def ensure_running(self) -> None:
        """Start the process when that is due, and make it due some time after its death."""
        if self.is_running:
            return
        now = time.monotonic()
        if self._resting:
            self._process, self._resting = None, False
        elif self._process is not None:
            self._postpone(
                now, f"ended with {_words(self._process.returncode)}", well=now - self._started_at >= WELL_SECONDS
            )
            self._process = None
        elif now >= self._due_at:
            self._start(now)

    def drain(self) -> None:
        """Let the process finish its job and end, once; it is not restarted until `ensure_running` is called."""
        if self.is_running and not self._resting:
            self._resting = True
            self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone; it tells its own children."""
        if self._process is not None:
            self._process.send_signal(number)

    def call(self) -> None:
        """Request that the process, and those below it, release their jobs."""
        if self._process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):
                shutdown.request_release(self._process.pid)

    def kill(self) -> None:
        """Kill the process together with its children, and return when it has ended."""
        if self._process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def replace(self, reason: str) -> None:
        """Kill the process, which `ensure_running` starts again."""
        if self.is_running:
            self.kill()
            self._process = None
            self._postpone(time.monotonic(), reason)

    def _start(self, now: float) -> None:
        self._started_at = now
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command,
                env={**os.environ, **self.slot.environment},
                stdin=subprocess.DEVNULL,
                # A terminal sends Ctrl-C to the whole process group; the children get one signal, from here.
                process_group=0,
                # The log goes to standard error; to standard output, Celery only prints that it is being stopped.
                stdout=subprocess.DEVNULL,
            )
            self.starts += 1
        except OSError as error:  # no memory or no room for another process, which may pass
            self._postpone(now, f"could not be started: {error.strerror}")

    def _postpone(self, now: float, what: str, *, well: bool = False) -> None:
        # One death after a good run is no sign that the next process fares ill.
        self._end = "" if well else what
        self._delay = next_delay(self._delay, now - self._started_at)
        self._due_at = now + self._delay
        log.error("worker process to be started again", slot=self.slot.name, reason=what, in_seconds=self._delay)


@dataclass(frozen=True)
class SlotState:
    """The states of the slots at the last check, and how often the process of each has been started."""

    at: float = -math.inf
    standings: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with those that fare ill."""


class Supervisor:
    """Runs one process for each slot until it gets a signal to stop. Use it in the main thread.

    The first SIGTERM, SIGINT or SIGHUP is passed on as SIGTERM. Shortly before `grace` seconds are over, running jobs
    store checkpoints and are released; what has not ended then is killed. The second signal kills at once.
    """

    def __init__(self, slots: Sequence[Slot], command: Command, *, grace: float) -> None:
        self._children = [SlotProcess(slot, command(slot)) for slot in slots]
        self._grace = grace
        self._asked = 0
        self.resting: Mapping[str, WorkerState] = {}
        """The slots that are to take no jobs for now, each with the reason; set by another thread."""
        self.inherited: Mapping[str, str] = {}
        """What was wrong with the slots of the worker before this one; told until this one has run well."""
        self._began_at = time.monotonic()
        self.tick = SlotState()
        """For other threads to read."""
        self._to_replace: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def run(self) -> bool:
        """Run until all processes have ended; return whether they ended by themselves, without being killed."""
        with self._heeding_signals():
            log.info("starting", slots=[child.slot.name for child in self._children])
            try:
                while not self._asked:
                    self._replace_some()
                    for child in self._children:
                        if child.slot.name in self.resting:
                            child.drain()
                        else:
                            child.ensure_running()
                    self._rest_a_little()
                return self._drain()
            finally:
                for child in self._children:
                    child.kill()

    def _drain(self) -> bool:
        running = [child for child in self._children if child.is_running]
        log.info("stopping: jobs at hand are finished first", processes=len(running), grace_seconds=self._grace)
        for child in running:
            child.send(signal.SIGTERM)
        began_at, called = time.monotonic(), False
        while any(child.is_running for child in running):
            passed = time.monotonic() - began_at
            if not called and passed > shutdown.release_time(self._grace):
                called = True
                for child in running:
                    child.call()
            if self._asked > 1 or passed > self._grace:
                log.warning("stopped before the jobs at hand were finished")
                return False
            self._rest_a_little()
        return True

    def replace(self, slot: str, reason: str) -> None:
        """Have the process of a slot killed and started again; for other threads to call."""
        self._to_replace.put((slot, reason))

    def _replace_some(self) -> None:
        while not self._to_replace.empty():
            slot, reason = self._to_replace.get()
            for child in self._children:
                if child.slot.name == slot:
                    child.replace(reason)

    def health(self) -> str | None:
        """Return a sentence if the supervisor hangs, or no active slot has a process that lives; else None."""
        tick = self.tick
        if time.monotonic() - tick.at > SILENT_SECONDS:
            return "the supervisor does not look after its slots"
        standings = set(tick.standings.values())
        if RUNNING not in standings and standings & {RESTARTING, FAILING}:
            return "no slot has a process that renders: the log says why they end"
        return None

    def _rest_a_little(self) -> None:
        standings = {child.slot.name: self._standing(child) for child in self._children}
        starts = {child.slot.name: child.starts for child in self._children}
        inherited = self.inherited if time.monotonic() - self._began_at < WELL_SECONDS else {}
        troubles = {
            child.slot.name: child.trouble or inherited.get(child.slot.name)
            for child in self._children
            if child.slot.name not in self.resting
        }
        told = {name: trouble for name, trouble in troubles.items() if trouble}
        self.tick = SlotState(time.monotonic(), standings, starts, told)
        time.sleep(POLL_SECONDS)

    def _standing(self, child: SlotProcess) -> str:
        return str(self.resting.get(child.slot.name) or child.standing)

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._ask) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1
