"""The parameters of a spec as options of a command."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any, Literal

import click
from pydantic.fields import FieldInfo

from stylefarm.producer.cli.grouped_options import GroupedOption
from stylefarm.producer.grids.pictures import PATHS
from stylefarm.shared.files.paths import split_names
from stylefarm.shared.spec.presets import SQUEEZENET_AUTO
from stylefarm.shared.spec.reference import GROUPS, PRESET_GROUP
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.spec.training import TrainingSpec

# These two are arguments; the rest of a spec are options.
ARGUMENTS = ("content", "style")

# What most pictures are made with; --help leaves out the other parameters.
COMMON = frozenset(
    {"preset", "size", "color", "style_weights", "content_masks", "style_scale", "style_weight", "style_loss"}
    | {"iterations", "features", "weights", "optimizer", "init", "seed", "snapshot_every", "format", "quality"}
    | {"model", "strength", "style_index"}
)
COMMON_IN_TRAINING = frozenset(
    {"name", "preset", "content_set", "style", "style_set", "iterations", "batch_size", "image_size", "style_weight"}
    | {"features", "base", "sample_every", "seed"}
)
OF_THE_JOB = "How the job is run"


class Plain(click.ParamType[Any]):
    """A number where the text is one, else the text; the spec checks it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an int, a float, or the text."""
        try:
            # 1e3 is an integer, too.
            return int(value) if "e" not in str(value).lower() else _whole(float(value))
        except ValueError:
            pass
        try:
            return float(value)
        except ValueError:
            return value


class Several(click.ParamType[Any]):
    """Several names, or numbers, separated by commas."""

    def __init__(self, *, numbers: bool) -> None:
        self.name = "1,2,..." if numbers else "a,b,..."
        self.numbers = Plain("number") if numbers else None

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a list."""
        if not isinstance(value, str) or value == "auto":
            return value
        if param is not None and param.name in PATHS:
            return split_names(value)
        parts = [part.strip() for part in value.split(",")]
        return [self.numbers.convert(part, param, ctx) for part in parts] if self.numbers else parts


class Weighted(click.ParamType[Any]):
    """A name, or several with weights; the spec parses them."""

    name = "a=1,b=0.5"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text."""
        return value


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() else number


def spec_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each parameter of a spec, with its description as help."""
    groups = {name: title for title, of in GROUPS.items() for name in of.model_fields}
    # Decorators are applied from the last to the first.
    for name, group in reversed({"preset": PRESET_GROUP, **groups}.items()):
        info = JobSpec.model_fields[name]
        if name not in ARGUMENTS:
            flag = "--" + name.replace("_", "-")
            help_text = f"{info.description}  [{_defaults(name, info)}]"
            # The spec checks the name of a preset, and suggests the nearest one.
            kind = (
                click.STRING if name == "preset" else _choice(info) or _number_or_word(info) or _type(info.annotation)
            )
            command = click.option(
                flag,
                name,
                type=kind,
                default=None,
                help=help_text,
                cls=GroupedOption,
                group=group,
                brief_group="Parameters" if name in COMMON else None,
            )(command)
    return command


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each parameter of a training but its method, with its description as help."""
    for name, info in reversed(TrainingSpec.model_fields.items()):
        if name == "method":
            continue
        own = f"  [{_default(info.default) or 'none'}]" if not info.is_required() else ""
        repeatable = name == "style"
        command = click.option(
            "--" + name.replace("_", "-"),
            name,
            type=click.STRING if repeatable else _choice(info) or _type(info.annotation),
            multiple=repeatable,
            default=None,
            required=info.is_required(),
            help=f"{info.description}{'; repeatable' if repeatable else ''}{own}",
            cls=GroupedOption,
            group="Parameters",
            brief_group="Parameters" if name in COMMON_IN_TRAINING else None,
        )(command)
    return command


def terms_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each of the terms of a job, with its description as help."""
    for name, info in reversed(Terms.model_fields.items()):
        help_text = f"{info.description}  [{_default(info.default) or 'none'}]"
        flag = "--" + name.replace("_", "-")
        command = click.option(
            flag,
            name,
            type=_type(info.annotation),
            default=None,
            help=help_text,
            cls=GroupedOption,
            group=OF_THE_JOB,
            brief_group=OF_THE_JOB,
        )(command)
    return command


def _choice(info: FieldInfo) -> click.ParamType[Any] | None:
    """Return a choice for a parameter whose values its field lists."""
    extra = info.json_schema_extra
    values = extra.get("enum") if isinstance(extra, dict) else None
    return click.Choice([str(value) for value in values]) if isinstance(values, list) else None


def _number_or_word(info: FieldInfo) -> click.ParamType[Any] | None:
    """Return the type of a number that words may stand in for, where its field lists them."""
    extra = info.json_schema_extra
    words = extra.get("words") if isinstance(extra, dict) else None
    return Plain("|".join([*map(str, words), "number"])) if isinstance(words, list) else None


def _type(annotation: Any) -> click.ParamType[Any]:
    choices = _choices(annotation)
    if annotation is bool:
        return click.BOOL
    if _takes_mapping(annotation):
        return Weighted()
    if _takes_list(annotation):
        return Several(numbers=_of_numbers(annotation))
    if _takes_number(annotation):
        return Plain("|".join(["number", *choices]))
    if choices:
        return Plain("|".join(choices)) if all(word.isdecimal() for word in choices) else click.Choice(choices)
    return click.STRING


def _choices(annotation: Any) -> list[str]:
    """Return the words that an annotation allows: those of its Literals."""
    if typing.get_origin(annotation) is Literal:
        return [str(word) for word in typing.get_args(annotation)]
    return [word for part in _parts(annotation) for word in _choices(part)]


def _takes_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(_takes_number(part) for part in _parts(annotation))


def _takes_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) is tuple or any(_takes_list(part) for part in _parts(annotation))


def _of_numbers(annotation: Any) -> bool:
    """Return whether an annotation is a list of numbers."""
    if typing.get_origin(annotation) is tuple:
        return any(_takes_number(part) for part in typing.get_args(annotation))
    return any(_of_numbers(part) for part in _parts(annotation))


def _takes_mapping(annotation: Any) -> bool:
    return typing.get_origin(annotation) is dict or any(_takes_mapping(part) for part in _parts(annotation))


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return what a union is made of, or what an Annotated is about."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return typing.get_args(annotation)[:1]
    return typing.get_args(annotation) if origin in (typing.Union, types.UnionType) else ()


def _defaults(name: str, info: FieldInfo) -> str:
    """Return the default of a parameter, and that of SqueezeNet where it is another."""
    own = SQUEEZENET_AUTO.get(name, info.default)
    return _default(info.default) + ("" if own == info.default else f"; of squeezenet: {_default(own)}")


def _default(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(value)
    if isinstance(value, tuple):
        return ",".join(f"{entry:g}" if isinstance(entry, float) else str(entry) for entry in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
