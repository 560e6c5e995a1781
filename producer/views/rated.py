"""Statuses with what a user thinks of their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stylefarm.producer.views.status import Status
from stylefarm.shared.services import Services


def rated(services: Services, user: str, statuses: Sequence[Status]) -> list[Status]:
    """Return statuses with a user's ratings, by one question for each thousand of them.

    Args:
        services: the farm's.
        user: whose ratings.
        statuses: jobs, in any order.

    Raises:
        ServiceUnavailable: the database does not answer.

    Example:
        rated(farm.services, "ada", farm.statuses(sweep))
    """
    ratings = services.review_reads.ratings(user, list(dict.fromkeys(status.id for status in statuses)))
    if not ratings:
        return list(statuses)
    return [
        replace(status, stars=found.stars, flag=found.flag) if (found := ratings.get(status.id)) is not None else status
        for status in statuses
    ]
