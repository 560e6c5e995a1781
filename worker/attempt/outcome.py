"""How an attempt ended, and the one move of its job that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

from stylefarm.shared.db.records import Fence, StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import DeviceFailed, FarmError
from stylefarm.shared.store import Store
from stylefarm.shared.store.library import NewModel
from stylefarm.worker.attempt.lease import CancelRequested, Interrupted, LeaseLost, PauseRequested, Stop


@dataclass(frozen=True)
class Rendered:
    """The result is stored, and `metrics` were measured of it, by name; `model` is what a training job has made."""

    result: StoredObject
    metrics: Mapping[str, float]
    model: NewModel | None = None


@dataclass(frozen=True)
class Stopped:
    """The work was stopped from outside: cancelled, paused, interrupted, or its lease was lost."""

    reason: Stop


@dataclass(frozen=True)
class Failed:
    """The job cannot be rendered here; the error's class says whether it is tried again."""

    error: FarmError


@dataclass(frozen=True)
class DeviceLost:
    """The GPU has failed, and with it the process: every further call into CUDA fails, too."""

    error: torch.AcceleratorError


@dataclass(frozen=True)
class Crashed:
    """An unexpected exception: a bug."""

    error: Exception


Outcome = Rendered | Stopped | Failed | DeviceLost | Crashed


def outcome_of(error: Exception) -> Outcome:
    """Return the outcome of an attempt that `error` has ended.

    Example:
        >>> outcome_of(ZeroDivisionError("division by zero"))
        Crashed(error=ZeroDivisionError('division by zero'))
    """
    match error:
        case Stop():
            return Stopped(error)
        case FarmError():
            return Failed(error)
        case torch.AcceleratorError():
            return DeviceLost(error)
        case _:
            return Crashed(error)


class JobMove(Enum):
    """What happened to a job after a hint; the values are labels of a metric."""

    NOT_OURS = "not ours"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    LOST = "lost"
    BARRED = "barred"


def record_outcome(
    store: Store, fence: Fence, outcome: Outcome, record: Mapping[str, Any], *, counts: bool = True
) -> JobMove:
    """Move the job to the state that follows from the outcome of its attempt.

    Args:
        store: the writing side of the database.
        fence: the attempt's right to write; a job that is no longer its own is left alone.
        outcome: how the attempt ended.
        record: what it was computed with, kept with the attempt.
        counts: whether a failure of the GPU counts against the job and the worker. It does not where it has been
            counted for another job of the same batch: it is one failure, and three would bench the worker.

    Returns:
        The move that was made; LOST where the job belongs to another attempt.

    Raises:
        ServiceUnavailable: the database does not answer.
    """
    match outcome:
        case Rendered():
            ours = store.attempts.finish(fence, outcome.result, record, outcome.metrics, outcome.model)
            return JobMove.DONE if ours else JobMove.LOST
        case Stopped():
            return _record_stop(store, fence, outcome.reason, record)
        case Failed():
            return _record_failure(store, fence, outcome.error, record)
        case DeviceLost() if not counts:
            why = "the GPU failed under another job of its batch"
            return _moved(JobMove.RELEASED, lambda: store.attempts.release(fence, why, record))
        case DeviceLost():
            failure = DeviceFailed(f"the GPU failed ({_first_line(outcome.error)})")
            return _record_failure(store, fence, failure, record)
        case Crashed():
            what = f"{type(outcome.error).__name__}: {outcome.error}"
            error = FarmError(f"internal error ({what}): the worker's log has the rest")
            return _record_failure(store, fence, error, record)


def _record_stop(store: Store, fence: Fence, reason: Stop, record: Mapping[str, Any]) -> JobMove:
    match reason:
        case CancelRequested():
            return _moved(JobMove.CANCELLED, lambda: store.attempts.confirm_cancel(fence, record))
        case PauseRequested():
            # The store knows of the request, and ignores it if the user has resumed the job meanwhile.
            return _moved(JobMove.RELEASED, lambda: store.attempts.release(fence, "let go to be paused", record))
        case Interrupted():
            return _moved(JobMove.RELEASED, lambda: store.attempts.release(fence, "its worker was stopped", record))
        case LeaseLost():
            return JobMove.LOST
        case _:
            raise TypeError(f"no move follows from {reason!r}")


def _record_failure(store: Store, fence: Fence, error: FarmError, record: Mapping[str, Any]) -> JobMove:
    state = store.attempts.fail(fence, error, record)
    if state is None:
        return JobMove.LOST
    return JobMove.FAILED if state == State.FAILED else JobMove.RELEASED


def _moved(move: JobMove, write: Callable[[], bool]) -> JobMove:
    return move if write() else JobMove.LOST


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
