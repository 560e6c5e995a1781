"""The environment of a benchmark: private servers that sync to disk as in production, and a folder of pictures."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
from PIL import Image
from pydantic import SecretStr

from stylefarm import Farm, migrations
from stylefarm.shared.db.connection import connect
from stylefarm.shared.settings import Settings
from tests.programs import PROGRAM
from tests.servers import PostgresServer, RedisServer, SwiftServer

# A network this shallow renders a small picture in an instant; what is measured is the farm around it.
SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"], "style_loss": "gram", "size": 32}


class DurablePostgres(PostgresServer):
    """Every commit waits for the disk, as PostgreSQL has it by itself."""

    in_memory = False
    settings: ClassVar[dict[str, str]] = {"listen_addresses": "127.0.0.1"}


class DurableRedis(RedisServer):
    """Every write waits for the disk, which is more than the farm asks for."""

    in_memory = False


@dataclass(frozen=True)
class BenchmarkFarm:
    """A farm on servers of its own."""

    settings: Settings
    redis: RedisServer
    folder: Path

    def farm(self) -> Farm:
        """A producer of the farm."""
        return Farm(self.settings)

    @property
    def variables(self) -> dict[str, str]:
        """The settings as a worker's environment has them."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("STYLEFARM_")}
        for name in self.settings.model_fields_set:
            value = getattr(self.settings, name)
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            own[f"STYLEFARM_{name.upper()}"] = str(plain)
        return own

    def pictures(self, count: int) -> list[str]:
        """Paths of so many small pictures, each unlike the others."""
        return [str(self.folder / f"{number}.png") for number in range(count)]


@contextmanager
def benchmark_farm() -> Iterator[BenchmarkFarm]:
    """A new farm, gone after the `with` block."""
    with ExitStack() as servers:
        folder = Path(servers.enter_context(TemporaryDirectory(prefix="stylefarm-bench-")))
        redis = servers.enter_context(DurableRedis())
        postgres = servers.enter_context(DurablePostgres())
        swift = servers.enter_context(SwiftServer())
        settings = Settings(
            broker_url=SecretStr(redis.url),
            database_url=SecretStr(postgres.create_database("farm")),
            s3_bucket="pictures",
            s3_endpoint=swift.endpoint,
            s3_access_key=swift.access_key,
            s3_secret_key=SecretStr(swift.secret_key),
            home=folder / "home",
            threads=1,
            log_level="warning",
        )
        migrations.upgrade(connect(settings.database))
        for number in range(20):
            noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((48, 36), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
        yield BenchmarkFarm(settings, redis, folder)


def start_worker(benchmark_farm: BenchmarkFarm, name: str) -> subprocess.Popen[bytes]:
    """A worker with one slot on a CPU, as a user starts it, in a session of its own."""
    command = [str(PROGRAM), "worker", "start", "--gpus", "none", "--name", name]
    return subprocess.Popen(command, env=benchmark_farm.variables, start_new_session=True)


def kill_worker(process: subprocess.Popen[bytes]) -> None:
    """End all processes of a worker at once, as the loss of its machine would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def format_spread(values: Sequence[float], unit: str, scale: float = 1.0) -> str:
    """Median and extremes."""
    middle, low, high = (f"{scale * value:.3g}" for value in (median(values), min(values), max(values)))
    return f"{middle} {unit} ({low} to {high})"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values is not above."""
    return float(np.quantile(np.asarray(values), share, method="inverted_cdf"))
