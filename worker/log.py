"""The worker's log: one event a line, with job and attempt on each, as text or as JSON."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from shared.settings import Settings


def configure(settings: Settings) -> None:
    """Sends the log of a worker process, and that of its libraries, to standard error in the chosen format."""
    first: list[Processor] = [
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
    root.setLevel(settings.log_level.upper())


def configure_embedded() -> None:
    """Leaves the log to the program that paints in its own process: it goes to standard `logging`, as plain text.

    A program that has set up structlog for itself keeps what it has set up.
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
