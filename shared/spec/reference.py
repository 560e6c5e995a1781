"""A reference of all parameters: what each is, which values it takes, what the presets give, when it has an effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stylefarm.shared.spec.builtin import LOSS_ENTRIES, OPTIMIZERS
from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.parameters import (
    InputParameters,
    LossParameters,
    ModelParameters,
    NetworkParameters,
    OptimizationParameters,
    OutputParameters,
    ParameterGroup,
    ScaleParameters,
)
from stylefarm.shared.spec.presets import PRESETS, SQUEEZENET_PRESETS
from stylefarm.shared.spec.spec import JobSpec

# In the order of the reference and of the help.
GROUPS: Mapping[str, type[ParameterGroup]] = {
    "Pictures": InputParameters,
    "Losses": LossParameters,
    "Iterations and scales": ScaleParameters,
    "Feature network": NetworkParameters,
    "Optimizer": OptimizationParameters,
    "Trained models": ModelParameters,
    "Output files": OutputParameters,
}
PRESET_GROUP = "Presets"

_NOISE = "init = noise or blend"
_STYLE = "style_weight above 0"
_INPUT = "random features, or optimize_in = input"

# The conditions of `stylefarm.shared.spec.canonical`, for a reader.
EFFECTS: Mapping[str, str] = {
    "noise": _NOISE,
    "noise_range": _NOISE,
    "noise_ratio": "init = blend",
    "init_image": "init = image",
    "seed": f"{_NOISE}; a style loss that draws at random: "
    + ", ".join(name for name, entry in LOSS_ENTRIES.items() if entry.draws_at_random),
    **{name: f"optimizer = {kind}" for kind, entry in OPTIMIZERS.items() for name in entry.parameters},
    **{name: f"style_loss = {kind}" for kind, entry in LOSS_ENTRIES.items() for name in entry.parameters},
    "learning_rate_decay": "learning_rate_steps above 0",
    "learning_rate_steps": "learning_rate_decay below 1",
    "style_loss": _STYLE,
    "style_normalization": _STYLE,
    "style_layer_weights": _STYLE,
    "content_normalization": "content_weight above 0",
    "tv_norm": "tv_weight above 0",
    "tv_reduction": "tv_weight above 0, tv_norm = l1 or l2",
    "scale_factor": "min_size below size",
    "stop_loss_steps": "stop_loss_change above 0",
    "first_iterations": "min_size below size",
    "features_seed": "random features",
    "features_deviation": "random features",
    "input_range": _INPUT,
    "input_mean": _INPUT,
    "input_deviation": _INPUT,
    "channel_order": _INPUT,
    "first_layer": "features = squeezenet",
    "rescale_pooling": "pooling = average or l2",
    "style_weights": "several styles",
    "quality": "format = jpeg, webp or avif",
    "model": "a method of trained models, or init = model",
    **{
        name: "method = " + ", ".join(kind for kind, method in MODEL_METHODS.items() if name in method.parameters)
        for name in ModelParameters.model_fields
        if name != "model"
    },
}


@dataclass(frozen=True)
class ParameterReference:
    """One parameter.

    Attributes:
        name: as in a sweep file.
        group: what it is about.
        description: what it is.
        values: which values it takes.
        default: that of VGG-19 and random features, as JSON.
        presets: the values of the presets that give one, as JSON; "auto on squeezenet" and so on are the farm's own
            for SqueezeNet.
        effect: what it has an effect with; empty if that does not depend on others.
    """

    name: str
    group: str
    description: str
    values: str
    default: Any
    presets: Mapping[str, Any]
    effect: str

    def as_json(self) -> dict[str, Any]:
        """Return the same as plain JSON values."""
        return asdict(self)


def reference() -> list[ParameterReference]:
    """Return every parameter of a spec, by group.

    Example:
        >>> next(entry for entry in reference() if entry.name == "momentum").effect
        'optimizer = sgd'
    """
    names = [("preset", PRESET_GROUP), *((name, title) for title, of in GROUPS.items() for name in of.model_fields)]
    schema = JobSpec.model_json_schema()["properties"]
    return [_entry(name, title, schema[name]) for name, title in names]


def _entry(name: str, group: str, schema: Mapping[str, Any]) -> ParameterReference:
    field = JobSpec.model_fields[name]
    given = {preset: values[name] for preset, values in PRESETS.items() if name in values}
    own = {f"{preset} on squeezenet": values[name] for preset, values in SQUEEZENET_PRESETS.items() if name in values}
    return ParameterReference(
        name=name,
        group=group,
        description=field.description or "",
        values="any of the presets" if name == "preset" else _values(schema),
        default=None if field.is_required() else _plain(field.default),
        presets={preset: _plain(value) for preset, value in {**own, **given}.items()},
        effect=EFFECTS.get(name, ""),
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _values(schema: Mapping[str, Any]) -> str:
    """Return which values a JSON schema allows, in words."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(_values(part) for part in schema[key])
    if "words" in schema:
        return " | ".join([*schema["words"], _values({name: schema[name] for name in schema if name != "words"})])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _bounds(schema)
    if kind == "array":
        return "list of " + _values(schema["prefixItems"][0] if "prefixItems" in schema else schema["items"])
    return {"boolean": "true | false", "null": "none", "object": "names with weights"}.get(str(kind), "text")


def _bounds(schema: Mapping[str, Any]) -> str:
    """Return the range of a number."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if schema["type"] == "integer" and below is not None:
        high, below = below - 1, None
    if low is not None and high is not None:
        return f", {_number(low)} to {_number(high)}"
    least = f"{_number(low)} or more" if low is not None else "" if above is None else f"above {_number(above)}"
    most = f"at most {_number(high)}" if high is not None else "" if below is None else f"below {_number(below)}"
    return "".join(f", {part}" for part in (least, most) if part)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}".replace("e+0", "e").replace("e+", "e")
