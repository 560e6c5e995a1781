"""The classic programs of style transfer, each as values of a spec's parameters.

A preset gives every number in which its program differs from the defaults; what the user writes goes before it. The
programs assume pretrained weights, whose activations are of another size than those of random features:
`features_deviation`, which pretrained weights take no notice of, is chosen so that the program's own weights balance
content and style there about as they do on the network that it was written for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from stylefarm.shared.spec.layer_roles import squeezenet_values
from stylefarm.shared.spec.space import CAFFE_MEAN
from stylefarm.shared.text import nearest

PresetName = Literal[
    "auto",
    "draft",
    "fine",
    "gatys",
    "mxnet",
    "udacity",
    "tensorflow",
    "pytorch",
    "neural-style",
    "multiscale",
    "reconstruct-content",
    "reconstruct-style",
]

GATYS_STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def _caffe(input_range: float, order: str) -> dict[str, Any]:
    """Return the parameters of Caffe's input space, in which the optimizer moves the pixels, too."""
    return {
        "input_range": input_range,
        "input_mean": CAFFE_MEAN,
        "input_deviation": (1.0, 1.0, 1.0),
        "channel_order": order,
        "optimize_in": "input",
    }


SUMMARIES: Mapping[str, str] = {
    "auto": "the farm's own, chosen by an ablation; also called normal",
    "draft": "the same in a few seconds",
    "fine": "the same with more iterations, for the best picture",
    "gatys": "Gatys, Ecker and Bethge 2016, the paper",
    "mxnet": "the MXNet example: SGD, clipped gradient, Laplacian, denoised",
    "udacity": "the Udacity course: features before the ReLU, Adam",
    "tensorflow": "a course work in TensorFlow: content at relu5_2, Adam from 3/4 noise",
    "pytorch": "the PyTorch tutorial: the first five convolutions, L-BFGS, clamped",
    "neural-style": "jcjohnson/neural-style: L-BFGS from noise, total variation",
    "multiscale": "crowsonkb/style-transfer-pytorch: Wasserstein, coarse to fine, averaged Adam",
    "reconstruct-content": "content alone, from noise, at any content_layers",
    "reconstruct-style": "style alone, from noise, at any style_layers",
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "auto": {},
    "draft": {"iterations": 100},
    "fine": {"iterations": 300, "min_size": 256, "scale_factor": 2.0},
    "gatys": {
        **_caffe(255.0, "bgr"),
        "rescale_filters": True,
        "content_layers": ("relu4_2",),
        "style_layers": GATYS_STYLE,
        "style_layer_weights": (0.2, 0.2, 0.2, 0.2, 0.2),
        "content_normalization": "half-sum",
        "style_loss": {"gram": 1.0},
        "style_normalization": "gatys",
        "content_weight": 1.0,
        "style_weight": 1e3,
        "tv_weight": 0.0,
        "iterations": 500,
        "init": "noise",
        "noise_range": (-127.5, 127.5),
        "features_deviation": 500.0,
    },
    "mxnet": {
        **_caffe(256.0, "rgb"),
        "size": 600,
        "style_aspect": "squash",
        "content_layers": ("relu4_2",),
        "style_layers": GATYS_STYLE,
        "style_layer_weights": (1.0, 1.0, 1.0, 1.0, 1.0),
        "content_normalization": "sum",
        "style_loss": {"gram": 1.0},
        "style_normalization": "mxnet",
        "content_weight": 10.0,
        "style_weight": 1.0,
        "tv_weight": 1e-2,
        "tv_norm": "laplacian",
        "optimizer": "sgd",
        "learning_rate": 1e-3,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "learning_rate_decay": 0.9,
        "learning_rate_steps": 80,
        "gradient_clip": 1.0,
        "iterations": 1000,
        "stop_change": 0.005,
        "init": "noise",
        "noise_range": (-0.1, 0.1),
        "denoise": 0.02,
        "features_deviation": 120.0,
    },
    "udacity": {
        "size": 400,
        "style_aspect": "squash",
        "pooling": "max",
        "content_layers": ("conv4_2",),
        "style_layers": ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"),
        "style_layer_weights": (1.0, 0.75, 0.2, 0.2, 0.2),
        "content_normalization": "mean",
        "style_loss": {"gram": 1.0},
        "style_normalization": "udacity",
        "content_weight": 1.0,
        "style_weight": 1e6,
        "tv_weight": 0.0,
        "optimize_in": "input",
        "optimizer": "adam",
        "learning_rate": 3e-3,
        "iterations": 2000,
        "snapshot_every": 400,
        "features_deviation": 3e-3,
    },
    "tensorflow": {
        **_caffe(255.0, "rgb"),
        "style_aspect": "squash",
        "content_layers": ("relu5_2",),
        "style_layers": GATYS_STYLE,
        "style_layer_weights": (0.5, 1.0, 1.5, 3.0, 4.0),
        "content_normalization": "half-sum",
        "style_loss": {"gram": 1.0},
        "style_normalization": "gatys",
        "content_weight": 5.0,
        "style_weight": 100.0,
        "tv_weight": 0.0,
        "optimizer": "adam",
        "learning_rate": 2.0,
        "iterations": 3000,
        "init": "blend",
        "noise_range": (-20.0, 20.0),
        "noise_ratio": 0.75,
        "snapshot_every": 100,
        "features_deviation": 2000.0,
    },
    "pytorch": {
        "size": 512,
        "style_aspect": "squash",
        "pooling": "max",
        "content_layers": ("conv2_2",),
        "style_layers": ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"),
        "style_layer_weights": (1.0, 1.0, 1.0, 1.0, 1.0),
        "content_normalization": "mean",
        "style_loss": {"gram": 1.0},
        "style_normalization": "pytorch",
        "content_weight": 1.0,
        "style_weight": 1e6,
        "tv_weight": 0.0,
        "corrections": 100,
        "clamp": True,
        "iterations": 300,
        "features_deviation": 1.4,
    },
    "neural-style": {
        **_caffe(256.0, "bgr"),
        "size": 512,
        "pooling": "max",
        "content_layers": ("relu4_2",),
        "style_layers": GATYS_STYLE,
        "style_layer_weights": (1.0, 1.0, 1.0, 1.0, 1.0),
        "content_normalization": "mean",
        "style_loss": {"gram": 1.0},
        "style_normalization": "pytorch",
        "content_weight": 5.0,
        "style_weight": 100.0,
        "tv_weight": 1e-3,
        "tv_reduction": "sum",
        "corrections": 100,
        "iterations": 1000,
        "init": "noise",
        "noise": "normal",
        "noise_range": (-1e-3, 1e-3),
        "snapshot_every": 100,
        "features_deviation": 200.0,
    },
    "multiscale": {
        "pooling": "max",
        "rescale_pooling": True,
        "padding": "replicate",
        "content_layers": ("relu4_2",),
        "style_layers": GATYS_STYLE,
        "style_layer_weights": (256 / 341, 64 / 341, 16 / 341, 4 / 341, 1 / 341),
        "content_normalization": "mean",
        "style_loss": {"wasserstein": 1.0},
        "style_normalization": "none",
        "content_weight": 0.015,
        "style_weight": 1.0,
        "tv_weight": 2.0,
        "tv_norm": "nine-point",
        "optimizer": "adam",
        "learning_rate": 0.02,
        "beta2": 0.99,
        "average": 0.99,
        "clamp": True,
        "min_size": 128,
        "first_iterations": 1000,
        "iterations": 500,
    },
    "reconstruct-content": {
        "style": (),
        "style_weight": 0.0,
        "tv_weight": 0.0,
        "init": "noise",
    },
    "reconstruct-style": {
        "content_weight": 0.0,
        "tv_weight": 0.0,
        "init": "noise",
    },
}

# A preset's values for these belong to its optimizer; with another one they would mean something else.
OF_THE_OPTIMIZER = (
    "learning_rate",
    "corrections",
    "beta1",
    "beta2",
    "momentum",
    "weight_decay",
    "learning_rate_decay",
    "learning_rate_steps",
    "gradient_clip",
)

# The farm's own presets on SqueezeNet, chosen by an ablation: docs/ablation.md.
SQUEEZENET_AUTO: Mapping[str, Any] = {
    "first_layer": "dense",
    "pooling": "blur",
    "content_layers": ("relu1", "fire4"),
    "style_layers": ("relu1", "fire2", "fire3", "fire4", "fire6", "fire8"),
    "style_layer_weights": (0.25, 0.2, 0.2, 0.2, 0.1, 0.05),
    "style_loss": {"covariance": 1.0},
    "tv_weight": 2.0,
    "color": "recolor",
    "min_size": 128,
    "scale_factor": 2.0,
    "first_iterations": 100,
    "iterations": 50,
}
SQUEEZENET_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "auto": SQUEEZENET_AUTO,
    "draft": {**SQUEEZENET_AUTO, "first_iterations": 60, "iterations": 15},
    "fine": {**SQUEEZENET_AUTO, "first_iterations": 200, "iterations": 200},
}

# Values of the parameter `quality` that stand for a preset.
QUALITIES: Mapping[str, PresetName] = {"draft": "draft", "normal": "auto", "fine": "fine"}


def preset_values(preset: str, features: str) -> dict[str, Any]:
    """Return the parameters that a preset gives for a feature network.

    Args:
        preset: Its name.
        features: The network. Of a classic program on SqueezeNet, the layers are those with the strides of VGG's.

    Example:
        >>> preset_values("neural-style", "squeezenet")["style_layers"]
        ('relu1', 'fire2', 'fire3', 'fire4', 'fire6', 'fire8')
        >>> preset_values("auto", "squeezenet")["style_loss"]
        {'covariance': 1.0}
    """
    values = dict(PRESETS[preset])
    if features != "squeezenet":
        return values
    if preset in SQUEEZENET_PRESETS:
        return dict(SQUEEZENET_PRESETS[preset])
    # Departure from Gatys: some of its filters hardly fire on the pictures of a job, and drown the others if rescaled.
    scaled = {"rescale_filters": False} if "rescale_filters" in values else {}
    return {**values, **squeezenet_values({"style_layers": GATYS_STYLE, **values}), **scaled}


def with_quality(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields with the preset that a quality by name stands for. Raises ValueError if another one is given.

    Example:
        >>> with_quality({"quality": "fine"}), with_quality({"quality": 90})
        ({'preset': 'fine'}, {'quality': 90})
    """
    quality = fields.get("quality")
    if not isinstance(quality, str):
        return fields
    if quality not in QUALITIES:
        raise ValueError(f"no quality {quality!r}: must be draft, normal or fine, or 1 to 100 for a file's")
    preset = QUALITIES[quality]
    if fields.get("preset", preset) != preset:
        raise ValueError(f"quality = {quality} and preset = {fields['preset']} contradict: give one of them")
    return {**{name: value for name, value in fields.items() if name != "quality"}, "preset": preset}


def with_preset(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with those of their preset as defaults. Raises ValueError for an unknown preset.

    Where the user asks for another optimizer than the preset's, what the preset says of its own is left out; and so is
    its number of steps at the coarsest scale where the user gives the number of steps. Where the user asks for
    SqueezeNet, its layers stand for VGG's.
    """
    name = fields.get("preset", "auto")
    if not isinstance(name, str) or name not in PRESETS:
        raise ValueError(f"no preset {name!r}{nearest(str(name), PRESETS)}")
    values = preset_values(name, fields.get("features", "auto"))
    optimizer = fields.get("optimizer")
    if optimizer is not None and optimizer != values.get("optimizer", "lbfgs"):
        values = {key: value for key, value in values.items() if key not in OF_THE_OPTIMIZER}
    if fields.get("iterations") is not None and "first_iterations" not in fields:
        # Who asks for few steps does not mean the preset's many at the coarsest scale.
        values.pop("first_iterations", None)
    if fields.get("features") == "squeezenet":
        if "style_layers" in fields:
            # The weights are those of the layers that the user names.
            values.pop("style_layer_weights", None)
        if name in SQUEEZENET_PRESETS and "min_size" in fields and fields["min_size"] is None:
            # A single scale has no coarsest one.
            values.pop("first_iterations", None)
    return {**values, **fields}
