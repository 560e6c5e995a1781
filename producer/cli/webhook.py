"""The command `stylefarm sweep webhook`."""

from __future__ import annotations

import click

from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.console import json_option, print_json, print_table
from stylefarm.shared.db.tables import WebhookRow
from stylefarm.shared.schema.documents import WebhookDocument
from stylefarm.shared.webhooks.subscriptions import PAUSES


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@click.argument("url", required=False)
@click.option("--remove", is_flag=True, help="Remove the webhook.")
@json_option
def webhook(sweep_id: str, url: str | None, remove: bool, as_json: bool) -> None:
    """Call URL when the first job of SWEEP fails, and when all have ended; or show the calls.

    The call is a POST of JSON, signed with STYLEFARM_WEBHOOK_SECRET; see docs/sweeps.md.
    """
    if remove and url is not None:
        raise click.UsageError("give an address, or --remove")
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        if remove or url is not None:
            found.call(url)
        calls = found.calls()
        if as_json:
            print_json({"sweep": {"id": found.id}, "webhooks": [_document(call) for call in calls]})
        else:
            rows = [(call.event, call.url, standing(call), str(call.tries), call.error or "") for call in calls]
            print_table(("event", "address", "state", "tries", "last error"), rows)


def standing(call: WebhookRow) -> str:
    """Return the state of a call, in a word or two."""
    if call.delivered_at is not None:
        return "delivered"
    if call.due_at is None:
        return "waiting"
    return "given up" if call.tries >= len(PAUSES) else "due"


def _document(call: WebhookRow) -> WebhookDocument:
    return {
        "event": call.event,
        "url": call.url,
        "state": standing(call),
        "tries": call.tries,
        "delivered_at": None if call.delivered_at is None else call.delivered_at.isoformat(),
        "error": call.error,
    }
