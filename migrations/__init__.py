"""The only way the schema changes: Alembic migrations, run by `stylefarm db upgrade`.

An embedded farm upgrades its own SQLite file when it opens it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from stylefarm.shared.db.connection import UPGRADE_HINT, address_of, translate_errors
from stylefarm.shared.errors import NotMigrated

if TYPE_CHECKING:
    from alembic.config import Config

# Any number does that nobody else takes for an advisory lock in our database.
LOCK = int.from_bytes(b"stylfarm")

# Tables that an older release had: they are made, and later renamed or dropped.
FORMER_TABLES = ("duties", "losses", "orders", "snapshots")


def config() -> Config:
    """Return Alembic's configuration; it needs no alembic.ini."""
    # Alembic is imported where something is to be changed alone: most who come here only learn that nothing is.
    from alembic.config import Config

    found = Config()
    # The value is interpolated, so a % in the path would be taken for the beginning of a placeholder.
    found.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    return found


def revisions() -> tuple[str, ...]:
    """Return the revisions that this release knows, the oldest first: what their files' names begin with."""
    found = sorted(path.name.partition("_")[0] for path in (Path(__file__).parent / "versions").glob("[0-9]*_*.py"))
    if not found:
        raise RuntimeError("migrations/versions is empty: the installation is broken")
    return tuple(found)


def head() -> str:
    """Return the revision that this release works with."""
    return revisions()[-1]


def current(engine: Engine) -> str | None:
    """Return the revision that the database is at; None before the first migration. Raises ServiceUnavailable."""
    # Read only, so that on SQLite nobody who writes is waited for.
    with translate_errors(engine), engine.execution_options(read_only=True).connect() as connection:
        return _revision(connection)


def check(engine: Engine) -> None:
    """Check that the database is at this release's revision. Raises NotMigrated, with the remedy."""
    found = current(engine)
    if found == head():
        return
    _refuse_newer(engine, found)
    state = "has no tables of stylefarm yet" if found is None else f"is of an older release (revision {found})"
    raise NotMigrated(f"the database at {address_of(engine)} {state}: {UPGRADE_HINT}")


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Upgrade the database to this release's revision, all or nothing; return the revisions before and after.

    Raises NotMigrated if a newer release made the database, or another program's tables are in the way.
    """
    before = current(engine)
    if before == head():
        return before, head()
    with translate_errors(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Of two that upgrade at once the second waits here, and finds its work done. SQLite's BEGIN IMMEDIATE
            # does the same.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        before = _revision(connection)
        _refuse_newer(engine, before)
        if before is None:
            _refuse_foreign(engine, connection)
        from alembic import command

        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
    return before, head()


def prepare(engine: Engine, *, embedded: bool) -> None:
    """Upgrade the database of an embedded farm, and only check that of others. Raises NotMigrated."""
    if embedded:
        upgrade(engine)
    else:
        check(engine)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    # Another program's may have several.
    found = connection.execute(text("SELECT version_num FROM alembic_version ORDER BY version_num")).scalars().all()
    return ", ".join(found) or None


def _refuse_foreign(engine: Engine, connection: Connection) -> None:
    """Check that no tables of ours are there before the first migration. Raises NotMigrated."""
    from stylefarm.shared.db.tables import METADATA

    taken = sorted({*METADATA.tables, *FORMER_TABLES} & {*inspect(connection).get_table_names()})
    if taken:
        raise NotMigrated(
            f"the database at {address_of(engine)} has tables of another program that are called as ours"
            f" ({', '.join(taken)}): give stylefarm a database of its own"
        )


def _refuse_newer(engine: Engine, revision: str | None) -> None:
    if revision is not None and not re.fullmatch(r"\d{4}", revision):
        raise NotMigrated(
            f"the database at {address_of(engine)} belongs to another program, which also keeps its schema by Alembic"
            f" (revision {revision}): give stylefarm a database of its own"
        )
    if revision is not None and revision not in revisions():
        raise NotMigrated(
            f"the database at {address_of(engine)} was made by a newer release (revision {revision}): upgrade stylefarm"
        )
