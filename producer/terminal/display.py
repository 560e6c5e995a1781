"""The live display of jobs that a command waits for: a bar for each that runs, and one for all of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from stylefarm.producer.views.labels import job_labels
from stylefarm.producer.views.status import Status, Watcher
from stylefarm.shared.db.states import State
from stylefarm.shared.foreign_text import one_line

# Jobs that run at once beyond this are counted in the overall bar only.
MOST_BARS = 8


@contextmanager
def live_display() -> Iterator[Watcher]:
    """Yield a watcher for `Farm.wait`: bars on a terminal, elsewhere a line for each job that ends; on standard error.

    Example:
        with live_display() as watch:
            farm.wait(jobs, watch=watch)
    """
    console = Console(file=sys.stderr, highlight=False)
    if not console.is_terminal:
        yield _together(Lines(console).watch, PausedNotice(console))
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[count]}", justify="right"),
        TextColumn("{task.fields[loss]}"),
        TimeLeft(),
    )
    with Progress(*columns, console=console) as progress:
        yield _together(Bars(progress).watch, PausedNotice(progress.console))


def _together(*watchers: Watcher) -> Watcher:
    def watch(statuses: Sequence[Status]) -> None:
        for watcher in watchers:
            watcher(statuses)

    return watch


class PausedNotice:
    """Say once that jobs are paused, and how they go on: who waits for them would wait for ever, and not know why.

    Args:
        console: where to.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(id="9a41c07d", state="paused", request=JobRequestRow(spec={}, notes=[]))
        >>> notice = PausedNotice(Console(highlight=False))
        >>> for _ in range(2):
        ...     notice([Status.of(row)])
        job 9a41c07d is paused, and goes on when somebody resumes it: stylefarm job resume 9a41c07d
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.told = False

    def __call__(self, statuses: Sequence[Status]) -> None:
        """Look for paused jobs.

        Args:
            statuses: of all jobs that are waited for.
        """
        paused = [status for status in statuses if status.state is State.PAUSED]
        if paused and not self.told:
            self.told = True
            self.console.print(_paused(paused), soft_wrap=True, markup=False)


class Lines:
    """Print one line for each job that has ended.

    Args:
        console: where to.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> request = JobRequestRow(spec={}, notes=[])
        >>> row = JobRow(state="failed", content_name="cat", style_name="waves", error="it is empty", request=request)
        >>> row.cell = {}
        >>> Lines(Console(highlight=False)).watch([Status.of(row), Status.of(row)])
        failed  1/2  cat x waves: it is empty
        failed  2/2  cat x waves: it is empty
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.reported: set[int] = set()
        self.labels: list[str] = []

    def watch(self, statuses: Sequence[Status]) -> None:
        """Print the jobs that have ended since the last call.

        Args:
            statuses: of all jobs, ended or not.
        """
        if len(self.labels) != len(statuses):  # a search adds jobs
            self.labels = job_labels(statuses)
        for place, status in enumerate(statuses):
            # If a single job fails, the command itself prints the reason.
            silent = len(statuses) == 1 and status.state is not State.DONE
            if status.state.final and place not in self.reported and not silent:
                self.reported.add(place)
                count = f"{len(self.reported)}/{len(statuses)}"
                self.console.print(_line(status, f"{count}  {self.labels[place]}"), soft_wrap=True)


class Bars:
    """Keep the bars of rich's Progress in step with the jobs: one for each that runs, and one for all.

    Args:
        progress: has the columns of `live_display`.

    Example:
        with Progress(console=Console(file=sys.stderr)) as progress:
            farm.wait(jobs, watch=Bars(progress).watch)
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.lines = Lines(progress.console)
        self.bars: dict[str, TaskID] = {}
        self.labels: dict[str, str] = {}
        self.overall: TaskID | None = None
        self.started_at = time.monotonic()
        self.first_steps = 0

    def watch(self, statuses: Sequence[Status]) -> None:
        """Update the bars from the statuses of all jobs.

        Args:
            statuses: of all jobs, ended or not.
        """
        self._overall(statuses)
        if len(statuses) > 1:
            self.lines.watch(statuses)
        if not all(status.id in self.labels for status in statuses):
            self.labels = dict(zip((status.id for status in statuses), job_labels(statuses), strict=True))
        running = [status for status in statuses if status.state is State.RUNNING][:MOST_BARS]
        for job_id in set(self.bars) - {status.id for status in running}:
            self.progress.remove_task(self.bars.pop(job_id))
        for status in running:
            self._bar(status)

    def _bar(self, status: Status) -> None:
        if status.id not in self.bars:
            name = one_line(self.labels[status.id])
            self.bars[status.id] = self.progress.add_task(name, total=status.iterations, count="", loss="", left=None)
        left = seconds_left(status)
        self.progress.update(
            self.bars[status.id],
            completed=status.iteration,
            count=f"{status.iteration}/{status.iterations}",
            loss="" if status.loss is None else f"loss {status.loss:.4g}",
            left=left,
        )

    def _overall(self, statuses: Sequence[Status]) -> None:
        if len(statuses) < 2:
            return
        steps = sum(_steps_done(status) for status in statuses)
        total = sum(status.iterations for status in statuses)
        if self.overall is None:
            self.overall = self.progress.add_task("all", total=total, count="", loss="", left=None)
            self.first_steps = steps
        if steps == self.first_steps:
            # The pace is measured from the first step: before it, torch is imported and pictures are read.
            self.started_at = time.monotonic()
        done, passed = steps - self.first_steps, time.monotonic() - self.started_at
        ended = sum(status.state.final for status in statuses)
        self.progress.update(
            self.overall,
            completed=steps,
            count=f"{ended}/{len(statuses)} jobs",
            left=passed / done * (total - steps) if done > 0 else None,
        )


class TimeLeft(ProgressColumn):
    """The seconds that are left, estimated from the pace so far.

    Example:
        >>> progress = Progress(TimeLeft())
        >>> _ = progress.add_task("cat x waves", left=75.0)
        >>> str(TimeLeft().render(progress.tasks[0]))
        '1:15 left'
    """

    def render(self, task: Task) -> Text:
        """Return the text of the column for one bar.

        Args:
            task: a bar whose field `left` has the seconds, or None.
        """
        left = task.fields.get("left")
        return Text("" if left is None else f"{_duration(left)} left", style="cyan")


def seconds_left(status: Status) -> float | None:
    """Estimate the seconds that a running job still needs, from its pace so far.

    Args:
        status: the job.

    Returns:
        Seconds; None where it has made no step.

    Example:
        >>> from datetime import UTC, datetime, timedelta
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(state="running", iteration=50, iterations=200, request=JobRequestRow(spec={}, notes=[]))
        >>> row.started_at = datetime.now(UTC) - timedelta(seconds=100)
        >>> round(seconds_left(Status.of(row)) / 10)
        30
    """
    if status.started_at is None or status.iteration == 0:
        return None
    passed = time.time() - status.started_at.timestamp()
    return max(0.0, passed / status.iteration * (status.iterations - status.iteration))


def _paused(paused: Sequence[Status]) -> str:
    first = paused[0]
    if len(paused) == 1:
        return f"job {first.id} is paused, and goes on when somebody resumes it: stylefarm job resume {first.id}"
    sweeps = {status.sweep for status in paused}
    command = f"stylefarm sweep resume {first.sweep}" if len(sweeps) == 1 and first.sweep else "stylefarm job resume"
    return f"{len(paused)} jobs are paused, and go on when somebody resumes them: {command}"


def _steps_done(status: Status) -> int:
    return status.iterations if status.state.final else status.iteration


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _line(status: Status, what: str) -> Text:
    what = f"  {one_line(what)}"
    if status.state is State.DONE and status.started_at and status.finished_at:
        seconds = (status.finished_at - status.started_at).total_seconds()
        loss = "" if status.loss is None else f"  loss {status.loss:.4g}"
        done = f"{what}{loss}  {_duration(seconds)}"
        warning = ("  warning: " + one_line(status.warning), "yellow") if status.warning else ""
        return Text.assemble(("done", "green"), done, warning)
    if status.state is State.FAILED:
        return Text.assemble(("failed", "red"), f"{what}: {one_line(status.error or '')}")
    return Text.assemble((str(status.state), "yellow"), what)
