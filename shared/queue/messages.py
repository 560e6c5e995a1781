"""What hints and commands of Celery's remote control look like in Redis, and which messages are such.

Whoever reaches Redis can put anything there. Celery takes headers of a message for granted, and ends when they are of
the wrong type. So it never sees a message as it came: of a hint the job's id alone is taken, of a command its name and
whom to answer, and a new message is made of that.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from stylefarm.shared.queue.routes import to_redis

TASK = "stylefarm.render"

# Ours have 700 bytes; what is longer is not even parsed.
LONGEST_BYTES = 16_384

# What Flower asks for. The others would take the queues from a slot, change its pool, or end it.
COMMANDS = frozenset(
    {
        *("ping", "enable_events", "disable_events", "heartbeat"),
        *("stats", "conf", "report", "clock", "registered", "active_queues"),
        *("active", "reserved", "scheduled", "revoked"),
    }
)
_ASKED_BY = ("destination", "pattern", "matcher", "ticket", "reply_to")

_JOB, _DELIVERY = "<job>", "<delivery>"
_NOTHING = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@lru_cache(maxsize=64)
def envelope(queue: str, priority: int) -> str:
    """Return a task of Celery's protocol 2, as kombu sends it, with placeholders for the ids of job and delivery."""
    document = {
        "body": json.dumps([[_JOB], {}, _NOTHING]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": TASK, "id": _JOB, "root_id": _JOB, "argsrepr": f"['{_JOB}']"},
        "properties": {
            "correlation_id": _JOB,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": to_redis(priority),
            "delivery_tag": _DELIVERY,
        },
    }
    return json.dumps(document)


def write_hint(envelope: str, job_id: str) -> str:
    """Return the message that is a job's hint."""
    return envelope.replace(_JOB, job_id).replace(_DELIVERY, uuid.uuid4().hex)


def read_hint(data: bytes) -> str | None:
    """Return the job of a hint; None for any other message.

    Example:
        >>> job_id = "0198f0e4-6d3c-7cc1-8ad2-4be1e8c80d6a"
        >>> read_hint(write_hint(envelope("stylefarm.auto", 5), job_id).encode()) == job_id
        True
        >>> read_hint(b"garbage") is None
        True
    """
    headers = _member(_document(data), "headers")
    job_id = headers.get("id")
    if headers.get("task") != TASK or not isinstance(job_id, str) or not _UUID.fullmatch(job_id):
        return None
    return job_id


def read_command(data: bytes) -> str | None:
    """Return a command of Celery's remote control that shows something, without its arguments; None for any other."""
    document = _document(data)
    text = None if document is None else document.get("body")
    try:
        body = _document(base64.b64decode(text, validate=True)) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None
    method = None if body is None else body.get("method")
    if body is None or not isinstance(method, str) or method not in COMMANDS:
        return None
    asked = {"method": method, **{key: body[key] for key in _ASKED_BY if key in body}}
    message = {
        "body": base64.b64encode(json.dumps(asked).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""},
            "delivery_tag": uuid.uuid4().hex,
        },
    }
    return json.dumps(message)


def _document(data: bytes) -> Mapping[str, Any] | None:
    """Return the object that a message is in JSON; None if it is none."""
    if len(data) > LONGEST_BYTES:
        return None
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):  # which has every way of not being JSON, or not UTF-8
        return None
    return document if isinstance(document, dict) else None


def _member(document: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    member = None if document is None else document.get(key)
    return member if isinstance(member, dict) else {}
