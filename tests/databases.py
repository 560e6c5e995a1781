"""Databases for tests: a SQLite file, and a PostgreSQL database cloned from a migrated template."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from stylefarm import migrations
from stylefarm.shared.db.connection import connect
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.store import Store
from tests.servers import PostgresServer

# By all migrations, whatever is there.
UPGRADE = migrations.upgrade


@pytest.fixture(scope="session", autouse=True)
def _migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have new SQLite databases copied from one that was migrated: hundreds of tests begin with one."""
    copied = tmp_path_factory.mktemp("migrated") / "farm.db"

    def upgrade_or_copy(engine: Engine) -> tuple[str | None, str]:
        path = Path(engine.url.database or "")
        if engine.dialect.name != "sqlite" or not path.name or path.exists() or not path.parent.is_dir():
            return UPGRADE(engine)
        if not copied.exists():
            made = connect(f"sqlite:///{copied}")
            UPGRADE(made)
            made.dispose()
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        shutil.copy(copied, part)
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
        # Where another process came first.
        before, head = UPGRADE(engine)
        return (None if before == head else before), head

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "upgrade", upgrade_or_copy)
        yield


@pytest.fixture(scope="session")
def template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database, to be cloned."""
    name = "template_farm"
    engine = connect(postgres_server.create_database(name))
    migrations.upgrade(engine)
    engine.dispose()
    return name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, template: str) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database of the test's own."""
    name = f"farm_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=template)
    yield url
    connect(url).dispose()
    postgres_server.drop_database(name)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own in which nothing is."""
    name = f"empty_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated, empty database, once of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'farm.db'}"
        migrations.upgrade(connect(url))
    else:
        url = request.getfixturevalue("postgres_url")
    yield connect(url)
    connect(url).dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    """The moves of jobs in that database."""
    return Store(engine)


@pytest.fixture
def queries(engine: Engine) -> Queries:
    """The questions to that database."""
    return Queries(engine)
