"""How many submissions a user may send, told in the RateLimit fields of each answer."""

from __future__ import annotations

import math
import time

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from stylefarm.producer.web.problems import Refused

SUBMISSIONS = "120/minute"


class Rates:
    """The limit of submissions by user, kept by this process."""

    def __init__(self, limit: str = SUBMISSIONS) -> None:
        self.limit: RateLimitItem = parse(limit)
        self.limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def take(self, user: str) -> dict[str, str]:
        """Count a submission, and return the header fields that tell what is left. Raises Refused, 429."""
        allowed = self.limiter.hit(self.limit, user)
        stats = self.limiter.get_window_stats(self.limit, user)
        reset = max(1, math.ceil(stats.reset_time - time.time()))
        policy = f'"submissions";q={self.limit.amount};w={self.limit.get_expiry()}'
        fields = {"RateLimit-Policy": policy, "RateLimit": f'"submissions";r={max(0, stats.remaining)};t={reset}'}
        if not allowed:
            raise Refused(
                f"{self.limit.amount} submissions a minute are the limit: wait {reset} s, or submit a sweep, which"
                " counts as one",
                429,
                {**fields, "Retry-After": str(reset)},
            )
        return fields


def submission_rate(request: Request, user: str) -> dict[str, str]:
    """Count a submission of a user, and return the header fields of the answer. Raises Refused, 429."""
    rates: Rates = request.app.state.rates
    return rates.take(user)
