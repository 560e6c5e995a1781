"""The only way the schema changes: Alembic migrations, run by `stylefarm db upgrade`.

An embedded farm upgrades its own SQLite file when it opens it.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from shared.database import translated


def config() -> Config:
    """Alembic's configuration; it needs no alembic.ini."""
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent))
    found.set_main_option("path_separator", "os")
    return found


def head() -> str:
    """The revision that this release works with."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise RuntimeError("migrations/versions is empty: the installation is broken")
    return revision


def current(engine: Engine) -> str | None:
    """The revision that the database is at; None before the first migration. Raises ServiceUnavailable."""
    with translated(engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Brings the database to this release's revision, all or nothing; returns the revisions before and after."""
    before = current(engine)
    if before != head():
        with translated(engine), engine.begin() as connection:
            settings = config()
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
    return before, head()
