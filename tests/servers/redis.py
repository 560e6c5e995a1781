"""A private Redis, set up as the farm's documentation asks for: append-only file, nothing evicted."""

from __future__ import annotations

import redis

from tests.servers.private import PrivateServer
from tests.servers.processes import find_program

# `always` where a farm would have `everysec`: a test that kills the server must find all that was acknowledged.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
"""


class RedisServer(PrivateServer):
    """One `redis-server` process."""

    name = "redis"
    silence = (redis.ConnectionError, redis.TimeoutError)

    @property
    def url(self) -> str:
        """Where clients connect to, password included."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _prepare(self) -> None:
        self._program = find_program("redis-server")
        # In a file, since a command line can be read by every user of the machine.
        settings = CONFIGURATION.format(port=self.port, password=self.password, folder=self.folder)
        (self.folder / "redis.conf").write_text(settings)

    def _command(self) -> list[str]:
        return [str(self._program), str(self.folder / "redis.conf")]

    def _is_own(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=5, retry=None) as client:
            return bool(client.info("server")["process_id"] == self._root.pid)
