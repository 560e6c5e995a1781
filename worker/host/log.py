"""The worker's log: one event per line, with worker, job and attempt, as text or as JSON."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor

from stylefarm.shared.queue.messages import TASK
from stylefarm.shared.settings import Settings

log = structlog.get_logger("stylefarm.worker")


# Celery logs the arrival and the end of each hint; the runner logs the same of jobs, with the attempt.
# Alembic logs that it reads the database.
CHATTER = ("celery.worker.strategy", "celery.app.trace", "alembic.runtime.migration")


def configure(settings: Settings, worker: str) -> None:
    """Send the log of a worker process, and that of its libraries, to standard error in the chosen format.

    Warnings and uncaught exceptions become lines, too. `worker` is the name that each line carries.
    """
    first: list[Processor] = [
        _Named(worker),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    _use_standard_logging([*first, structlog.stdlib.ProcessorFormatter.wrap_for_formatter])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=_last(settings)))
    root = logging.getLogger()
    root.handlers = [handler]
    # Loggers without a handler, as that of Celery's pool, would write plain text otherwise.
    logging.lastResort = handler
    root.setLevel(settings.log_level.upper())
    if settings.log_level == "info":
        for name in CHATTER:
            logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _tell
    threading.excepthook = lambda failed: _tell(failed.exc_type, failed.exc_value, failed.exc_traceback)


def configure_embedded() -> None:
    """Leave the log to the program that renders in its own process: it goes to standard `logging`, as plain text.

    A program that has configured structlog itself keeps its configuration.
    """
    if structlog.is_configured():
        return
    _use_standard_logging(
        [
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ]
    )


class _Named:
    """Puts the worker's name on each line, and the job on those that Celery writes about a hint."""

    def __init__(self, worker: str) -> None:
        self.worker = worker

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        event["worker"] = self.worker
        task = getattr(event.get("_record"), "data", None)
        if isinstance(task, dict) and task.get("name") == TASK:
            event.setdefault("job", task.get("id"))
        return event


def _tell(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    log.critical("unforeseen", exc_info=(kind, error, traceback))


def _use_standard_logging(processors: list[Processor]) -> None:
    structlog.configure(
        processors=processors,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _last(settings: Settings) -> list[Processor]:
    tidy = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if settings.log_format == "json":
        return [tidy, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [tidy, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
