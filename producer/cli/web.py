"""The command `stylefarm web`: the dashboard and the HTTP API."""

from __future__ import annotations

import click

from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.console import say
from stylefarm.shared.errors import InvalidRequest, InvalidSettings


@click.command("web")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8420, show_default=True, help="Port; 0: any free one.")
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Host name by which it may be asked. Can be given again."
)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
def web(host: str, port: int, names: tuple[str, ...], opens: bool) -> None:
    """Serve the dashboard and the HTTP API until Ctrl-C.

    On this machine alone unless --host says otherwise; then whoever asks needs a token: `stylefarm token create`.
    An embedded farm renders meanwhile.
    """
    try:
        from stylefarm.producer.web.rendering import rendering
        from stylefarm.producer.web.server import address_of, is_for_this_machine, listen, serve
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"the dashboard needs the package {error.name}: pip install 'stylefarm[web]'") from None

    with Farm() as farm:
        farm.check_schema()
        if not is_for_this_machine(host, names) and not farm.services.store.access.tokens():
            raise InvalidRequest(
                f"whoever reaches {host} would need a token, and there is none: `stylefarm token create NAME` makes one"
            )
        with listen(host, port) as listening, rendering(farm):
            address = address_of(listening, host)
            say(f"dashboard at {address} (Ctrl-C ends it)")
            if opens:
                click.launch(address)
            serve(farm, listening, host, hosts=names)
