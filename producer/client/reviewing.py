"""What users think of pictures, by a farm: ratings, and undo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from stylefarm.producer.client.items import HasId
from stylefarm.producer.client.session import Session
from stylefarm.shared.spec.ratings import KEPT, Flag, Kept, Rating, rating_change

if TYPE_CHECKING:
    from stylefarm.shared.store.reviews import ReviewAction


class ReviewSession(Session):
    """A session in which the user, as the setting `user` names one, rates pictures.

    Example:
        with Farm() as farm:
            farm.rate(farm.find_sweep("cats").picks(), stars=5)
            farm.undo()
    """

    def rate(
        self, jobs: Iterable[HasId], *, stars: int | Kept | None = KEPT, flag: Flag | Kept | None = KEPT
    ) -> Mapping[str, Rating]:
        """Rate jobs alike, as one action, which one `undo` takes back.

        Args:
            jobs: at least one.
            stars: 0 to 5; None clears them; left out, they stay.
            flag: "pick" or "reject"; None clears it; left out, it stays.

        Returns:
            The ratings that the jobs have then, by their ids.

        Raises:
            InvalidRequest: there are no jobs, nothing is to change, or there is no such value.
            NotFound: one of the jobs was deleted; nothing is changed.

        Example:
            farm.rate([job for job in sweep if job.status().loss > 1e6], flag="reject")
        """
        return rate(self, jobs, stars=stars, flag=flag)

    def undo(self) -> ReviewAction | None:
        """Take back the user's newest rating, or vote, also one that was made in the browser.

        Returns:
            What was undone: its `kind`, and the `ratings` that stand now, by job; None if there is nothing to undo.

        Example:
            while farm.undo() is not None:
                pass
        """
        return self.backend.undo()

    def redo(self) -> ReviewAction | None:
        """Do again what was undone last.

        Returns:
            As `undo`; None if nothing was undone, or something else was done since.

        Example:
            farm.undo()
            farm.redo()
        """
        return self.backend.redo()


def rate(
    farm: Session, jobs: Iterable[HasId], *, stars: int | Kept | None, flag: Flag | Kept | None
) -> Mapping[str, Rating]:
    """Rate jobs, as `ReviewSession.rate` does.

    Args:
        farm: where they are.
        jobs: at least one.
        stars: 0 to 5, None or KEPT.
        flag: "pick", "reject", None or KEPT.

    Returns:
        The ratings, by job.

    Raises:
        InvalidRequest: as `ReviewSession.rate`.
        NotFound: as `ReviewSession.rate`.

    Example:
        rate(farm, [job], stars=4, flag=KEPT)
    """
    change = rating_change(stars, flag)
    return farm.backend.rate({job.id: change for job in jobs})
