"""The command `stylefarm config`."""

from __future__ import annotations

import click
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import json_option, print_json, print_table, say
from stylefarm.shared.settings import PREFIX, Settings, load_settings, source_of

# Secret settings of which only the password is a secret.
URLS = ("broker_url", "database_url")


@click.group(cls=CommandGroup)
def config() -> None:
    """Show the settings and where each comes from."""


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Show every setting, its value, and where it comes from. Secrets are hidden."""
    settings = load_settings()
    shown = {name: _shown(name, getattr(settings, name)) for name in Settings.model_fields}
    if as_json:
        values = {name: {"value": value, "source": source_of(name)} for name, value in shown.items()}
        print_json({"embedded": settings.embedded, "settings": values})
        return
    rows = [
        (name, "" if value is None else str(value), source_of(name), PREFIX + name.upper(), info.description or "")
        for (name, value), info in zip(shown.items(), Settings.model_fields.values(), strict=True)
    ]
    print_table(("setting", "value", "from", "variable", "what it is"), rows)
    say(_which_farm(settings))


def _which_farm(settings: Settings) -> str:
    if settings.url is not None:
        return f"this farm is asked over HTTP, at {settings.url}"
    return "this farm is embedded: it renders on this machine" if settings.embedded else "this farm is on servers"


def _shown(name: str, value: object) -> object:
    """Return a value without its secret: a URL without its password, of any other secret nothing."""
    if isinstance(value, SecretStr):
        if name not in URLS:
            return "***"
        return make_url(value.get_secret_value()).render_as_string(hide_password=True)
    return value if value is None or isinstance(value, int | float) else str(value)
