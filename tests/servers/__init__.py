"""Real servers for the tests, each private to one test run: own port, own password, own folder.

    with RedisServer() as redis, PostgresServer() as postgres, SwiftServer() as swift:
        ...

`tests/servers/install` puts their programs in place.
"""

from tests.servers.postgres import PostgresServer
from tests.servers.private import PrivateServer, ServerError
from tests.servers.processes import MissingProgramError
from tests.servers.redis import RedisServer
from tests.servers.swift import SwiftServer

__all__ = ["MissingProgramError", "PostgresServer", "PrivateServer", "RedisServer", "ServerError", "SwiftServer"]
