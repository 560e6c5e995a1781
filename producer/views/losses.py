"""A job's loss curve as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stylefarm.shared.db.records import LossPoint


@dataclass(frozen=True, eq=False)
class Losses:
    """The loss curve of one job: an element of each array for each recorded iteration, by iteration.

    Attributes:
        iteration: int64, counted in steps; 0 is the start.
        terms: By name, "total" first, each float64 and weighted as it is in the total. Those of a stylization are
            total, content, style and tv (total variation), which are attributes, too.

    Example:
        >>> import numpy as np
        >>> curve = Losses(np.array([0, 1]), {"total": np.array([2.0, 1.0])})
        >>> len(curve), float(curve.total[-1])
        (2, 1.0)
    """

    iteration: NDArray[np.int64]
    terms: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, points: Sequence[LossPoint], terms: Sequence[str]) -> Self:
        """Return the curve of stored points.

        Args:
            points: in the order of their iterations.
            terms: the names of the values of each point, in their order.

        Example:
            >>> Losses.of([LossPoint(0, (3.0, 2.0)), LossPoint(1, (2.0, 0.5))], ("total", "style")).style.tolist()
            [2.0, 0.5]
        """
        if points:
            # Another release may have stored the names in a way that is not known here; the total comes first in all.
            unnamed = ["total", *(f"term{place}" for place in range(1, len(points[0].losses)))]
            terms = [*terms, *unnamed[len(terms) :]]
        values = np.array([point.losses for point in points], np.float64).reshape(len(points), len(terms))
        columns = {name: np.ascontiguousarray(column) for name, column in zip(terms, values.T, strict=True)}
        return cls(np.array([point.iteration for point in points], np.int64), columns)

    @property
    def total(self) -> NDArray[np.float64]:
        """The sum of the terms."""
        return self._term("total")

    @property
    def content(self) -> NDArray[np.float64]:
        """The content loss, weighted. Raises AttributeError for a job that has none."""
        return self._term("content")

    @property
    def style(self) -> NDArray[np.float64]:
        """The style loss, weighted. Raises AttributeError for a job that has none."""
        return self._term("style")

    @property
    def tv(self) -> NDArray[np.float64]:
        """The total variation, weighted. Raises AttributeError for a job that has none."""
        return self._term("tv")

    def _term(self, name: str) -> NDArray[np.float64]:
        if name not in self.terms:
            raise AttributeError(f"this job has no {name} loss: it has {', '.join(self.terms)}")
        return self.terms[name]

    def rows(self) -> Iterator[dict[str, int | float]]:
        """Yield each point as plain numbers: "iteration", then each term by its name.

        Example:
            for row in job.losses().rows():
                print(row["iteration"], row["total"])
        """
        names = ("iteration", *self.terms)
        for values in zip(self.iteration.tolist(), *(term.tolist() for term in self.terms.values()), strict=True):
            yield dict(zip(names, values, strict=True))

    def __len__(self) -> int:
        return len(self.iteration)

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same to the last bit."""
        if not isinstance(other, Losses):
            return NotImplemented
        return np.array_equal(self.iteration, other.iteration) and (
            list(self.terms) == list(other.terms)
            and all(np.array_equal(self.terms[name], other.terms[name]) for name in self.terms)
        )
