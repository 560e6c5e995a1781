"""The status of a job that is nowhere, for what only reads statuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State


def status(**fields: Any) -> Status:
    """A finished job of the fields that are given; the others are as plain as can be."""
    plain: dict[str, Any] = {
        "id": "",
        "sweep": None,
        "state": State.DONE,
        "content": "content.png",
        "style": "style.png",
        "cell": {},
        "priority": 5,
        "device": "auto",
        "label": "",
        "attempt": 1,
        "iteration": 1,
        "iterations": 1,
        "loss": None,
        "error": None,
        "error_class": None,
        "notes": (),
        "spec": {},
        "worker": None,
        "result_key": None,
        "result_sha256": None,
        "result_bytes": None,
        "metrics": {},
        "created_at": datetime.now(UTC),
        "started_at": None,
        "finished_at": None,
    }
    return Status(**{**plain, **fields})
