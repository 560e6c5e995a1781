"""A job's loss curve as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stylefarm.shared.db.tables import LossRow


@dataclass(frozen=True, eq=False)
class Losses:
    """The loss curve of one job: an element of each array for each recorded iteration, by iteration.

    Attributes:
        iteration: int64, counted in steps; 0 is the start.
        total: float64, the sum of the terms.
        content: float64, weighted as it is in the total.
        style: float64, likewise.
        tv: float64, total variation, likewise.

    Example:
        >>> import numpy as np
        >>> curve = Losses(np.array([0, 1]), *(np.array([2.0, 1.0]) for _ in range(4)))
        >>> len(curve), float(curve.total[-1])
        (2, 1.0)
    """

    iteration: NDArray[np.int64]
    total: NDArray[np.float64]
    content: NDArray[np.float64]
    style: NDArray[np.float64]
    tv: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Sequence[LossRow]) -> Self:
        """Return the curve of these rows, in their order."""
        terms = ([getattr(row, term) for row in rows] for term in ("total", "content", "style", "tv"))
        return cls(np.array([row.iteration for row in rows], np.int64), *(np.array(term, np.float64) for term in terms))

    def __len__(self) -> int:
        return len(self.iteration)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same to the last bit."""
        if not isinstance(other, Losses):
            return NotImplemented
        return all(np.array_equal(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
