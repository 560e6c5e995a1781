"""`stylefarm parameters`: a reference of everything that a picture can be rendered with."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import click

from stylefarm.shared.cli.console import echo, json_option, print_json, print_pairs, print_table
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.reference import ParameterReference, reference
from stylefarm.shared.text import nearest


@click.command()
@click.argument("name", required=False)
@json_option
def parameters(name: str | None, as_json: bool) -> None:
    """Explain the parameter NAME, or list all of them by what they are about.

    A parameter is an option of stylefarm render, a key of a sweep file, and an argument of Farm.submit.
    """
    found = reference() if name is None else [_named(name)]
    if as_json:
        print_json({"parameters": [entry.as_json() for entry in found]})
    elif name is None:
        _print_groups(found)
    else:
        _print_one(found[0])


def _named(name: str) -> ParameterReference:
    known = {entry.name: entry for entry in reference()}
    written = name.replace("-", "_")
    if written not in known:
        raise InvalidRequest(f"there is no parameter {name!r}{nearest(written, known)}")
    return known[written]


def _print_groups(entries: list[ParameterReference]) -> None:
    for number, (group, members) in enumerate(groupby(entries, lambda entry: entry.group)):
        if number:
            echo()
        echo(group)
        rows = [(entry.name, _shown(entry.default), entry.description) for entry in members]
        print_table(("parameter", "default", "what it is"), rows)


def _print_one(entry: ParameterReference) -> None:
    print_pairs(
        {
            entry.name: entry.description,
            "values": entry.values,
            "default": _shown(entry.default) or "none",
            "has an effect with": entry.effect or None,
            **{f"preset {preset}": _shown(value) for preset, value in entry.presets.items()},
        }
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={weight:g}" for name, weight in value.items())
    if isinstance(value, list):
        return ",".join(_shown(entry) for entry in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
