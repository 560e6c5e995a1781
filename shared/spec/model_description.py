"""What a model's file says of the model, read from JSON that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.text import unstorable

# The version of the form.
FORMAT = 1
# Far more than any description has: it is kept in the database, and printed.
LONGEST = 1_000_000
DEEPEST = 50


@dataclass(frozen=True)
class ModelDescription:
    """What is known of a model without its tensors.

    Args:
        method: The method that applies it, one of `MODEL_METHODS`.
        architecture: What the network is built from: plain JSON values, whose names are the method's own.
        card: Where it comes from and how good it is: plain JSON values for a reader.

    Example:
        >>> ModelDescription("cin", {"styles": 3}, {}).document()["format"]
        1
    """

    method: str
    architecture: Mapping[str, Any]
    card: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """Return it as the JSON object that `parse_description` reads."""
        return {
            "format": FORMAT,
            "method": self.method,
            "architecture": dict(self.architecture),
            "card": dict(self.card),
        }


def parse_description(text: str, name: str) -> ModelDescription:
    """Return what the text in a model's file says.

    Args:
        text: JSON.
        name: What messages call the file.

    Raises:
        InvalidRequest: It describes no model, cannot be stored, or is of a later release.

    Example:
        >>> parse_description('{"format": 1, "method": "cin", "architecture": {"styles": 3}}', "a.safetensors").card
        {}
    """
    try:
        document = _loaded(text)
        is_later = document["format"] > FORMAT
        described = ModelDescription(document["method"], document["architecture"], document.get("card") or {})
        fits = _fits(described)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise InvalidRequest(f"{name} is no model of stylefarm: its description cannot be read") from None
    if is_later:
        raise InvalidRequest(f"{name} is of a later release of stylefarm: use that release")
    if not fits:
        raise InvalidRequest(f"{name} is no model of stylefarm: its description cannot be read")
    if described.method not in MODEL_METHODS:
        raise InvalidRequest(
            f"{name} is a model of {described.method!r:.40}, which this release does not have: use a later release"
        )
    return described


def _loaded(text: str) -> Any:
    if len(text) > LONGEST:
        raise ValueError("it is too long")
    document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    unfit = next((each for each in _texts(document) if unstorable(each) is not None), None)
    if unfit is not None:
        raise ValueError("it has letters that cannot be stored")
    return document


def _fits(described: ModelDescription) -> bool:
    """Return whether what the farm itself reads of it has the right kinds; the rest is for the method's network."""
    architecture = described.architecture
    if not (isinstance(described.method, str) and isinstance(architecture, dict) and isinstance(described.card, dict)):
        return False
    levels, styles = architecture.get("levels", []), architecture.get("styles", 1)
    return (
        isinstance(styles, int)
        and isinstance(levels, list)
        and all(isinstance(level, dict) and isinstance(level.get("level"), int) for level in levels)
    )


def _texts(value: object) -> Iterator[str]:
    """Yield all texts of a JSON value. Raises ValueError if it is nested too deeply to be written again."""
    values = [(value, 0)]
    while values:
        each, depth = values.pop()
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from each
            values += ((inner, depth + 1) for inner in each.values())
        elif isinstance(each, list):
            values += ((inner, depth + 1) for inner in each)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _finite(digits: str) -> float:
    found = float(digits)
    if not isfinite(found):
        raise ValueError("a number is too large")
    return found
