"""Delivery of the webhooks that are due."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.webhooks.delivery import CallFailed, call
from stylefarm.shared.webhooks.subscriptions import WebhookCall, Webhooks

# Calls of one run; the next run makes the others.
CALLS_PER_RUN = 100
# So that one who answers slowly does not keep the others waiting.
CALLS_AT_ONCE = 8

UNSIGNED = "nobody can sign this call yet: set STYLEFARM_WEBHOOK_SECRET for the workers"


class WebhookCaller:
    """Finds the webhooks that are due and calls them; any number of callers may run at once.

    Without a `secret` calls cannot be signed, and are not made; `Webhooks.of` says so.
    """

    def __init__(self, webhooks: Webhooks, secret: str | None, *, allow_private: bool) -> None:
        self.webhooks = webhooks
        self.secret = secret
        self.allow_private = allow_private

    def run(self, over: threading.Event | None = None) -> int:
        """Make the calls that are due, until `over` is set; return how many succeeded. Raises ServiceUnavailable."""
        self.webhooks.mark_due()
        if self.secret is None:
            self.webhooks.mark_unsigned(UNSIGNED)
            return 0
        free = threading.Semaphore(CALLS_AT_ONCE)
        calls = []
        with ThreadPoolExecutor(CALLS_AT_ONCE, "webhook") as threads:
            for _ in range(CALLS_PER_RUN):
                # A call is taken when it can be made: what is taken and not made in time, another caller makes, too.
                free.acquire()
                due = None if over is not None and over.is_set() else self.webhooks.take_due()
                if due is None:
                    break
                calls.append(threads.submit(self._make, due, self.secret))
                calls[-1].add_done_callback(lambda _: free.release())
        return sum(call.result() for call in calls)

    def _make(self, due: WebhookCall, secret: str) -> bool:
        """Make a call, record how it went, and return whether it succeeded."""
        try:
            call(due.url, due.document, secret, due.message_id, allow_private=self.allow_private)
        except (CallFailed, InvalidRequest) as error:
            self.webhooks.record_outcome(due, str(error))
            return False
        self.webhooks.record_outcome(due, None)
        return True
