"""A database as the release before artifacts has left it, and what is in any database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, MetaData, Table, inspect, select, text

from stylefarm import migrations
from stylefarm.shared.db.connection import connect
from stylefarm.shared.spec.spec import JobSpec

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SWEEP = "5" * 36
DONE, FAILED, RUNNING, OLD = ("d" * 36, "f" * 36, "a" * 36, "0" * 36)
SPEC = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)

COLUMNS = {
    "sweep_id": SWEEP,
    "cell": '{"seed": 1}',
    "spec_key": SPEC.key,
    "content_name": "a.png",
    "style_name": "s.png",
    "created_at": AT,
    "device": "gpu",
    "label": "big",
    "priority": 7,
    "time_limit": 1.5,
    "batch_key": "k" * 32,
    "max_attempts": 3,
    "updated_at": AT,
    "iterations": 5,
    "cancel_requested": False,
    "pause_requested": False,
}
JOBS: list[dict[str, Any]] = [
    {
        "id": DONE,
        "position": 0,
        "state": "done",
        "attempt": 2,
        "iteration": 5,
        "loss": 0.1,
        "worker": "w:1",
        "started_at": AT,
        "finished_at": AT,
        "metrics": '{"ssim": 0.5}',
        "result_key": f"jobs/{DONE}/2/result.jpeg",
        "result_sha256": "1" * 64,
        "result_bytes": 2**40,
    },
    {
        "id": FAILED,
        "position": 1,
        "state": "failed",
        "attempt": 1,
        "iteration": 2,
        "finished_at": AT,
        "error": "it broke",
        "error_class": "input",
        "failures": '{"infrastructure": 1}',
    },
    {
        "id": RUNNING,
        "position": 2,
        "state": "running",
        "attempt": 3,
        "iteration": 4,
        "lease_until": AT,
        "checkpoint_key": f"jobs/{RUNNING}/2/checkpoint-3.safetensors",
        "checkpoint_sha256": "2" * 64,
        "checkpoint_bytes": 7,
        "checkpoint_iteration": 3,
        "checkpoint_attempt": 2,
        "cancel_requested": True,
    },
    {"id": OLD, "position": 3, "state": "queued", "attempt": 12, "iteration": 1, "pause_requested": True},
]
SNAPSHOTS = [
    (DONE, 2, f"jobs/{DONE}/1/snapshots/000002.jpeg"),
    (DONE, 4, f"jobs/{DONE}/2/snapshots/000004.jpeg"),
    (RUNNING, 2, f"jobs/{RUNNING}/1/snapshots/000002.png"),
    # Keys that nobody writes, which are kept all the same.
    (OLD, 1, "k"),
    (OLD, 2, f"jobs/{OLD}/x/2.webp"),
]
# To the last bit: numbers at the ends of float64, and one without a short decimal form.
LOSSES = [(DONE, step, 1e308 / (step + 1), 5e-324, -0.0, 0.1 + 0.2) for step in range(6)] + [
    (RUNNING, 0, 3.0, 1.0, 2.0, 0.0)
]

ROWS: dict[str, list[dict[str, Any]]] = {
    "sweeps": [
        {"id": SWEEP, "name": "n", "axes": '{"seed": [1]}', "created_at": AT, "max_running": 2, "key": "c" * 64},
        {"id": "6" * 36, "name": "", "axes": "{}", "created_at": AT},
    ],
    "jobs": [{**COLUMNS, **job} for job in JOBS],
    "orders": [
        {"job_id": job["id"], "spec": SPEC.document(), "notes": json.dumps([f"note {number}"])}
        for number, job in enumerate(JOBS)
    ],
    "shared_cells": [{"sweep_id": "6" * 36, "position": 0, "cell": '{"seed": 1}', "job_id": DONE}],
    "attempts": [
        {
            "job_id": DONE,
            "attempt": number,
            "worker": "w:1",
            "started_at": AT,
            "ended_at": AT,
            "outcome": outcome,
            "record": '{"host": "h"}',
        }
        for number, outcome in ((1, "released"), (2, "done"))
    ],
    "events": [
        {"job_id": DONE, "at": AT, "attempt": 2, "state": "done", "worker": "w:1", "reason": reason}
        for reason in ("claimed", "rendered")
    ],
    "losses": [
        dict(zip(("job_id", "iteration", "total", "content", "style", "tv"), row, strict=True)) for row in LOSSES
    ],
    "snapshots": [
        {"job_id": job_id, "iteration": iteration, "key": key, "sha256": "3" * 64, "bytes": iteration}
        for job_id, iteration, key in SNAPSHOTS
    ],
    "weights": [
        {
            "name": "vgg19",
            "sha256": "4" * 64,
            "architecture": "vgg19",
            "source": "torchvision",
            "bytes": 9,
            "created_at": AT,
        }
    ],
    "duties": [{"name": "reconciler", "holder": "h:1", "until": AT}],
    "workers": [
        {
            "name": "w",
            "host": "h",
            "device": "cpu",
            "queues": '["q"]',
            "labels": '["big"]',
            "state": "benched",
            "reason": "it failed",
            "failures": 3,
            "started_at": AT,
            "seen_at": AT,
        }
    ],
    "dependencies": [{"job_id": FAILED, "parent_id": DONE}],
    "webhooks": [
        {
            "sweep_id": SWEEP,
            "event": "ended",
            "url": "https://example.org",
            "due_at": AT,
            "tries": 1,
            "delivered_at": AT,
            "error": "no answer",
        }
    ],
}


@pytest.fixture(params=["sqlite", "postgresql"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database as the release before artifacts has left it, with something in each column of each table."""
    sqlite = f"sqlite:///{tmp_path / 'before.db'}"
    engine = connect(sqlite if request.param == "sqlite" else request.getfixturevalue("empty_postgres_url"))
    move_to(engine, "0013")
    with engine.begin() as connection:
        for table, rows in ROWS.items():
            for row in rows:
                values = {name: _bound(engine, value) for name, value in row.items()}
                names = ", ".join(f":{name}" for name in row)
                connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({names})"), values)
    yield engine
    engine.dispose()


def _bound(engine: Engine, value: Any) -> Any:
    """A time as SQLite's columns hold it, which are plain UTC."""
    is_time = isinstance(value, datetime) and engine.dialect.name == "sqlite"
    return value.replace(tzinfo=None).isoformat(" ") if is_time else value


def move_to(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        settings = migrations.config()
        settings.attributes["connection"] = connection
        current = migrations._revision(connection)
        (command.downgrade if current and current > revision else command.upgrade)(settings, revision)


def contents(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, each as a mapping, in the order of their keys."""
    with engine.connect() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        return {name: _rows(connection, table) for name, table in metadata.tables.items() if name != "alembic_version"}


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    rows = connection.execute(select(table).order_by(*table.primary_key.columns))
    return [dict(row._mapping) for row in rows]


def schema(engine: Engine) -> dict[str, Any]:
    """Names, types, keys and indexes of every table, without the order of columns."""
    inspector = inspect(engine)
    return {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"], str(c["default"])) for c in inspector.get_columns(table)),
            inspector.get_pk_constraint(table)["name"],
            sorted(str(key["name"]) for key in inspector.get_foreign_keys(table)),
            sorted((str(index["name"]), tuple(index["column_names"])) for index in inspector.get_indexes(table)),
        )
        for table in inspector.get_table_names()
    }
