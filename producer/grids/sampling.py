"""Draw cells from a grid by a seed: at random, or as a Latin hypercube.

Only `Random.random()` is used, whose numbers Python promises not to change: a seed draws the same cells everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from stylefarm.producer.grids.values import MOST_CELLS
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.spec import SEEDS

METHODS = ("random", "latin-hypercube")


@dataclass(frozen=True)
class Sample:
    """How many cells are drawn, how, and from which seed.

    Example:
        >>> len(Sample(count=2).places([3, 4]))
        2
    """

    count: int = 0
    method: str = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        if not _is_whole(self.count, 1) or self.count > MOST_CELLS:
            raise InvalidSpec(
                f"sample has count = {self.count!r:.60}: must be a whole number, 1 to {MOST_CELLS:,}", ("sample",)
            )
        if self.method not in METHODS:
            raise InvalidSpec(f"sample has method = {self.method!r:.60}: must be {' or '.join(METHODS)}", ("sample",))
        if not _is_whole(self.seed, 0) or self.seed >= SEEDS:
            raise InvalidSpec(f"sample has seed = {self.seed!r:.60}: must be a whole number below {SEEDS}", ("sample",))

    def places(self, lengths: Sequence[int | None]) -> list[tuple[Any, ...]]:
        """Draw cells, each once.

        At random, `count` cells are drawn. For a Latin hypercube each factor is cut into `count` equal parts, each part
        has one cell, and cells that fall together are one.

        Args:
            lengths: how many values each factor has; None for a span.

        Returns:
            For each cell an index into each factor, or a share in [0, 1) of a span.

        Raises:
            InvalidSpec: the factors have fewer cells than are drawn at random.

        Source:
            McKay, Beckman and Conover 1979, "A comparison of three methods for selecting values of input variables".
        """
        # A pseudo-random generator is right here: no secret depends on it.
        random = Random(self.seed).random  # noqa: S311
        if self.method == "random":
            return self._independent(lengths, random)
        columns = [_stratified(self.count, random) for _ in lengths]
        return list(dict.fromkeys(_placed(shares, lengths) for shares in zip(*columns, strict=True)))

    def _independent(self, lengths: Sequence[int | None], random: Callable[[], float]) -> list[tuple[Any, ...]]:
        total = None if None in lengths else math.prod(length or 0 for length in lengths)
        if total is not None and total < self.count:
            raise InvalidSpec(f"sample draws {self.count:,} of {total:,} cells: give a smaller count", ("sample",))
        if total is not None and total <= MOST_CELLS:
            flat = sorted(range(total), key=[random() for _ in range(total)].__getitem__)[: self.count]
            return [_unravelled(number, [length or 1 for length in lengths]) for number in flat]
        drawn: dict[tuple[Any, ...], None] = {}  # a set that keeps the order
        while len(drawn) < self.count:
            drawn[_placed([random() for _ in lengths], lengths)] = None
        return list(drawn)


def _placed(shares: Sequence[float], lengths: Sequence[int | None]) -> tuple[Any, ...]:
    pairs = zip(shares, lengths, strict=True)
    return tuple(share if length is None else int(share * length) for share, length in pairs)


def _unravelled(number: int, lengths: Sequence[int]) -> tuple[int, ...]:
    places = []
    for length in reversed(lengths):
        number, place = divmod(number, length)
        places.append(place)
    return tuple(reversed(places))


def _stratified(count: int, random: Callable[[], float]) -> list[float]:
    order = sorted(range(count), key=[random() for _ in range(count)].__getitem__)
    return [(part + random()) / count for part in order]


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
