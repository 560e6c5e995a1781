"""Artifacts and named loss terms; tables are called by what they hold

`job_requests` was `orders`, `leader_locks` was `duties`, `loss_points` was `losses`. `artifacts` takes the place of
`snapshots` and of the columns of `jobs` that named a result and a checkpoint.
"""

# ruff: noqa: S608 - the statements are put together from names of our own

from __future__ import annotations

import json
import struct
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TERMS = ("total", "content", "style", "tv")

# By the suffix of an object's key.
MEDIA_TYPE = (
    "CASE WHEN key LIKE '%.png' THEN 'image/png' WHEN key LIKE '%.jpeg' THEN 'image/jpeg'"
    " WHEN key LIKE '%.webp' THEN 'image/webp' WHEN key LIKE '%.avif' THEN 'image/avif'"
    " WHEN key LIKE '%.tiff' THEN 'image/tiff' ELSE 'application/octet-stream' END"
)

ARTIFACT = "INSERT INTO artifacts (job_id, attempt, role, iteration, key, sha256, bytes, media_type)"


def upgrade() -> None:
    _upgrade_tables()
    _upgrade_artifacts()
    _upgrade_losses()


def downgrade() -> None:
    """Make the tables of 0013 again; artifacts that these have no place for are left out."""
    _downgrade_losses()
    _downgrade_artifacts()
    _downgrade_tables()


def _upgrade_tables() -> None:
    # Not by new names alone, since SQLite cannot rename constraints.
    op.create_table(
        "job_requests",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("loss_terms", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_requests_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_requests")),
    )
    op.execute(
        "INSERT INTO job_requests (job_id, spec, notes, loss_terms)"
        f" SELECT job_id, spec, notes, '{json.dumps(TERMS)}' FROM orders"
    )
    op.drop_table("orders")
    _move("duties", "leader_locks")


def _downgrade_tables() -> None:
    op.create_table(
        "orders",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_orders_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_orders")),
    )
    op.execute("INSERT INTO orders (job_id, spec, notes) SELECT job_id, spec, notes FROM job_requests")
    op.drop_table("job_requests")
    _move("leader_locks", "duties")


def _move(before: str, after: str) -> None:
    op.create_table(
        after,
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f(f"pk_{after}")),
    )
    op.execute(f"INSERT INTO {after} (name, holder, until) SELECT name, holder, until FROM {before}")
    op.drop_table(before)


def _upgrade_artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_artifacts_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifacts")),
    )
    op.execute(
        f"{ARTIFACT} SELECT id, attempt, 'result', iteration, result_key, result_sha256, result_bytes,"
        f" {MEDIA_TYPE.replace('key', 'result_key')} FROM jobs WHERE result_key IS NOT NULL"
    )
    op.execute(
        f"{ARTIFACT} SELECT id, checkpoint_attempt, 'checkpoint', checkpoint_iteration, checkpoint_key,"
        " checkpoint_sha256, checkpoint_bytes, 'application/octet-stream' FROM jobs WHERE checkpoint_key IS NOT NULL"
    )
    op.execute(
        f"{ARTIFACT} SELECT snapshots.job_id, {_attempt_of_key()}, 'snapshot', snapshots.iteration, key, sha256, bytes,"
        f" {MEDIA_TYPE} FROM snapshots JOIN jobs ON jobs.id = snapshots.job_id"
    )
    with op.batch_alter_table("artifacts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_artifacts_job_id_role_iteration_key"), ["job_id", "role", "iteration", "key"], unique=True
        )
    op.drop_table("snapshots")
    # Not by a batch, which on SQLite makes the table anew, and with the old one drops what belongs to its jobs.
    for column in ("key", "sha256", "bytes"):
        op.drop_column("jobs", f"result_{column}")
    for column in ("key", "sha256", "bytes", "iteration", "attempt"):
        op.drop_column("jobs", f"checkpoint_{column}")


def _attempt_of_key() -> str:
    """Return the SQL of the attempt that a snapshot's key names, jobs/{id}/{attempt}/...; else the job's last one."""
    if op.get_bind().dialect.name == "postgresql":
        part = "split_part(key, '/', 3)"
        return f"CASE WHEN {part} ~ '^[0-9]{{1,9}}$' THEN CAST({part} AS integer) ELSE jobs.attempt END"
    rest = "substr(key, length('jobs/' || jobs.id || '/') + 1)"
    number = f"substr({rest}, 1, instr({rest}, '/') - 1)"
    named = f"key LIKE 'jobs/' || jobs.id || '/%/%' AND {number} GLOB '[0-9]*'"
    return f"CASE WHEN {named} THEN CAST({number} AS INTEGER) ELSE jobs.attempt END"


def _downgrade_artifacts() -> None:
    op.create_table(
        "snapshots",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_snapshots_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "iteration", name=op.f("pk_snapshots")),
    )
    op.execute(
        "INSERT INTO snapshots (job_id, iteration, key, sha256, bytes)"
        " SELECT job_id, iteration, key, sha256, bytes FROM artifacts WHERE role = 'snapshot'"
    )
    types: dict[str, sa.types.TypeEngine[Any]] = {
        "key": sa.Text(),
        "sha256": sa.String(length=64),
        "bytes": sa.BigInteger(),
        "iteration": sa.Integer(),
        "attempt": sa.Integer(),
    }
    for role, columns in (("result", list(types)[:3]), ("checkpoint", list(types))):
        for column in columns:
            op.add_column("jobs", sa.Column(f"{role}_{column}", types[column], nullable=True))
        values = ", ".join(f"{role}_{column} = artifacts.{column}" for column in columns)
        op.execute(
            f"UPDATE jobs SET {values} FROM artifacts WHERE artifacts.job_id = jobs.id AND artifacts.role = '{role}'"
        )
    op.drop_table("artifacts")


def _upgrade_losses() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "loss_points",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("losses", sa.ARRAY(sa.Double()) if postgresql else sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_loss_points_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "iteration", name=op.f("pk_loss_points")),
    )
    terms = ", ".join(TERMS)
    if not postgresql:
        _sqlite_function("pack_terms", len(TERMS), lambda *values: struct.pack(f"<{len(values)}d", *values))
    packed = f"ARRAY[{terms}]" if postgresql else f"pack_terms({terms})"
    op.execute(f"INSERT INTO loss_points (job_id, iteration, losses) SELECT job_id, iteration, {packed} FROM losses")
    op.drop_table("losses")


def _downgrade_losses() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "losses",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("iteration", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(term, sa.Double(), nullable=False) for term in TERMS),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_losses_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "iteration", name=op.f("pk_losses")),
    )
    if not postgresql:
        _sqlite_function("unpack_term", 2, lambda data, at: struct.unpack_from("<d", data, 8 * at)[0])
    values = ", ".join(f"losses[{at + 1}]" if postgresql else f"unpack_term(losses, {at})" for at in range(len(TERMS)))
    op.execute(
        f"INSERT INTO losses (job_id, iteration, {', '.join(TERMS)})"
        f" SELECT job_id, iteration, {values} FROM loss_points"
        # What jobs with terms of their own have recorded has no place there.
        " WHERE job_id IN (SELECT job_id FROM job_requests"
        f" WHERE REPLACE(CAST(loss_terms AS TEXT), ' ', '') = '{json.dumps(TERMS, separators=(',', ':'))}')"
    )
    op.drop_table("loss_points")


def _sqlite_function(name: str, parameters: int, function: object) -> None:
    op.get_bind().connection.driver_connection.create_function(name, parameters, function, deterministic=True)  # type: ignore[union-attr]
