"""One slot's process: Celery, with one child that renders. Its environment already says which GPUs it sees."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from celery.exceptions import SecurityWarning

from stylefarm import migrations
from stylefarm.shared.errors import InvalidRequest, InvalidSettings
from stylefarm.shared.queue import app
from stylefarm.shared.queue.transport import Watch
from stylefarm.shared.services import Services, connect_services
from stylefarm.shared.settings import Settings
from stylefarm.worker.host import fork, shutdown
from stylefarm.worker.host.pulse import Pulse
from stylefarm.worker.host.registration import full_name

# Packages that a worker needs and a producer does not: the name to import, and the name to install.
PACKAGES = {
    "torch": "torch",
    "safetensors": "safetensors",
    "pynvml": "nvidia-ml-py",
    "prometheus_client": "prometheus-client",
}


def run_slot(settings: Settings, name: str, queues: Sequence[str], pulse: Pulse) -> int:
    """Take jobs of these queues until the process is stopped, and return the exit code.

    Tells `pulse` how it fares. Raises what `broker_of` and `check_services` raise.
    """
    shutdown.ignore_request()
    fork.share_no_connections()
    broker_url = broker_of(settings)
    check_services(connect_services(settings))
    # Celery warns about root because of pickled messages; this farm accepts nothing but JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    running = app.application(broker_url, Watch(pulse.drop, pulse.poll)).Worker(
        hostname=full_name(name),
        pool_cls="prefork",
        concurrency=1,
        queues=list(queues),
        loglevel=settings.log_level,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    running.start()
    return int(running.exitcode or 0)


def keep_metrics_in(folder: Path) -> None:
    """Have the processes below this one keep their metrics in that folder, which is this slot's alone.

    The files are not named by process ids, as prometheus_client's own are: a process that replaces another continues
    its counters, even if that was killed, and the files do not become more.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(lambda: "slot")  # type: ignore[no-untyped-call]


def broker_of(settings: Settings) -> str:
    """Return the Redis that jobs come from. Raises InvalidRequest where there is none."""
    if settings.broker_url is None:
        raise InvalidRequest(
            "an embedded farm has no workers, it renders while you wait: set STYLEFARM_BROKER_URL,"
            " STYLEFARM_DATABASE_URL and STYLEFARM_S3_BUCKET for a farm on servers"
        )
    return settings.broker_url.get_secret_value()


def check_services(services: Services) -> None:
    """Check that each service answers before any job is taken. Raises ServiceUnavailable or NotMigrated."""
    migrations.check(services.engine)
    # The children are forked from this process, and a connection must not be shared with them.
    services.engine.dispose()
    services.blobs.exists("inputs/none")
    if services.announcer is not None:
        services.announcer.hints.check()


def check_installed() -> None:
    """Check that the packages of a worker are installed, without importing them; without them it would drop every hint.

    Raises:
        InvalidSettings: a package is missing.
    """
    for module, package in PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise InvalidSettings(f"a worker needs the package {package}: pip install 'stylefarm[worker]'")
