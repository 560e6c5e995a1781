"""A whole farm of one test's own: servers behind proxies, workers as processes, and the way in for jobs."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

import migrations
from producer import Farm
from shared.database import connect
from shared.settings import Settings
from tests.faults.proxy import Proxy
from tests.programs import PROGRAM, CommandLine
from tests.servers import PostgresServer, RedisServer, SwiftServer
from tests.servers.processes import end, freeze, thaw

LEASE_SECONDS = 4.0

# A job that is done in an instant: a few iterations of the first layers, at 32 pixels.
SHORT = {
    "size": 32,
    "iterations": 4,
    "snapshot_every": 2,
    "content_layers": ["relu1_1"],
    "style_layers": ["relu1_1"],
    "style_loss": "gram",
}


@dataclass
class WorkerProcess:
    """One `stylefarm worker start`, which can be killed, halted, and started again."""

    name: str
    commands: CommandLine
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, unless it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(PROGRAM), "worker", "start", "--gpus", "none", "--cpu", "1", "--name", self.name],
                cwd=self.commands.folder,
                env=self.commands.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to it and all below it."""
        if self.root is not None:
            end(freeze(self.root))
        if self.process is not None:
            self.process.wait()

    def drain(self) -> int:
        """SIGTERM; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    @property
    def root(self) -> psutil.Process | None:
        """The process, if it runs."""
        if self.process is None or self.process.poll() is not None:
            return None
        return psutil.Process(self.process.pid)

    def painters(self) -> list[psutil.Process]:
        """The processes below the slot, in which jobs are painted."""
        if self.root is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return [p for child in self.root.children() for p in child.children()]
        return []

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Stands still, connections open, as a machine that is put to sleep."""
        root = self.root
        if root is None:
            yield
            return
        freeze(root)
        try:
            yield
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                thaw(root)


@dataclass
class Arena:
    """Servers, proxies, workers, and the ids of all jobs that the farm has acknowledged."""

    folder: Path
    redis: RedisServer
    postgres: PostgresServer
    swift: SwiftServer
    proxies: Mapping[str, Proxy]
    settings: Settings
    direct: Settings
    workers: Sequence[WorkerProcess]
    acknowledged: list[str] = field(default_factory=list)

    def submit(self, contents: Sequence[str], styles: Sequence[str], weights: Sequence[float]) -> None:
        """One sweep, written into the history when it is acknowledged."""
        with Farm(self.settings) as farm:
            axes = {"content": contents, "style": styles, "style_weight": weights}
            sweep = farm.sweep({"name": "chaos", "base": dict(SHORT), "matrix": axes})
            ids = [job.id for job in sweep.jobs()]
        self.acknowledged += ids
        with (self.folder / "history.jsonl").open("a") as history:
            history.write(json.dumps({"acknowledged": ids}) + "\n")


@contextmanager
def arena(folder: Path, pictures: Path, workers: int) -> Iterator[Arena]:
    """A farm with so many workers, each with one slot on the CPU."""
    with contextlib.ExitStack() as until_the_end:
        enter = until_the_end.enter_context
        redis, postgres, swift = enter(RedisServer()), enter(PostgresServer()), enter(SwiftServer())
        database = postgres.create_database("chaos")
        engine = connect(database)
        migrations.upgrade(engine)
        engine.dispose()
        direct = _settings(folder, redis.url, database, swift.endpoint, swift)
        proxies = {
            "redis": enter(Proxy(redis.port)),
            "postgres": enter(Proxy(postgres.port)),
            "swift": enter(Proxy(swift.port)),
        }
        through = _settings(
            folder,
            _moved(redis.url, proxies["redis"]),
            _moved(database, proxies["postgres"]),
            _moved(swift.endpoint, proxies["swift"]),
            swift,
            direct["s3_bucket"],
        )
        commands = CommandLine(pictures, {f"STYLEFARM_{name.upper()}": value for name, value in through.items()})
        started = [WorkerProcess(f"w{number}", commands, folder / f"w{number}.log") for number in range(workers)]
        for worker in started:
            worker.start()
            until_the_end.callback(worker.kill)
        yield Arena(
            folder,
            redis,
            postgres,
            swift,
            proxies,
            Settings(**through),
            Settings(**direct),
            started,  # type: ignore[arg-type]
        )


def _settings(
    folder: Path, broker: str, database: str, endpoint: str, swift: SwiftServer, bucket: str | None = None
) -> dict[str, str]:
    return {
        "broker_url": broker,
        "database_url": database,
        "s3_endpoint": endpoint,
        "s3_bucket": bucket or f"chaos-{uuid.uuid4().hex}",
        "s3_access_key": swift.access_key,
        "s3_secret_key": swift.secret_key,
        "home": str(folder / "home"),
        "lease_seconds": str(LEASE_SECONDS),
        "heartbeat_seconds": "0.5",
        "reconcile_seconds": "1",
        "threads": "1",
        "log_format": "json",
    }


def _moved(url: str, proxy: Proxy) -> str:
    """The address with the proxy's port."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}127.0.0.1:{proxy.port}").geturl()
