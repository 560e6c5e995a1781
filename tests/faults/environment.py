"""A private farm for one run: servers behind proxies, workers as processes, and direct access to its database."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Executable
from sqlalchemy.orm import Session

from stylefarm import migrations
from stylefarm.shared.db.connection import connect, translate_errors
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.services import Services, connect_services
from stylefarm.shared.settings import Settings
from tests.conftest import write_pictures
from tests.faults.history import History
from tests.faults.proxy import Proxy
from tests.faults.workers import WorkerProcess, false_clock
from tests.programs import CommandLine
from tests.servers import PostgresServer, RedisServer, SwiftServer
from tests.weights_files import squeezenet_state, write_torch

Answer = TypeVar("Answer")

ASKING_SECONDS = 30.0
PAUSE_SECONDS = 0.1

# The data set that models are trained with.
DATASET = "photos"


@dataclass(frozen=True)
class Times:
    """The settings of the farm that are about time, in seconds."""

    lease: float
    heartbeat: float
    reconcile: float
    checkpoint: float

    @property
    def settings(self) -> dict[str, str]:
        """The same as settings of the farm, by name."""
        return {f"{name}_seconds": f"{value:g}" for name, value in vars(self).items()}


# Short enough for leases to expire several times a minute.
SHORT = Times(lease=4, heartbeat=1, reconcile=1, checkpoint=1)
DEFAULT = Times(lease=30, heartbeat=10, reconcile=5, checkpoint=20)


@dataclass(frozen=True)
class Environment:
    """A farm: `settings` connect by way of the proxies, `direct` without them."""

    folder: Path
    times: Times
    redis: RedisServer
    postgres: PostgresServer
    proxies: Mapping[str, Proxy]
    settings: Settings
    direct: Settings
    workers: Mapping[str, WorkerProcess]
    history: History

    @property
    def pictures(self) -> Path:
        """The folder with a.png, b.png, s.png and t.png."""
        return self.folder / "pictures"

    @property
    def weights(self) -> Path:
        """The file of the network whose features trainings compare."""
        return self.folder / "squeezenet.pth"

    @cached_property
    def truth(self) -> Services:
        """The services without the proxies: for the nemesis and the checker."""
        return connect_services(self.direct)

    def rows(self, statement: Executable) -> list[Any]:
        """The rows of the database. Raises ServiceUnavailable if it does not answer for too long."""
        return retry_until_answered(lambda: self._rows(statement))

    def _rows(self, statement: Executable) -> list[Any]:
        engine = self.truth.engine
        with translate_errors(engine), Session(engine) as session:
            return list(session.execute(statement).all())


def retry_until_answered(question: Callable[[], Answer]) -> Answer:
    """Return the answer of `question`, asked again while a fault breaks the service. Raises ServiceUnavailable."""
    until = time.monotonic() + ASKING_SECONDS
    while True:
        try:
            return question()
        except ServiceUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE_SECONDS)


@contextmanager
def start_environment(folder: Path, times: Times, workers: int) -> Iterator[Environment]:
    """A farm with so many workers, all of it below `folder`. They do not run yet; in the end nothing does."""
    pictures = folder / "pictures"
    pictures.mkdir()
    write_pictures(pictures)
    write_torch(folder / "squeezenet.pth", squeezenet_state())
    with contextlib.ExitStack() as until_the_end:
        enter = until_the_end.enter_context
        redis, postgres, swift = enter(RedisServer()), enter(PostgresServer()), enter(SwiftServer())
        database = postgres.create_database("farm")
        migrations.upgrade(connect(database))
        proxies = {server.name: enter(Proxy(server.port)) for server in (redis, postgres, swift)}
        direct = {
            "broker_url": redis.url,
            "database_url": database,
            "s3_endpoint": swift.endpoint,
            "s3_bucket": f"farm-{uuid.uuid4().hex}",
            "s3_access_key": swift.access_key,
            "s3_secret_key": swift.secret_key,
            "home": str(folder / "home"),
            "threads": "1",
            "log_format": "json",
            **times.settings,
        }
        through = {
            **direct,
            "broker_url": _by_way_of(proxies["redis"], redis.url),
            "database_url": _by_way_of(proxies["postgres"], database),
            "s3_endpoint": _by_way_of(proxies["swift"], swift.endpoint),
        }
        variables = {f"STYLEFARM_{name.upper()}": value for name, value in through.items()}
        commands = CommandLine(pictures, {**variables, "TORCH_HOME": str(folder / "torch")})
        library = false_clock(folder)
        names = [f"w{number}" for number in range(workers)]
        processes = {name: WorkerProcess(name, commands, folder / name, library) for name in names}
        for process in processes.values():
            until_the_end.callback(process.kill)
        farm = Environment(
            folder,
            times,
            redis,
            postgres,
            proxies,
            Settings.model_validate(through),
            Settings.model_validate(direct),
            processes,
            History(folder / "history.jsonl"),
        )
        yield farm
        connect(database).dispose()


def _by_way_of(proxy: Proxy, url: str) -> str:
    """The address with the proxy's port."""
    parts = urlsplit(url)
    credentials, separator, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{separator}127.0.0.1:{proxy.port}").geturl()
