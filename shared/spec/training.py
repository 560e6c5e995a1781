"""The spec of a training job: what is trained, on which pictures, with which losses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, field_validator, model_validator

from stylefarm.shared.spec.models import TRAINABLE
from stylefarm.shared.spec.networks import TITLES, default_network, known_layers, layer_names, network_layers
from stylefarm.shared.spec.parameters import SEEDS, Layers, Numbers, ParameterGroup, Paths, Weight
from stylefarm.shared.spec.spec import content_key
from stylefarm.shared.spec.training_presets import TrainingPreset, with_training_preset
from stylefarm.shared.text import counted, nearest

NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
Auto = Literal["auto"]
Rate = Annotated[float, Field(gt=0, le=1)]


class TrainingSpec(ParameterGroup):
    """One training: a method, its pictures and its losses. The values of the preset stand in for what is not given.

    As a user writes it, data sets are names and pictures are paths; as it is stored, they are content hashes.
    """

    kind: ClassVar[Literal["train"]] = "train"

    method: str = Field(description=f"what is trained: {', '.join(TRAINABLE)}")
    name: str = Field(pattern=rf"^{NAME}$", description="name of the model")
    preset: TrainingPreset = Field(
        "best", description="best: the farm's own values; as-published: those of the paper or its reference program"
    )
    content_set: str = Field("builtin", min_length=1, description="data set of contents: a name")
    style: Paths = Field((), description="style pictures: paths; cin learns one style of each")
    style_set: str | None = Field(
        None, description="data set of styles, for adain and wct; the second set of pictures of cyclegan"
    )
    iterations: int = Field(2000, ge=1, le=1_000_000, description="optimizer steps")
    batch_size: int = Field(4, ge=1, le=256, description="pictures in a step")
    image_size: int = Field(256, ge=32, le=2048, description="side of the crops in pixels")
    style_size: int = Field(256, ge=32, le=4096, description="long edge of the style pictures in pixels")
    learning_rate: Rate = Field(1e-3, description="step size of Adam")
    learning_rate_decay: float = Field(
        1.0, gt=0, le=1, description="factor by which the step size changes after learning_rate_steps"
    )
    learning_rate_steps: int = Field(0, ge=0, le=1_000_000, description="... this many steps; 0: never")
    linear_decay: float = Field(
        0.0, ge=0, le=1, description="share of the steps, at the end, over which the step size falls to 0 in a line"
    )
    inverse_decay: float = Field(
        0.0, ge=0, le=1, description="d of a step size that is divided by 1 + d t in step t, as adain's"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="beta 1 of Adam")
    content_weight: Weight = Field(1.0, description="weight of the content loss")
    style_weight: Weight = Field(5.0, description="weight of the style loss")
    style_loss: Literal["gram", "covariance"] = Field(
        "gram", description="style loss; covariance: of covariances and means, which does not mix the two"
    )
    recolor: bool = Field(
        False,
        description="give contents the style's colors before the content loss, so that forms stay clear",
    )
    tv_weight: Weight = Field(
        0.0,
        description="weight of total variation: the mean of squared differences of neighbors; their sum, of pixels from"
        " 0 to 255, if normalization is not relative",
    )
    normalization: Literal["relative", "pytorch", "none"] = Field(
        "relative",
        description="what errors are divided by; relative: the size of what they are measured from, and the number of"
        " layers; pytorch: that of a Gram matrix by C squared, as in pytorch/examples and fast-neural-style; none",
    )
    style_weights: Numbers = Field((), description="a factor of the style loss for each style; none: 1")
    cycle_weight: Weight = Field(10.0, description="of cyclegan: weight of the cycle loss")
    identity_weight: Weight = Field(0.5, description="of cyclegan: share of the identity loss in the cycle loss")
    pool_size: int = Field(
        50, ge=0, le=1000, description="of cyclegan: rendered pictures that the discriminators are shown again"
    )
    discriminator_channels: int = Field(
        64, ge=4, le=256, description="of cyclegan: channels of a discriminator's first layer"
    )
    features: Literal["auto", "vgg19", "vgg16", "squeezenet"] = Field(
        "auto", description="network of the losses, and encoder of adain and wct; auto: the best one at hand"
    )
    weights: str | None = Field(None, description="its pretrained weights: a name in the farm, or a file")
    content_layers: Layers | Auto = Field("auto", description="layers of the content loss")
    style_layers: Layers | Auto = Field("auto", description="layers of the style loss")
    pooling: Literal["blur", "average", "max"] = Field(
        "blur",
        description="pooling in the network of the losses, and in the encoder; blur: an average in which all positions"
        " count alike, of SqueezeNet, whose poolings overlap; of VGG it is average",
    )
    shift: int = Field(
        7, ge=0, le=64, description="largest random shift, in pixels, before the loss network, which hides its strides"
    )
    trunk: Literal["examples", "johnson", "ulyanov"] = Field(
        "examples",
        description="what is beyond the edge, and the last kernel; examples: reflection, as in pytorch/examples;"
        " johnson: 40 pixels of reflection around the picture, then zeros; ulyanov: repetition, and 3 x 3 at the end",
    )
    channels: int = Field(32, ge=4, le=256, description="channels of the first layer; deeper ones have multiples")
    blocks: int = Field(5, ge=0, le=32, description="residual blocks")
    norm: Literal["instance", "batch"] = Field("instance", description="normalization of the network's layers")
    upsampling: Literal["nearest", "transposed"] = Field(
        "nearest", description="how the network enlarges; transposed convolutions can leave a checkerboard"
    )
    output: Literal["linear", "tanh", "sigmoid"] = Field(
        "linear", description="what bounds the result; linear: nothing; tanh: 150 tanh around the mean, as johnson's"
    )
    last_norm: bool = Field(False, description="normalize the last layer too, as cin does")
    initial_deviation: float = Field(
        0.0, ge=0, le=1, description="deviation of the first weights of the convolutions; 0: torch's own"
    )
    adjustable: bool = Field(
        False,
        description="of cin: learn the weight of the style loss as an input, which strength chooses when it renders",
    )
    levels: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Field(strict=False)] = Field(
        (), description="of wct: the levels that get a decoder; none: all of the encoder"
    )
    base: str | None = Field(
        None,
        description="model to go on from; cin then learns the new styles alone, in gamma and beta; ulyanov may begin"
        " with a model of cin",
    )
    content_scales: Annotated[tuple[Annotated[float, Field(ge=1, le=16)], ...], Field(strict=False, min_length=1)] = (
        Field(
            (1.125, 1.7, 2.5),
            description="short sides that pictures are resized to before they are cropped, in multiples of image_size",
        )
    )
    flip: bool = Field(True, description="mirror half of the crops")
    seed: int = Field(0, ge=0, lt=SEEDS, description="seed of the weights, the crops and their order")
    precision: Literal["auto", "fp32", "tf32", "bf16"] = Field("auto", description="precision of the convolutions")
    sample_every: int = Field(100, ge=0, le=1_000_000, description="steps between sample pictures; 0: none")
    samples: int = Field(4, ge=1, le=16, description="contents that the sample pictures show")

    @field_validator("method")
    @classmethod
    def _trainable(cls, method: str) -> str:
        if method not in TRAINABLE:
            raise ValueError(f"must be one of {', '.join(TRAINABLE)}")
        return method

    @model_validator(mode="wrap")
    @classmethod
    def _preset(cls, fields: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(fields, Mapping):
            return handler(fields)
        spec = handler(with_training_preset(fields))
        spec.model_fields_set.intersection_update(fields)
        return spec

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problem = next(_problems(self), None)
        if problem is not None:
            raise ValueError(problem)
        return self

    @property
    def loss_terms(self) -> tuple[str, ...]:
        """The names of the values that each point of the loss curve holds, in order."""
        return ("total", *LOSS_TERMS[self.method])

    @property
    def total_iterations(self) -> int:
        """The steps that it takes."""
        return self.iterations

    @property
    def key(self) -> str:
        """The content hash of the spec, SHA-256 in hex."""
        return content_key(self.document())

    def document(self) -> str:
        """Return the spec as JSON, with its kind."""
        return json.dumps({"kind": self.kind, **self.model_dump(mode="json")})


# Methods of a network that is trained with content and style losses.
PERCEPTUAL = ("johnson", "ulyanov", "cin")

# Beside the total.
LOSS_TERMS: Mapping[str, tuple[str, ...]] = {
    "johnson": ("content", "style", "tv"),
    "ulyanov": ("content", "style", "tv"),
    "cin": ("content", "style", "tv"),
    "adain": ("content", "style"),
    "wct": ("pixels", "features"),
    "cyclegan": ("adversarial", "cycle", "identity", "discriminator"),
}


def _problems(spec: TrainingSpec) -> Iterator[str]:
    yield from _styles(spec)
    yield from _losses(spec)
    yield from _network(spec)


def _styles(spec: TrainingSpec) -> Iterator[str]:
    count, method = len(spec.style), spec.method
    if method in ("johnson", "ulyanov") and count != 1:
        yield f"{method} learns one style, and {count or 'none'} are given: name one picture, or take cin for several"
    if method == "cin" and not count:
        yield "style is missing: name the pictures that cin is to learn"
    if method == "cyclegan" and (count or spec.style_set is None):
        yield "cyclegan translates between two sets of pictures: give content_set and style_set, and no style"
    if method == "cyclegan" and spec.style_set == spec.content_set:
        yield "content_set and style_set are one set: cyclegan needs two to translate between"
    if method in ("adain", "wct") and not count and spec.style_set is None:
        yield f"{method} learns from many styles: give style_set, or style pictures"
    if method not in ("adain", "wct", "cyclegan") and spec.style_set is not None:
        yield f"{method} learns no set of styles: leave style_set out, and name style pictures"
    if spec.style_weights and len(spec.style_weights) != count:
        yield f"style_weights has {counted(len(spec.style_weights), 'weight')} for {counted(count, 'style')}"


def _losses(spec: TrainingSpec) -> Iterator[str]:
    if spec.method in PERCEPTUAL and spec.content_weight == spec.style_weight == 0:
        yield "content_weight and style_weight are both 0: nothing is asked for"
    if spec.method == "cyclegan" and spec.cycle_weight == 0 and spec.identity_weight:
        yield "identity_weight is a share of cycle_weight, which is 0: give cycle_weight, or identity_weight = 0"
    if spec.learning_rate_decay < 1 and not spec.learning_rate_steps:
        yield f"learning_rate_decay = {spec.learning_rate_decay:g} never acts: give learning_rate_steps too"
    for layers in (spec.content_layers, spec.style_layers):
        for layer in () if layers == "auto" else layers:
            if spec.features == "auto" and layer in known_layers():
                continue
            network = default_network(spec.features)
            if layer not in network_layers(network):
                yield f"{TITLES[network]} has no layer {layer!r}{nearest(layer, layer_names(network))}"


def _network(spec: TrainingSpec) -> Iterator[str]:
    if spec.image_size % 4:
        yield f"image_size = {spec.image_size} is no multiple of 4, by which the networks shrink a picture"
    if spec.adjustable and spec.method != "cin":
        yield f"adjustable is for cin: leave it out, or take cin in place of {spec.method}"
    if spec.base is not None and spec.method not in PERCEPTUAL:
        yield f"base is for {', '.join(PERCEPTUAL)}: {spec.method} does not go on from a model"
    if spec.pooling == "blur" and spec.method in ("adain", "wct"):
        yield f"pooling = blur is for losses: the encoder of {spec.method} takes average or max"
    if spec.norm == "batch" and spec.method in ("cin", "cyclegan"):
        yield f"norm = batch is for johnson and ulyanov: the statistics of {spec.method} are those of one picture"
