"""The terms of a job, which do not change its picture: they are columns of the job's row, not part of its spec.

So two jobs that differ in nothing else have the same `spec_key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.queue.routes import DEFAULT_PRIORITY, HIGHEST, LOWEST, Device

LABEL = r"[a-z0-9][a-z0-9_-]{0,62}"

Priority = Annotated[int, Field(ge=LOWEST, le=HIGHEST)]


MOST_RUNNING = 1_000_000
LONGEST_SECONDS = 30 * 86_400


class Terms(BaseModel):
    """Where and when a job runs. Each description is the help text of the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    priority: Priority = Field(DEFAULT_PRIORITY, description=f"{LOWEST} to {HIGHEST}; higher is rendered first")
    device: Device = Field("auto", description="device to render on; auto: any")
    label: str = Field("", pattern=rf"^({LABEL})?$", description="only workers with this label render it; none: all")
    after: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="ids of jobs that must be done first; if one of them fails, it fails too"
    )
    time_limit: Annotated[float, Field(gt=0, le=LONGEST_SECONDS)] | None = Field(
        None, description="seconds that an attempt may take; none: no limit"
    )
    max_attempts: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="failed attempts before the job fails; none: depends on the kind of failure"
    )


DEFAULT_TERMS = Terms()


def parse_terms(fields: Mapping[str, object]) -> Terms:
    """Read terms from plain values. Raises InvalidSpec with one sentence for all that is wrong."""
    try:
        return Terms.model_validate(dict(fields))
    except ValidationError as error:
        from stylefarm.shared.spec.spec import validation_message

        raise InvalidSpec(validation_message(error, Terms.model_fields)) from None


def check_limit(limit: object) -> int | None:
    """Check a sweep's `max_running` as a user wrote it, and return it. Raises InvalidSpec."""
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and 1 <= limit <= MOST_RUNNING):
        return limit
    raise InvalidSpec(f"max_running = {limit!r:.60}: must be a whole number, 1 to {MOST_RUNNING}")


def split_terms(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split `fields` into the terms and the rest, which is the spec's."""
    terms = {name: value for name, value in fields.items() if name in Terms.model_fields}
    return terms, {name: value for name, value in fields.items() if name not in terms}
