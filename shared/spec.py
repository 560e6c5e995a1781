"""The language of the farm: what a job is asked to do.

A spec is complete in itself: the same resolved spec gives the same picture on the same machine. As a user writes it,
`content` and `style` are paths and some parameters are "auto"; as it is stored, they are content hashes and numbers
(`producer.intake` takes it from one to the other).
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.errors import InvalidSpec
from shared.vgg import layer_names

# Raised whenever the same spec would give another picture than before.
ENGINE_VERSION = 1

BLOB = "sha256:"

# The format writes a side in 14 bits.
WEBP_LONGEST_SIDE = 16_383

# torch's generator on the CPU takes the low 32 bits of a seed and drops the others: two seeds must not be one.
SEEDS = 2**32
# Each layer of a random network has a seed of its own, 8 bits below the network's.
FEATURES_SEEDS = SEEDS >> 8

Weight = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Layers = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class JobSpec(BaseModel):
    """One stylization: a content image, a style image, and the parameters of the Gatys optimisation.

    The defaults paint with random features; each description is the help text of the command line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    content: str = Field(min_length=1, description="the picture whose things are kept: a path")
    style: str = Field(min_length=1, description="the picture whose manner is taken over: a path")
    method: Literal["gatys"] = Field("gatys", description="how it is painted")

    size: Annotated[int, Field(ge=16, le=16384)] | Literal["auto"] = Field(
        "auto", description="long edge of the result in pixels; auto: the content's own, at most 512"
    )
    iterations: int = Field(300, ge=1, le=100_000, description="steps of the optimiser")
    content_weight: Weight = Field(1.0, description="how much the content counts")
    style_weight: Weight = Field(1000.0, description="how much the style counts")
    tv_weight: Weight = Field(30.0, description="how much smoothness counts (total variation, l2)")
    content_layers: Layers | Literal["auto"] = Field(
        "auto", description="layers that the content is compared at; auto: relu4_2, of random features relu3_1"
    )
    style_layers: Layers = Field(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        description="layers that the style is compared at",
    )
    features: Literal["auto", "vgg19", "vgg16", "random"] = Field(
        "auto", description="the network; auto: pretrained VGG-19 where its weights are at hand, else random"
    )
    weights: str | None = Field(None, description="a file of pretrained weights for vgg19 or vgg16")
    features_seed: int = Field(0, ge=0, lt=FEATURES_SEEDS, description="which random network")
    pooling: Literal["average", "max"] = Field("average", description="pooling of the network")
    optimizer: Literal["lbfgs", "adam"] = Field("lbfgs", description="the optimiser")
    learning_rate: Annotated[float, Field(gt=0, le=1e3)] | Literal["auto"] = Field(
        "auto", description="step length; auto: 1 for lbfgs, 0.02 for adam"
    )
    init: Literal["content", "noise", "blend"] = Field("content", description="what the optimisation starts from")
    noise_ratio: float = Field(0.75, ge=0, le=1, description="share of noise in init blend")
    seed: int = Field(0, ge=0, lt=SEEDS, description="seed of the noise")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of the convolutions; auto: bf16 where the worker's hardware has it"
    )
    snapshot_every: int = Field(50, ge=0, le=100_000, description="iterations between snapshots; 0: none")
    format: Literal["png", "jpeg", "webp"] = Field("png", description="file format of the result and the snapshots")

    @field_validator("content_layers", "style_layers")
    @classmethod
    def _known(cls, layers: tuple[str, ...] | Literal["auto"]) -> tuple[str, ...] | Literal["auto"]:
        if layers == "auto":
            return layers
        for layer in layers:
            if layer not in layer_names("vgg19"):
                raise ValueError(f"no layer {layer!r}{nearest(layer, layer_names('vgg19'))}")
        if len(set(layers)) < len(layers):
            raise ValueError("a layer is named twice")
        return layers

    @model_validator(mode="after")
    def _consistent(self) -> JobSpec:
        if self.content_weight == self.style_weight == 0:
            raise ValueError("content_weight and style_weight are both 0: nothing is asked for")
        if self.format == "webp" and self.size != "auto" and self.size > WEBP_LONGEST_SIDE:
            raise ValueError(
                f"format = webp holds at most {WEBP_LONGEST_SIDE:,} pixels a side, and size = {self.size}:"
                " take png or jpeg, or a smaller size"
            )
        if self.features == "random" and self.weights is not None:
            raise ValueError("features = random takes no weights: leave out one of the two")
        if self.features == "vgg16":
            for layer in self.layers:
                if layer not in layer_names("vgg16"):
                    raise ValueError(f"VGG-16 has no layer {layer!r}{nearest(layer, layer_names('vgg16'))}")
        return self

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that is named; none for those that are still "auto"."""
        content = () if self.content_layers == "auto" else self.content_layers
        return (*content, *self.style_layers)

    @property
    def key(self) -> str:
        """The content hash of the spec, SHA-256 in hex: jobs of one key paint one picture."""
        text = json.dumps([ENGINE_VERSION, self.model_dump(mode="json")], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def parse_spec(fields: Mapping[str, object]) -> JobSpec:
    """Reads a spec from plain values, as they come from JSON, YAML or keyword arguments.

    Raises InvalidSpec with one sentence for all that is wrong, the nearest known name for what is unknown.
    """
    try:
        return JobSpec.model_validate(dict(fields))
    except ValidationError as error:
        raise InvalidSpec("; ".join(_sentence(e, JobSpec.model_fields) for e in _distinct(error))) from None


def load_spec(fields: Mapping[str, Any]) -> JobSpec:
    """Reads a stored spec, which was valid when it was stored; a release that cannot read it any more says so."""
    try:
        return JobSpec.model_validate(dict(fields))
    except ValidationError as error:
        raise InvalidSpec(
            f"this job was submitted by another release, and cannot be read by this one: {error}"
        ) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """ ": did you mean X?" for the known name that resembles `name` most, or a list of the known ones."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _distinct(error: ValidationError) -> list[Any]:
    """One error for each field: a union reports each of its branches, and the first is the one to read."""
    found: dict[object, Any] = {}
    for entry in error.errors(include_url=False):
        found.setdefault(entry["loc"][:1], entry)
    return list(found.values())


def _sentence(entry: Mapping[str, Any], known: Iterable[str]) -> str:
    name = str(entry["loc"][0]) if entry["loc"] else ""
    if entry["type"] == "extra_forbidden":
        return f"unknown parameter {name!r}{nearest(name, known)}"
    if entry["type"] == "missing":
        return f"{name} is missing: name a picture"
    message = str(entry["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("a valid tuple", "a list of layers")
    if not name:
        return message
    shown = repr(entry["input"])
    return f"{name} = {shown if len(shown) <= 60 else shown[:57] + '...'}: {message}"
