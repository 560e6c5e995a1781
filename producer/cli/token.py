"""The command `stylefarm token`: who may use the dashboard and the API from other machines."""

from __future__ import annotations

import click

from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import echo, json_option, print_json, say
from stylefarm.shared.cli.list_output import Item, ListOutput, list_options
from stylefarm.shared.db.access_tables import TokenRow, token_document

COLUMNS = ("id", "user", "role", "created (UTC)", "ends (UTC)")
EMPTY = "there are no tokens: `stylefarm token create USER` makes one"
MAY = {"read": "may look", "submit": "may look, rate and submit", "admin": "may do everything"}


@click.group(cls=CommandGroup)
def token() -> None:
    """Make, list and revoke tokens, by which people and programs use the dashboard and the API."""


@token.command()
@click.argument("user")
@click.option("--role", type=click.Choice(list(MAY)), default="submit", show_default=True, help="What it allows.")
@click.option("--days", type=click.FloatRange(0, 36_500, min_open=True), help="Days until it ends.  [never]")
@json_option
def create(user: str, role: str, days: float | None, as_json: bool) -> None:
    """Make a token for USER. It is shown once: the farm keeps only its hash."""
    from stylefarm.shared.store.access import Role

    with Farm() as farm:
        access = farm.store.access
        token_id, secret = access.create_token(user, Role.parse(role), days)
        row = next(row for row in access.tokens() if row.id == token_id)
    if as_json:
        print_json({"token": token_document(row), "secret": secret})
    else:
        say(f"a token of {user}, who {MAY[role]}; it is not shown again:")
        echo(secret)


@token.command("list")
@list_options
def list_tokens(output: ListOutput) -> None:
    """List the tokens, oldest first."""
    with Farm() as farm:
        rows = farm.store.access.tokens()
        if output.is_table and not rows:
            say(EMPTY)
            return
        output.show(
            "tokens", COLUMNS, lambda: [Item(token_document(row), _row(row)) for row in farm.store.access.tokens()]
        )


@token.command()
@click.argument("token_id", metavar="TOKEN")
@json_option
def revoke(token_id: str, as_json: bool) -> None:
    """Revoke TOKEN, by its id; whoever signed in with it is signed out."""
    with Farm() as farm:
        farm.store.access.revoke_token(token_id)
    if as_json:
        print_json({"deleted": token_id})
    else:
        echo(token_id)


def _row(row: TokenRow) -> tuple[str, ...]:
    ends = "never" if row.expires_at is None else f"{row.expires_at:%Y-%m-%d %H:%M}"
    return row.id, row.user, row.role, f"{row.created_at:%Y-%m-%d %H:%M}", ends
