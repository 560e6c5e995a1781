"""The variants: what the ablation starts from on each feature network, and what each of them changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stylefarm.producer.submission.auto_values import learning_rate, style_weight
from stylefarm.shared.spec.spec import JobSpec, parse_spec

Values = Mapping[str, Any]

STYLE_LAYERS = ("relu1", "fire2", "fire3", "fire4", "fire6", "fire8")
# Of the style layers: less for the deep ones, whose gradients draw colors that neither picture has.
FALLING = [0.25, 0.2, 0.2, 0.2, 0.1, 0.05]

# The values of the preset `auto` on SqueezeNet, with fewer iterations.
SQUEEZENET_BASE: Values = {
    "features": "squeezenet",
    "first_layer": "dense",
    "pooling": "blur",
    "content_layers": ["fire3"],
    "style_layers": STYLE_LAYERS,
    "style_loss": {"covariance": 1.0},
    "style_weight": 8.0,
    "tv_weight": 4.0,
    "color": "recolor",
    "min_size": 128,
    "scale_factor": 2.0,
    "first_iterations": 60,
    "iterations": 30,
}

# A content layer that keeps edges where they are, and one that keeps forms.
NEAR_AND_FAR: Values = {"content_layers": ["relu1", "fire4"]}


def _style(weight: float, **losses: float) -> Values:
    return {"style_loss": losses, "style_weight": weight}


SQUEEZENET: Mapping[str, Values] = {
    "base": {},
    "pooling-average": {"pooling": "average"},
    "pooling-max": {"pooling": "max"},
    "strided": {"first_layer": "strided"},
    "gram": _style(100.0, gram=1.0),
    "wasserstein": _style(5.0, wasserstein=1.0),
    "sliced": _style(100.0, sliced=1.0),
    "nearest": _style(1.0, nearest=1.0),
    "covariance+nearest": _style(8.0, covariance=1.0, nearest=0.1),
    "covariance+sliced": _style(8.0, covariance=1.0, sliced=0.5),
    "content-fire2": {"content_layers": ["fire2"]},
    "content-fire4": {"content_layers": ["fire4"]},
    "content-relu1+fire3": {"content_layers": ["relu1", "fire3"]},
    "style-4": {"style_weight": 4.0},
    "style-16": {"style_weight": 16.0},
    "style-32": {"style_weight": 32.0},
    "tv-0": {"tv_weight": 0.0},
    "tv-1": {"tv_weight": 1.0},
    "tv-16": {"tv_weight": 16.0},
    "own-colors": {"color": "style"},
    "one-scale": {"min_size": None, "first_iterations": None, "iterations": 60},
    "without-fire2-fire6": {"style_layers": ["relu1", "fire3", "fire4", "fire8"]},
    "from-fire3": {"style_layers": ["fire3", "fire4", "fire6", "fire8"]},
    "without-fire8": {"style_layers": STYLE_LAYERS[:-1]},
    "without-fire6-fire8": {"style_layers": STYLE_LAYERS[:-2]},
    "relu1-heavier": {"style_layer_weights": [0.375, 0.125, 0.125, 0.125, 0.125, 0.125]},
    "layers-falling": {"style_layer_weights": FALLING},
    "layers-falling-style-16": {"style_layer_weights": FALLING, "style_weight": 16.0},
    "layers-falling-relu1+fire4": {"style_layer_weights": FALLING, **NEAR_AND_FAR},
    "layers-falling-relu1+fire4-tv-1": {"style_layer_weights": FALLING, **NEAR_AND_FAR, "tv_weight": 1.0},
    "layers-falling-relu1+fire4-style-16": {
        "style_layer_weights": FALLING,
        **NEAR_AND_FAR,
        "style_weight": 16.0,
        "tv_weight": 2.0,
    },
    "layers-falling-tv-1": {"style_layer_weights": FALLING, "tv_weight": 1.0},
    "clamp": {"clamp": True},
    "adam": {"optimizer": "adam", "learning_rate": 0.02},
    "replicate": {"padding": "replicate"},
    "corrections-10": {"corrections": 10},
}

RANDOM_BASE: Values = {
    "features": "random",
    "content_layers": ["relu3_1"],
    "style_loss": {"gram": 1.0},
    "style_weight": 1000.0,
    "tv_weight": 30.0,
    "iterations": 50,
}
INITIAL: Values = {"content_normalization": "initial", "style_normalization": "initial"}
SCALES: Values = {"min_size": 48, "scale_factor": 2.0, "first_iterations": 60, "iterations": 30}
LIGHT: Values = {"style_weight": 100.0, "tv_weight": 3.0}
WASSERSTEIN: Values = {"style_loss": {"wasserstein": 1.0}, "tv_weight": 3.0}

RANDOM: Mapping[str, Values] = {
    "base": {},
    "initial": INITIAL,
    "initial-3000": {**INITIAL, "style_weight": 3000.0},
    "initial-max": {**INITIAL, "pooling": "max"},
    "max": {"pooling": "max"},
    "scales": SCALES,
    "relu2_2": {"content_layers": ["relu2_2"]},
    "seed-1": {"features_seed": 1},
    "style-100": {"style_weight": 100.0},
    "style-100-tv-3": LIGHT,
    "style-30-tv-3": {"style_weight": 30.0, "tv_weight": 3.0},
    "scales-100": {**SCALES, "style_weight": 100.0},
    "wasserstein-100": {**WASSERSTEIN, "style_weight": 100.0},
    "wasserstein-10": {**WASSERSTEIN, "style_weight": 10.0},
    "wasserstein-5": {**WASSERSTEIN, "style_weight": 5.0},
    "adam": {**WASSERSTEIN, "style_weight": 5.0, "optimizer": "adam", "learning_rate": 0.02},
    "wasserstein-3": {**WASSERSTEIN, "style_weight": 3.0},
    "shallow": {
        **LIGHT,
        "pooling": "max",
        "style_layers": ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"],
        "content_layers": ["conv2_2"],
    },
}


@dataclass(frozen=True)
class Ablation:
    """The variants on one feature network; `size` is the long edge that they are rendered at by default."""

    base: Values
    variants: Mapping[str, Values]
    size: int

    def spec(self, variant: str, size: int, over: Values) -> JobSpec:
        """The spec of a variant, with what submitting would resolve; `over` holds values over every variant's."""
        fields = {"content": "content", "style": "style", "precision": "fp32", "size": size}
        spec = parse_spec({**fields, **self.base, **self.variants[variant], **over})
        changes: dict[str, object] = {}
        if spec.learning_rate == "auto":
            changes["learning_rate"] = learning_rate(spec)
        if spec.style_weight == "auto":
            changes["style_weight"] = style_weight(spec)
        return spec.model_copy(update=changes)


ABLATIONS: Mapping[str, Ablation] = {
    "squeezenet": Ablation(SQUEEZENET_BASE, SQUEEZENET, 256),
    "random": Ablation(RANDOM_BASE, RANDOM, 96),
}
