"""What a user thinks of a picture: stars, and a flag."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from stylefarm.shared.errors import InvalidRequest

Flag = Literal["pick", "reject"]

MOST_STARS = 5
FLAGS = ("pick", "reject")


class Kept(Enum):
    """Stands for a part of a rating that stays as it is, where None would clear it."""

    KEPT = "kept"


KEPT = Kept.KEPT


@dataclass(frozen=True)
class Rating:
    """What a user thinks of a job's picture: 0 to 5 `stars` or None, and a flag, "pick" or "reject", or None."""

    stars: int | None = None
    flag: str | None = None

    def __post_init__(self) -> None:
        check_stars(self.stars)
        if self.flag not in (None, *FLAGS):
            raise InvalidRequest(f"no flag is called {self.flag!r:.40}: give pick, reject, or none")


def check_stars(stars: int | None) -> int | None:
    """Return stars that a rating can have.

    Raises:
        InvalidRequest: it can have no such number.

    Example:
        >>> check_stars(4)
        4
    """
    if stars is None or (isinstance(stars, int) and not isinstance(stars, bool) and 0 <= stars <= MOST_STARS):
        return stars
    raise InvalidRequest(f"a rating of {stars!r:.40} stars is out of range: give 0 to {MOST_STARS}")


NOT_RATED = Rating()


def rating_change(stars: int | Kept | None, flag: Flag | Kept | None) -> dict[str, Any]:
    """Return what changes of a rating, by the name of its part.

    Args:
        stars: 0 to 5; None clears them, KEPT leaves them.
        flag: pick or reject; None clears it, KEPT leaves it.

    Raises:
        InvalidRequest: nothing is to change.

    Example:
        >>> rating_change(4, KEPT), rating_change(KEPT, None)
        ({'stars': 4}, {'flag': None})
    """
    given = {"stars": stars, "flag": flag}
    change = {name: value for name, value in given.items() if value is not KEPT}
    if not change:
        raise InvalidRequest("no stars and no flag are given: give one of them, or None to clear it")
    return change
