"""Retry calls to services that are briefly unavailable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from stylefarm.shared.errors import NotMigrated, ServiceUnavailable

Result = TypeVar("Result")

PATIENCE_SECONDS = 60
LONGEST_PAUSE_SECONDS = 8

log = structlog.get_logger("stylefarm.worker")


def retry_transient(call: Callable[[], Result]) -> Result:
    """Call again, for about a minute, while a service does not answer; then raise its ServiceUnavailable."""
    return Retrying(
        retry=retry_if_exception(_passes),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_SECONDS),
        stop=stop_after_delay(PATIENCE_SECONDS),
        before_sleep=_tell,
        reraise=True,
    )(call)


def _passes(error: BaseException) -> bool:
    return isinstance(error, ServiceUnavailable) and not isinstance(error, NotMigrated)


def _tell(state: RetryCallState) -> None:
    error = None if state.outcome is None else state.outcome.exception()
    log.warning("asking again", reason=str(error), asked=state.attempt_number)
