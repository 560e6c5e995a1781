"""The parameters of a stylization, by what they are about. Each description is the help text of the command line.

The defaults are those of the preset `auto`; `stylefarm.shared.spec.presets` holds the others'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    field_validator,
    model_validator,
)

from stylefarm.shared.spec.builtin import LOSS_ENTRIES, LOSSES, METHODS, OPTIMIZERS
from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.networks import FirstLayer, known_layers
from stylefarm.shared.spec.presets import PresetName, with_preset, with_quality
from stylefarm.shared.text import nearest

# torch's generator on the CPU takes the low 32 bits of a seed and drops the others: two seeds must not be one.
SEEDS = 2**32
# Each layer of a random network has a seed of its own, 8 bits below the network's.
FEATURES_SEEDS = SEEDS >> 8

# Parameters that are so many numbers, no more and no fewer.
FIXED_LENGTHS = {"noise_range": 2, "input_mean": 3, "input_deviation": 3}

# The built-in ones; other packages may provide more.
STYLE_LOSSES = tuple(LOSS_ENTRIES)


def _listed(value: object) -> object:
    """Turn a single value, where several are accepted, into a list of one."""
    return (value,) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def _by_name(value: object) -> object:
    """Parse style losses given as one name, as "gram=1,sliced=0.5", or as a mapping from names to weights."""
    if not isinstance(value, str):
        return value
    parts = [part.partition("=") for part in value.split(",")]
    names = [name.strip() for name, _, _ in parts]
    if len(set(names)) < len(names):
        raise ValueError("a style loss is named twice")
    try:
        return {name.strip(): float(weight) if sign else 1.0 for name, sign, weight in parts}
    except ValueError:
        raise ValueError("must be names with weights, as in gram=1,sliced=0.5") from None


Weight = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Finite = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Layers = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Paths = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False), BeforeValidator(_listed)]
Numbers = Annotated[tuple[Weight, ...], Field(strict=False), BeforeValidator(_listed)]
Indices = Annotated[tuple[Annotated[int, Field(ge=0, le=9999)], ...], Field(strict=False), BeforeValidator(_listed)]
Levels = Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], Field(strict=False), BeforeValidator(_listed)]
Three = Annotated[tuple[Finite, Finite, Finite], Field(strict=False)]
Size = Annotated[int, Field(ge=16, le=16384)]


class ParameterGroup(BaseModel):
    """A group of parameters: strict, frozen, and with no others than those."""

    # Built when first used, since most commands check no parameters: a tenth of their time.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class InputParameters(ParameterGroup):
    """The pictures, their sizes, and which part of them belongs where."""

    content: str = Field(min_length=1, description="content picture, whose objects are kept: a path")
    style: Paths = Field((), description="style picture, or several: paths; none where a trained model has its own")
    method: str = Field(
        "gatys", description=f"method: gatys; of a trained model {', '.join(MODEL_METHODS)}; or one of a package"
    )
    size: Size | Literal["auto"] = Field(
        "auto", description="long edge of the result in pixels; auto: the content's own, at most 512"
    )
    style_weights: Numbers = Field((), description="shares of several styles in their mixture; none: equal")
    style_scale: float = Field(1.0, ge=0.05, le=8, description="size of the style picture relative to the result")
    style_aspect: Literal["keep", "squash"] = Field(
        "keep", description="squash: the style picture gets the content's aspect ratio"
    )
    content_masks: Paths = Field(
        (), description="for each style, where it applies: pictures of the content's size, white counts"
    )
    style_masks: Paths = Field(
        (), description="for each style, which part of it counts: pictures of its size, white counts"
    )
    color: Literal["style", "recolor", "luminance", "match", "gray", "auto"] = Field(
        "style",
        description="colors of the result; style: the style's; recolor: the same, and the content gets them first, so"
        " that its forms stay clear; luminance: the content's; match: the content's, which the style gets first; gray:"
        " none, in the style's shades; auto: gray if all pictures are, else the preset's",
    )

    @field_validator("method")
    @classmethod
    def _provided(cls, method: str) -> str:
        METHODS.check(method)
        return method


class ModelParameters(ParameterGroup):
    """The trained model that renders the picture, or the start of an optimization, and how it is applied."""

    model: str | None = Field(
        None, description="trained model: a name in the farm, or a file; its method is taken unless init = model"
    )
    strength: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = Field(
        "auto", description="how much of the style the result gets; auto: 0.6 for wct, else 1"
    )
    style_index: Indices = Field((), description="of cin: which of the model's styles, from 0, or several to mix")
    transform: Literal["auto", "wct", "adain", "efdm", "ot"] = Field(
        "auto", description="of adain and wct: how features get the style's statistics; auto: as the method is called"
    )
    levels: Levels = Field((), description="of wct: which levels, 5 (coarse) to 1 (fine); none: all of the model")
    direction: Literal["forward", "backward"] = Field(
        "forward", description="of cyclegan: from its first set of pictures to the second, or back"
    )

    @field_validator("levels")
    @classmethod
    def _once(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(levels)) < len(levels):
            raise ValueError("a level is named twice")
        return tuple(sorted(levels, reverse=True))


class ScaleParameters(ParameterGroup):
    """The iterations, and the sizes of the scales."""

    iterations: int = Field(300, ge=1, le=100_000, description="optimizer steps, at each scale but the first")
    min_size: Size | None = Field(None, description="long edge of the coarsest scale; none: a single scale")
    scale_factor: float = Field(2**0.5, ge=1.05, le=16, description="size ratio of consecutive scales")
    first_iterations: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="optimizer steps at the coarsest scale; none: iterations"
    )
    stop_change: float = Field(0.0, ge=0, lt=1, description="stop when the relative change of a step is smaller")
    stop_loss_change: float = Field(
        0.0, ge=0, lt=1, description="stop a scale when the loss has fallen by a smaller share over stop_loss_steps"
    )
    stop_loss_steps: int = Field(20, ge=1, le=1000, description="steps over which the loss must fall")


class LossParameters(ParameterGroup):
    """The losses and their weights."""

    content_weight: Weight = Field(1.0, description="weight of the content loss")
    style_weight: Weight | Literal["auto"] = Field(
        "auto", description="weight of the style loss; auto: suits the style loss"
    )
    tv_weight: Weight = Field(3.0, description="weight of total variation (smoothness)")
    content_layers: Layers | Literal["auto"] = Field(
        "auto",
        description="layers of the content loss; auto: relu4_2; of random features relu3_1, of squeezenet fire4",
    )
    style_layers: Layers = Field(
        ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        description="layers of the style loss",
    )
    style_layer_weights: Numbers = Field((), description="weights of the style layers; none: equal, with sum 1")
    content_normalization: Literal["initial", "relative", "mean", "sum", "half-sum"] = Field(
        "relative", description="normalization of the content loss"
    )
    style_loss: Annotated[dict[str, Weight], BeforeValidator(_by_name)] = Field(
        {"wasserstein": 1.0}, description=f"style loss, or several with weights: {', '.join(STYLE_LOSSES)}"
    )
    style_normalization: Literal["initial", "relative", "none", "gatys", "mxnet", "udacity", "pytorch"] = Field(
        "relative", description="normalization of the style loss; names of programs: as they do it"
    )
    mmd_offset: float = Field(1.0, ge=0, le=1e6, description="constant of the mmd-poly kernel")
    projections: int = Field(128, ge=1, le=4096, description="number of random projections of the style loss sliced")
    tv_norm: Literal["l1", "l2", "laplacian", "nine-point"] = Field("l2", description="norm of total variation")
    tv_reduction: Literal["mean", "sum"] = Field("mean", description="reduction of total variation over the pixels")
    normalize_gradients: bool = Field(False, description="divide each layer's gradient by its L1 norm")

    @field_validator("content_layers", "style_layers")
    @classmethod
    def _known(cls, layers: tuple[str, ...] | Literal["auto"]) -> tuple[str, ...] | Literal["auto"]:
        if layers == "auto":
            return layers
        for layer in layers:
            if layer not in known_layers():
                raise ValueError(f"no layer {layer!r}{nearest(layer, known_layers())}")
        if len(set(layers)) < len(layers):
            raise ValueError("a layer is named twice")
        return layers

    @field_validator("style_loss")
    @classmethod
    def _named(cls, losses: dict[str, float]) -> dict[str, float]:
        for name in losses:
            LOSSES.check(name)
        if not sum(losses.values()):
            raise ValueError("no style loss counts: give at least one a weight")
        return dict(sorted(losses.items()))


class NetworkParameters(ParameterGroup):
    """The feature network, and the space of its input."""

    features: Literal["auto", "vgg19", "vgg16", "squeezenet", "random"] = Field(
        "auto", description="feature network; auto: pretrained VGG-19 if it is at hand, else SqueezeNet, else random"
    )
    weights: str | None = Field(
        None, description="pretrained weights for vgg19, vgg16 or squeezenet: a name in the farm, or a file"
    )
    first_layer: FirstLayer = Field(
        "strided",
        description="first convolution of squeezenet; dense: at every pixel, then the mean of 2 x 2 (no grid)",
    )
    features_seed: int = Field(0, ge=0, lt=FEATURES_SEEDS, description="seed of the random network")
    features_deviation: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="standard deviation that each layer of a random network is scaled to",
    )
    rescale_filters: bool = Field(
        False, description="scale each filter to a mean activation of 1; with pretrained weights only"
    )
    pooling: Literal["average", "max", "l2", "blur"] = Field(
        "average", description="pooling of the network; blur: of squeezenet, by (1, 2, 1), so that no grid is left"
    )
    rescale_pooling: bool = Field(False, description="multiply average pooling by 2, l2 by 0.78")
    padding: Literal["zeros", "replicate"] = Field("zeros", description="padding of the first convolution")
    input_range: float = Field(
        1.0, gt=0, le=1e6, description="value of white in the network's input, before the mean is subtracted"
    )
    input_mean: Three = Field((0.485, 0.456, 0.406), description="mean of red, green and blue, in that range")
    input_deviation: Annotated[
        tuple[Annotated[Finite, Field(gt=0)], Annotated[Finite, Field(gt=0)], Annotated[Finite, Field(gt=0)]],
        Field(strict=False),
    ] = Field((0.229, 0.224, 0.225), description="divisors of red, green and blue")
    channel_order: Literal["rgb", "bgr"] = Field("rgb", description="order of the input channels")
    optimize_in: Literal["pixels", "input"] = Field(
        "pixels", description="space of the optimizer and of total variation: pixels in [0, 1], or the network's input"
    )


class OptimizationParameters(ParameterGroup):
    """The optimizer, and what it starts from."""

    optimizer: str = Field("lbfgs", description="optimizer", json_schema_extra={"enum": list(OPTIMIZERS)})
    learning_rate: Annotated[float, Field(gt=0, le=1e3)] | Literal["auto"] = Field(
        "auto", description="step size; auto: 1 for lbfgs, 0.02 for adam"
    )
    corrections: int = Field(20, ge=1, le=200, description="history size of lbfgs")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay rate of adam's first moment")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay rate of adam's second moment")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd")
    weight_decay: float = Field(0.0, ge=0, le=1, description="weight decay of sgd, towards zero in its space")
    learning_rate_decay: float = Field(1.0, gt=0, le=1, description="factor by which the step size changes ...")
    learning_rate_steps: int = Field(0, ge=0, le=100_000, description="... after this many steps; 0: never")
    gradient_clip: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        None, description="maximum L2 norm of the gradient, times the number of values in the picture; none: no limit"
    )
    average: float = Field(0.0, ge=0, lt=1, description="decay rate of the averaged iterate; 0: no averaging")
    clamp: bool = Field(False, description="clamp pixels to [0, 1] after each step")
    init: Literal["content", "style", "noise", "blend", "image", "model"] = Field(
        "content", description="what the optimization starts from; model: what a trained model renders"
    )
    init_image: str | None = Field(None, description="picture for init = image: a path")
    noise: Literal["uniform", "normal"] = Field("uniform", description="distribution of the noise")
    noise_range: Annotated[tuple[Finite, Finite], Field(strict=False)] = Field(
        (0.0, 1.0), description="bounds of uniform noise; of normal noise, mean plus and minus one standard deviation"
    )
    noise_ratio: float = Field(0.75, ge=0, le=1, description="share of noise for init = blend")
    seed: int = Field(0, ge=0, lt=SEEDS, description="seed of the noise, and of random losses")
    precision: Literal["auto", "fp32", "tf32", "bf16"] = Field(
        "auto", description="precision of the convolutions; auto: bf16 if the hardware supports it"
    )

    @field_validator("optimizer")
    @classmethod
    def _registered(cls, optimizer: str) -> str:
        if optimizer not in OPTIMIZERS:
            *others, last = map(repr, OPTIMIZERS)
            raise ValueError(f"must be {', '.join(others)} or {last}")
        return optimizer


class OutputParameters(ParameterGroup):
    """The files that are written."""

    snapshot_every: int = Field(50, ge=0, le=100_000, description="iterations between snapshots; 0: none")
    denoise: float = Field(
        0.0, ge=0, le=10, description="weight of total-variation denoising (Chambolle) of saved pictures"
    )
    format: Literal["png", "jpeg", "webp", "avif", "tiff"] = Field(
        "png", description="file format of the result and the snapshots"
    )
    bits: Literal[8, 16] = Field(8, description="bits per channel; 16 for png and tiff only")
    quality: int = Field(
        95,
        ge=1,
        le=100,
        description="draft, normal or fine: how much time the picture gets, by a preset; or a number: quality of jpeg,"
        " webp and avif",
        json_schema_extra={"words": ["draft", "normal", "fine"]},
    )
    icc: bool = Field(True, description="embed the sRGB color profile")
    exif: Literal["keep", "drop"] = Field("drop", description="keep or drop the content's EXIF data")
    alpha: Literal["keep", "drop"] = Field(
        "drop", description="keep: the result is transparent where the content is; not in jpeg"
    )


# The bases stand in reverse order of their fields, which pydantic takes from the last one first.
class Parameters(
    OutputParameters,
    OptimizationParameters,
    NetworkParameters,
    LossParameters,
    ScaleParameters,
    ModelParameters,
    InputParameters,
):
    """Every parameter, each valid by itself; the values of a preset stand in for what is not given."""

    preset: PresetName = Field(
        "auto", description="a classic program, whose values are used for parameters that are not given"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _preset(cls, fields: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(fields, Mapping):
            return handler(fields)
        given = with_quality(fields)
        spec = handler(with_preset(given))
        # What a preset gives is not what the user gives, and follows the feature network once that is known.
        spec.model_fields_set.intersection_update(given)
        return spec

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that is named; none for those that are still "auto"."""
        content = () if self.content_layers == "auto" else self.content_layers
        return (*content, *self.style_layers)
