"""`stylefarm worker ...`"""

from __future__ import annotations

import importlib.util
import warnings

import click
from celery.exceptions import SecurityWarning
from celery.utils.nodenames import default_nodename, host_format

import migrations
from shared import queue
from shared.errors import InvalidRequest, InvalidSettings
from shared.services import Services, connect_services
from shared.settings import Settings, load_settings


@click.group()
def worker() -> None:
    """Paint what is queued."""


@worker.command()
@click.option("--name", help="What the worker is called in logs and events; the host's name when left out.")
def start(name: str | None) -> int:
    """Start a worker, which paints one job after the other until it is stopped.

    The first Ctrl-C (or SIGTERM) lets the job at hand finish. The second one stops at once; when the job's lease has
    run out, whoever waits for the job puts it back into the queue.
    """
    settings = load_settings()
    if settings.broker_url is None:
        raise InvalidRequest(
            "an embedded farm has no workers, it paints while you wait: set STYLEFARM_BROKER_URL,"
            " STYLEFARM_DATABASE_URL and STYLEFARM_S3_BUCKET for a farm on servers"
        )
    _check_installed()
    check_services(connect_services(settings), settings)
    app = queue.application(settings.broker_url.get_secret_value())
    # Celery warns of root because of pickled messages; here nothing but JSON is accepted.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    running = app.Worker(
        hostname=host_format(default_nodename(f"{name}@%h" if name else "")),
        pool_cls="prefork",
        concurrency=1,
        queues=[queue.QUEUE],
        loglevel=settings.log_level,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    running.start()
    return int(running.exitcode or 0)


def check_services(services: Services, settings: Settings) -> None:
    """Asks each service for an answer before any job is taken. Raises ServiceUnavailable or NotMigrated."""
    migrations.check(services.store.engine)
    # The children are forked from this process, and a connection must not be shared with them.
    services.store.engine.dispose()
    services.blobs.exists("inputs/none")
    if settings.broker_url is not None:
        queue.check(settings.broker_url.get_secret_value())


def _check_installed() -> None:
    """A worker that cannot paint would take every hint and drop it."""
    for package in ("torch", "safetensors"):
        if importlib.util.find_spec(package) is None:
            raise InvalidSettings(f"a worker needs the package {package}: pip install 'stylefarm[worker]'")
