"""The spec: everything that a job is asked to render.

A spec is complete in itself: the same resolved spec gives the same picture on the same machine. As a user writes it,
`content` and `style` are paths and some parameters are "auto"; as it is stored, they are content hashes and numbers
(`stylefarm.producer.submission.resolver` takes it from one to the other).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import count, takewhile
from typing import Any, ClassVar, Literal, Self

from pydantic import ValidationError, model_validator

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.builtin import LOSSES
from stylefarm.shared.spec.consistency import check_consistent
from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.parameters import (
    FEATURES_SEEDS,
    FIXED_LENGTHS,
    SEEDS,
    Parameters,
)
from stylefarm.shared.spec.space import PIXELS, InputSpace
from stylefarm.shared.text import nearest

__all__ = [
    "BLOB",
    "ENGINE_VERSION",
    "FEATURES_SEEDS",
    "SEEDS",
    "JobSpec",
    "content_key",
    "load_spec",
    "nearest",
    "parse_spec",
    "validation_message",
]

# Raised whenever the same spec would give another picture than before; sums in another order do not count.
ENGINE_VERSION = 4

# Parameters that came after specs were stored, and what was meant without them: the keys of those specs stay.
ADDED: Mapping[str, object] = {
    "first_layer": "strided",
    "alpha": "drop",
    "stop_loss_change": 0.0,
    "stop_loss_steps": 20,
    "model": None,
    "strength": "auto",
    "style_index": (),
    "transform": "auto",
    "levels": (),
    "direction": "forward",
}

BLOB = "sha256:"


class JobSpec(Parameters):
    """One stylization: a content image, styles, and the parameters of the optimization.

    The defaults are those of the preset `auto`; the values of another one stand in for what is not given.
    """

    kind: ClassVar[Literal["stylize"]] = "stylize"
    """Which kind of job it is: no field, so that keys of specs are those of the releases before kinds."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_consistent(self)
        return self

    @property
    def is_applied(self) -> bool:
        """Whether a trained model renders it in one pass, so that there is nothing to optimize."""
        return self.method in MODEL_METHODS

    @property
    def loss_terms(self) -> tuple[str, ...]:
        """The names of the values that each point of the loss curve holds, in order; none without a curve."""
        return () if self.is_applied else ("total", "content", "style", "tv")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The long edge of each scale, coarse to fine; raises TypeError while the size is "auto"."""
        if self.is_applied and isinstance(self.size, int):
            return (self.size,)
        if not isinstance(self.size, int):
            raise TypeError("the size is resolved first")
        return _edges(self.size, self.min_size or self.size, self.scale_factor)

    @property
    def schedule(self) -> tuple[tuple[int, int], ...]:
        """Long edge and iterations of each scale, coarse to fine."""
        first = self.first_iterations or self.iterations
        return tuple((edge, self.iterations if step else first) for step, edge in enumerate(self.sizes))

    @property
    def total_iterations(self) -> int:
        """The iterations of all scales together; one where a trained model renders."""
        if self.is_applied:
            return 1
        return (self.first_iterations or self.iterations) + (len(self.sizes) - 1) * self.iterations

    @property
    def input_space(self) -> InputSpace:
        """The input of the network, where its weights do not say that they were made for another."""
        return InputSpace(self.input_range, self.input_mean, self.input_deviation, self.channel_order)

    @property
    def is_calibrated(self) -> bool:
        """Whether the network is scaled by the job's own pictures, as random filters are."""
        return not self.is_applied and (self.weights is None or self.rescale_filters)

    @property
    def moved_space(self) -> InputSpace:
        """What the optimizer moves."""
        return self.input_space if self.optimize_in == "input" else PIXELS

    @property
    def key(self) -> str:
        """The content hash of the spec, SHA-256 in hex: jobs of one key render one picture."""
        return content_key(self.document())

    def document(self) -> str:
        """Return the spec as JSON, one text for each spec: fields are in the order of the model.

        A parameter that an earlier release had not is left out where it has the value that it had then.
        """
        unchanged = {name for name, value in ADDED.items() if getattr(self, name) == value}
        return self.model_dump_json(exclude=unchanged)


@lru_cache(maxsize=1024)
def _edges(size: int, smallest: int, factor: float) -> tuple[int, ...]:
    finer = (round(size / factor**step) for step in count())
    # A set, since small sizes that a small factor sets apart can round to the same.
    return tuple(sorted(set(takewhile(lambda edge: edge >= smallest, finer)))) or (size,)


def content_key(document: str) -> str:
    """Return the content hash of the spec with this document, SHA-256 in hex."""
    return hashlib.sha256(f"[{ENGINE_VERSION},{document}]".encode()).hexdigest()


# Each kind of job by the name that a document gives as its `kind`; a document without one is the first's.
KINDS: Mapping[str, type[JobSpec]] = {JobSpec.kind: JobSpec}


def parse_spec(fields: Mapping[str, object]) -> JobSpec:
    """Read a spec from plain values, as they come from JSON, YAML or keyword arguments.

    Args:
        fields: the parameters by name, and `kind`, which says what model they are of: "stylize" unless it is given.

    Raises:
        InvalidSpec: with one sentence for all that is wrong, the nearest known name for what is unknown.

    Example:
        >>> parse_spec({"content": "cat.jpg", "style": "waves.jpg"}).size
        'auto'
    """
    model, values = _of_kind(fields)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]["loc"][:1]
        raise InvalidSpec(validation_message(error, model.model_fields), first) from None


def load_spec(fields: Mapping[str, Any]) -> JobSpec:
    """Read a stored spec, which was valid when it was stored.

    Raises:
        InvalidSpec: another release has stored it, and this one cannot read it.
    """
    try:
        model, values = _of_kind(fields)
        # A preset must not fill in what a stored spec leaves out.
        return model.model_validate({**ADDED, **values})
    except (ValidationError, InvalidSpec) as error:
        raise InvalidSpec(
            f"this job was submitted by another release, and cannot be read by this one: {error}"
        ) from None


def _of_kind(fields: Mapping[str, Any]) -> tuple[type[JobSpec], dict[str, Any]]:
    """Return the model of a document's kind, and the other fields. Raises InvalidSpec."""
    values = dict(fields)
    kind = values.pop("kind", JobSpec.kind)
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise InvalidSpec(f"unknown kind {kind!r:.60}{nearest(str(kind), KINDS)}", ("kind",))
    return model, values


def validation_message(error: ValidationError, known: Iterable[str]) -> str:
    """Return one sentence for all that is wrong with what a user wrote; `known` are the known names."""
    names = list(known)
    return "; ".join(_sentence(entry, names) for entry in _distinct(error))


def _distinct(error: ValidationError) -> list[Any]:
    """Return one error for each field: a union reports each of its branches, and the first is the one to read."""
    found: dict[object, Any] = {}
    for entry in error.errors(include_url=False):
        found.setdefault(entry["loc"][:1], entry)
    return list(found.values())


def _sentence(entry: Mapping[str, Any], known: Iterable[str]) -> str:
    name = str(entry["loc"][0]) if entry["loc"] else ""
    if entry["type"] == "extra_forbidden":
        return f"unknown parameter {name!r}{nearest(name, known)}"
    if entry["type"] == "missing" and len(entry["loc"]) == 1:
        return f"{name} is missing: name a picture"
    message = _plain(entry)
    if not name:
        return message
    # Which of several values it is: an entry of a list is counted from 1, one of a mapping has its name.
    inner = () if entry["type"] == "missing" else entry["loc"][1:]
    which = next((part for part in inner if isinstance(part, int) or part in LOSSES), None)
    where = "" if which is None else f" ({which + 1 if isinstance(which, int) else which})"
    shown = repr(entry["input"])
    return f"{name}{where} = {shown if len(shown) <= 60 else shown[:57] + '...'}: {message}"


def _plain(entry: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, without pydantic's own terms."""
    count = FIXED_LENGTHS.get(str(entry["loc"][0])) if entry["loc"] else None
    if count and entry["type"] in {"missing", "too_long", "too_short"}:
        return f"must be {count} numbers"
    if entry["type"] == "string_too_short":
        return "must not be empty"
    if entry["type"] == "string_pattern_mismatch":  # of a label
        return "must be small letters, digits, - and _, and begin with a letter or digit"
    message = str(entry["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return message.replace("a valid tuple", "a list of layers")
