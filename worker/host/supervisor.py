"""One process for each slot: started, restarted when it dies, and stopped when the worker is stopped."""

from __future__ import annotations

import contextlib
import math
import os
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

STOPPING = (signal.SIGTERM, signal.SIGINT)

# A supervisor checks its slots twenty times a second; one that has not for so long hangs.
SILENT_SECONDS = 10.0

RUNNING, RESTARTING = "running", "restarting"
STANDINGS = (RUNNING, RESTARTING, str(WorkerState.DRAINING), str(WorkerState.BENCHED))

Command = Callable[[Slot], Sequence[str]]


def next_delay(last: float, ran: float) -> float:
    """Return how long to wait before restarting a process that died after `ran` seconds; `last` is the delay before."""
    if ran >= WELL_SECONDS:
        return FIRST_DELAY_SECONDS
    return min(max(2 * last, FIRST_DELAY_SECONDS), LONGEST_DELAY_SECONDS)


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
        self.starts = 0

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
            self._postpone(now, f"ended with code {self._process.returncode}")
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

    def _postpone(self, now: float, what: str) -> None:
        self._delay = next_delay(self._delay, now - self._started_at)
        self._due_at = now + self._delay
        log.error("worker process to be started again", slot=self.slot.name, reason=what, in_seconds=self._delay)


@dataclass(frozen=True)
class SlotState:
    """The states of the slots at the last check, and how often the process of each has been started."""

    at: float = -math.inf
    standings: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)


class Supervisor:
    """Runs one process for each slot until it gets a signal to stop. Use it in the main thread.

    The first SIGTERM or SIGINT is passed on as SIGTERM. Shortly before `grace` seconds are over, running jobs store
    checkpoints and are released; what has not ended then is killed. The second signal kills at once.
    """

    def __init__(self, slots: Sequence[Slot], command: Command, *, grace: float) -> None:
        self._children = [SlotProcess(slot, command(slot)) for slot in slots]
        self._grace = grace
        self._asked = 0
        self.resting: Mapping[str, WorkerState] = {}
        """The slots that are to take no jobs for now, each with the reason; set by another thread."""
        self.tick = SlotState()
        """For other threads to read."""

    def run(self) -> bool:
        """Run until all processes have ended; return whether they ended by themselves, without being killed."""
        with self._heeding_signals():
            log.info("starting", slots=[child.slot.name for child in self._children])
            try:
                while not self._asked:
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

    def health(self) -> str | None:
        """Return a sentence if the supervisor hangs, or no active slot has a process; else None."""
        tick = self.tick
        if time.monotonic() - tick.at > SILENT_SECONDS:
            return "the supervisor does not look after its slots"
        if RUNNING not in tick.standings.values() and RESTARTING in tick.standings.values():
            return "no slot has a process that renders: the log says why they end"
        return None

    def _rest_a_little(self) -> None:
        standings = {child.slot.name: self._standing(child) for child in self._children}
        self.tick = SlotState(time.monotonic(), standings, {child.slot.name: child.starts for child in self._children})
        time.sleep(POLL_SECONDS)

    def _standing(self, child: SlotProcess) -> str:
        return str(self.resting.get(child.slot.name) or (RUNNING if child.is_running else RESTARTING))

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._ask) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1
