"""A sweep file of some cells of a sweep: what they have in common, and what each has of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stylefarm.producer.views.labels import key_of
from stylefarm.producer.views.status import Status
from stylefarm.producer.web.variations import base_of


def sweep_file(name: str, statuses: Sequence[Status]) -> dict[str, Any]:
    """Return what a sweep file says that renders these jobs, and nothing else.

    Args:
        name: what the sweep is called.
        statuses: jobs of one farm.

    Returns:
        The file's content: parameters in which they differ turn together, each list has one value for each job.
        Pictures are named by their hashes, so that it can be submitted wherever the farm is reached from.
    """
    bases = [base_of(status.spec, status.content, status.style) for status in statuses]
    names = list(dict.fromkeys(name for base in bases for name in base))
    varying = [name for name in names if len({key_of(base.get(name)) for base in bases}) > 1]
    common = {name: bases[0][name] for name in names if name not in varying}
    document: dict[str, Any] = {"name": name, "base": common}
    if varying:
        document["zip"] = [{name: [base.get(name) for base in bases] for name in varying}]
    return document
