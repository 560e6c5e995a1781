"""The private servers as fixtures: each starts when a test first asks for it, and serves the whole run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.servers import MissingProgramError, PostgresServer, PrivateServer, RedisServer, SwiftServer

Server = TypeVar("Server", bound=PrivateServer)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for the whole run."""
    yield from _run(RedisServer())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL for the whole run; a test makes itself a database in it."""
    yield from _run(PostgresServer())


@pytest.fixture(scope="session")
def swift_server() -> Iterator[SwiftServer]:
    """An S3 object store for the whole run; a test makes itself a bucket in it."""
    yield from _run(SwiftServer())


def _run(server: Server) -> Iterator[Server]:
    missing = ""
    with contextlib.ExitStack() as until_the_end:
        try:
            until_the_end.enter_context(server)
        except MissingProgramError as error:
            missing = str(error)
        if missing:
            # Not a skip: tests that did not run must not look like tests that passed.
            pytest.fail(missing, pytrace=False)
        yield server
