"""`stylefarm worker ...`"""

from __future__ import annotations

import warnings

import click
from celery.exceptions import SecurityWarning

import migrations
from shared import queue
from shared.database import MIGRATE, where
from shared.errors import InvalidRequest, NotMigrated
from shared.services import Services, connect_services
from shared.settings import Settings, load_settings


@click.group()
def worker() -> None:
    """Paint what is queued."""


@worker.command()
@click.option("--name", help="What the worker is called in logs and events; the host's name when left out.")
def start(name: str | None) -> None:
    """Start a worker, which paints one job after the other until it is stopped.

    The first Ctrl-C (or SIGTERM) lets the job at hand finish; the second one stops at once, and the job is painted
    again when its lease has run out.
    """
    settings = load_settings()
    if settings.broker_url is None:
        raise InvalidRequest(
            "an embedded farm has no workers, it paints while you wait: set STYLEFARM_BROKER_URL,"
            " STYLEFARM_DATABASE_URL and STYLEFARM_S3_BUCKET for a farm on servers"
        )
    check_services(connect_services(settings), settings)
    app = queue.application(settings.broker_url.get_secret_value())
    options = ["--pool=prefork", "--concurrency=1", "--without-gossip", "--without-mingle", f"--queues={queue.QUEUE}"]
    if name:
        options.append(f"--hostname={name}@%h")
    # Celery warns of root because of pickled messages; here nothing but JSON is accepted.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app.worker_main(["--quiet", "worker", f"--loglevel={settings.log_level}", *options])


def check_services(services: Services, settings: Settings) -> None:
    """Asks each service for an answer before any job is taken. Raises ServiceUnavailable or NotMigrated."""
    engine = services.store.engine
    found = migrations.current(engine)
    if found != migrations.head():
        at = f"at revision {found}" if found else "empty"
        raise NotMigrated(f"the database {where(engine)} is {at}, this release needs {migrations.head()}: {MIGRATE}")
    services.blobs.exists("inputs/none")
    if settings.broker_url is not None:
        queue.check(settings.broker_url.get_secret_value())
