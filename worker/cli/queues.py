"""Which queues a worker's slots take jobs from, as its options say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import click

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queue.routes import DEVICES, queues_of
from stylefarm.shared.spec.terms import LABEL
from stylefarm.shared.text import nearest
from stylefarm.worker.host.pin import Slot

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"


@dataclass(frozen=True)
class Choices:
    """Kinds of jobs by the device that they ask for (none: any that a slot can render), and labels."""

    devices: Sequence[str] = ()
    labels: Sequence[str] = ()

    def queues(self, slot: Slot) -> list[str]:
        """Return the queues of one slot. Raises InvalidRequest if it could take nothing."""
        able = ("auto", slot.device)
        taken = [device for device in self.devices or able if device in able]
        if not taken:
            raise InvalidRequest(
                f"the slot {slot.name} would take no jobs: --queues names {','.join(self.devices)} only, and it renders"
                f" on a {slot.device}: add auto or {slot.device}"
            )
        return queues_of(taken, self.labels)


def read_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return the value of --name."""
    # In claims the name of a process follows it after a colon, and in Celery's words % begins a placeholder.
    if value is not None and not re.fullmatch(NAME, value):
        raise InvalidRequest(f"no worker can be called {value!r}: use letters, digits, . - and _, 63 at most")
    return value


def read_devices(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the value of --queues."""
    names = _parts(value)
    for name in names:
        if name not in DEVICES:
            raise InvalidRequest(f"no queue is called {name!r}{nearest(name, DEVICES)}: give any of auto, cpu, gpu")
    return names


def read_labels(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the value of --labels."""
    names = _parts(value)
    for name in names:
        if not re.fullmatch(LABEL, name):
            raise InvalidRequest(f"the label {name!r} is none: use small letters, digits, - and _, 63 at most")
    return names


def _parts(value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(dict.fromkeys(part.strip() for part in value.split(",")))
