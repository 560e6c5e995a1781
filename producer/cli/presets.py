"""The command `stylefarm presets`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import yaml

from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import echo, json_option, print_json
from stylefarm.shared.cli.list_output import Item, ListOutput, list_options
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.presets import PRESETS, QUALITIES, SQUEEZENET_PRESETS, SUMMARIES
from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.shared.text import nearest

# Parameters that belong to a job rather than to a program.
OF_THE_JOB = (
    "content",
    "style",
    "preset",
    "content_masks",
    "style_masks",
    "style_weights",
    "init_image",
    "weights",
    "model",
)


@click.group(cls=CommandGroup)
def presets() -> None:
    """Show the presets: classic programs of style transfer and their parameters."""


@presets.command("list")
@list_options
def list_presets(output: ListOutput) -> None:
    """List the presets."""
    items = [Item({"name": name, "summary": SUMMARIES[name]}, (name, SUMMARIES[name])) for name in PRESETS]
    output.show("presets", ("preset", "what it is"), lambda: items)


@presets.command()
@click.argument("name")
@click.option(
    "--features",
    type=click.Choice(["vgg19", "vgg16", "squeezenet", "random"]),
    help="The feature network.  [squeezenet for auto, draft and fine, vgg19 for the others]",
)
@click.option("--all", "every", is_flag=True, help="All parameters, not only those that differ from auto.")
@json_option
def show(name: str, features: str | None, every: bool, as_json: bool) -> None:
    """Print the parameters of a preset as YAML for a sweep file."""
    name = QUALITIES.get(name, name)
    if name not in PRESETS:
        raise InvalidRequest(f"no preset {name!r}{nearest(name, (*PRESETS, *QUALITIES))}")
    network = features or ("squeezenet" if name in SQUEEZENET_PRESETS else "auto")
    values = shown_values(name, network, every=every)
    if as_json:
        print_json({"preset": name, "summary": SUMMARIES[name], "parameters": values})
    else:
        echo(f"# {SUMMARIES[name]}")
        click.echo(_yaml({"base": values or {"preset": name}}), nl=False)  # noqa: TID251 - several lines, all of them our own


def shown_values(name: str, features: str, *, every: bool) -> Mapping[str, Any]:
    """Return the parameters of a preset as plain values: those that differ from the defaults, or every one.

    Args:
        name: The preset.
        features: The feature network; "auto" stands for VGG.
        every: Whether to return every parameter.
    """
    spec = parse_spec({"content": "a", "style": "b", "preset": name, "features": features})
    # On SqueezeNet the farm's own presets are shown whole, and the others by what they change of them.
    beside = "auto" if name in SQUEEZENET_PRESETS else features
    plain = parse_spec({"content": "a", "style": "b", "features": beside})
    values, others = (each.model_dump(mode="json", exclude=set(OF_THE_JOB)) for each in (spec, plain))
    ordered = (field for field in JobSpec.model_fields if field in values)
    named = {"features"} if features != "auto" else set()
    return {field: values[field] for field in ordered if every or field in named or values[field] != others[field]}


class _Dumper(yaml.SafeDumper):
    """Lists of plain values on one line."""


def _inline(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


_Dumper.add_representer(list, _inline)


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)
