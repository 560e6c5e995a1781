"""The values of an axis as a sweep file writes them: lists, ranges, spacings, and spans to draw from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.spec import JobSpec

# A larger grid is most likely a mistake; it is refused before it is expanded.
MOST_CELLS = 1_000_000

_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+step\s+({_NUMBER}))?\s*")
_SPACINGS = ("linspace", "logspace")
_SPANS = ("uniform", "loguniform")
# Computed values are rounded to so many digits, so that 0.1..0.3 has 0.3 and not 0.30000000000000004.
_DIGITS = 12
# No parameter takes larger numbers, and counting a range of them would take for ever.
_LARGEST = 1e12


@dataclass(frozen=True)
class NumberRange:
    """All numbers from `low` to `high`, drawn uniformly, or uniformly in the logarithm.

    Example:
        >>> NumberRange(0, 10, whole=True).at(0.25)
        2
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def at(self, share: float) -> float:
        """Return a number between `low` and `high`.

        Args:
            share: of the way from `low` to `high`, 0 to 1.

        Example:
            >>> NumberRange(1, 100, log=True).at(0.5)
            10.0
        """
        value = self.low * (self.high / self.low) ** share if self.log else self.low + (self.high - self.low) * share
        return round(value) if self.whole else float(f"{value:.{_DIGITS}g}")


Values = Sequence[Any] | NumberRange


def expand(axis: str, entry: Any) -> Values:
    """Return the values that one entry of an axis stands for: itself, a range, a spacing, or a span.

    Args:
        axis: the parameter, for messages.
        entry: a value, as YAML gives it.

    Raises:
        InvalidSpec: the entry is none of them.

    Example:
        >>> list(expand("seed", "1..10 step 3")), expand("tv_weight", {"linspace": [0, 1, 3]})
        ([1, 4, 7, 10], [0.0, 0.5, 1.0])
    """
    if isinstance(entry, str) and (found := _RANGE.fullmatch(entry)):
        return _range(axis, entry, *found.groups())
    if isinstance(entry, Mapping) and len(entry) == 1:
        ((kind, bounds),) = entry.items()
        if kind in _SPACINGS:
            return _spaced(axis, kind, bounds)
        if kind in _SPANS:
            low, high = _numbers(axis, kind, bounds, ("from", "to"))
            _check_span(axis, kind, low, high)
            return NumberRange(low, high, kind == "loguniform", takes_whole_numbers(axis))
    return [entry]


def takes_whole_numbers(parameter: str) -> bool:
    """Return whether a parameter takes whole numbers only.

    Args:
        parameter: its name.

    Example:
        >>> takes_whole_numbers("iterations"), takes_whole_numbers("style_weight")
        (True, False)
    """
    field = JobSpec.model_fields.get(parameter)
    return field is not None and _has(field.annotation, int) and not _has(field.annotation, float)


def _has(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_has(part, kind) for part in getattr(annotation, "__args__", ()))


def _range(axis: str, written: str, first: str, last: str, step: str | None) -> Sequence[Any]:
    start, end, by = Decimal(first), Decimal(last), Decimal(step or 1)
    if not by:
        raise InvalidSpec(f"the axis {axis} has {written!r}, which does not get on: give a step other than 0")
    if (end - start) * by < 0:
        raise InvalidSpec(
            f"the axis {axis} has {written!r}, which goes away from its end: give a step with the other sign"
        )
    if max(abs(start), abs(end)) > _LARGEST:
        raise InvalidSpec(f"the axis {axis} has {written!r}, whose numbers are too large for any parameter")
    if all(number == number.to_integral_value() for number in (start, end, by)):
        return range(int(start), int(end) + (1 if by > 0 else -1), int(by))
    count = int((end - start) / by) + 1
    _check_count(axis, count)
    return [float(start + by * number) for number in range(count)]


def _spaced(axis: str, kind: str, bounds: Any) -> list[Any]:
    low, high, count = _numbers(axis, kind, bounds, ("from", "to", "how many"))
    if count != int(count) or count < 2:
        raise InvalidSpec(f"the axis {axis} has {kind} with {count:g} values: give a whole number from 2 on")
    _check_count(axis, int(count))
    if kind == "logspace":
        _check_positive(axis, kind, low, high)
    span = NumberRange(low, high, kind == "logspace")
    values = [span.at(number / (count - 1)) for number in range(int(count))]
    if takes_whole_numbers(axis):
        return [round(value) for value in values]
    return values


def _numbers(axis: str, kind: str, bounds: Any, wanted: Sequence[str]) -> list[float]:
    is_list = isinstance(bounds, list) and len(bounds) == len(wanted)
    if not is_list or not all(_is_number(bound) for bound in bounds):
        raise InvalidSpec(
            f"the axis {axis} has {kind}: {bounds!r:.60}: write {len(wanted)} numbers, [{', '.join(wanted)}]"
        )
    return [float(bound) for bound in bounds]


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e300
    )


def _check_span(axis: str, kind: str, low: float, high: float) -> None:
    if kind == "loguniform":
        _check_positive(axis, kind, low, high)
    if low >= high:
        raise InvalidSpec(f"the axis {axis} has {kind} from {low:g} to {high:g}: give the lower number first")


def _check_positive(axis: str, kind: str, low: float, high: float) -> None:
    if low <= 0 or high <= 0:
        raise InvalidSpec(
            f"the axis {axis} has {kind} from {low:g} to {high:g}: give the values themselves, both above 0, not their"
            " exponents"
        )


def _check_count(axis: str, count: int) -> None:
    if count > MOST_CELLS:
        raise InvalidSpec(f"the axis {axis} has {count:,} values, more than {MOST_CELLS:,}: shorten it")
