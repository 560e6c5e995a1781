"""The kinds of jobs: what a stored spec asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.spec import JobSpec, load_spec, validation_message
from stylefarm.shared.spec.training import TrainingSpec

AnySpec = JobSpec | TrainingSpec


def load_any_spec(fields: Mapping[str, Any]) -> AnySpec:
    """Read a stored spec of any kind, which was valid when it was stored.

    Args:
        fields: the stored document; its `kind` says what it is, and one without is a stylization.

    Raises:
        InvalidSpec: another release has stored it, and this one cannot read it.

    Example:
        >>> load_any_spec({"kind": "train", "method": "ulyanov", "name": "waves", "style": ["waves.jpg"]}).name
        'waves'
    """
    if fields.get("kind") != TrainingSpec.kind:
        return load_spec(fields)
    try:
        return TrainingSpec.model_validate({name: value for name, value in fields.items() if name != "kind"})
    except ValidationError as error:
        raise InvalidSpec(
            f"this training was submitted by another release, and cannot be read by this one: {error}"
        ) from None


def parse_training(fields: Mapping[str, object]) -> TrainingSpec:
    """Read a training spec from plain values, as a user gives them.

    Args:
        fields: the parameters by name.

    Raises:
        InvalidSpec: with one sentence for all that is wrong, the nearest known name for what is unknown.

    Example:
        >>> parse_training({"method": "ulyanov", "name": "waves", "style": "waves.jpg"}).content_set
        'builtin'
    """
    try:
        return TrainingSpec.model_validate(dict(fields))
    except ValidationError as error:
        raise InvalidSpec(validation_message(error, TrainingSpec.model_fields)) from None
