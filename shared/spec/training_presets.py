"""Presets of training: for each method the farm's own values, and those of its paper or reference program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from stylefarm.shared.spec.layer_roles import squeezenet_values
from stylefarm.shared.text import nearest

TrainingPreset = Literal["best", "as-published"]

# The layers of Johnson et al. 2016: the paper's, and pytorch/examples', content. fast-neural-style takes relu3_3.
_VGG16 = {
    "features": "vgg16",
    "content_layers": ("relu2_2",),
    "style_layers": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    "pooling": "max",
}
# What the reference programs do not do.
_PLAIN = {"shift": 0, "flip": False, "content_scales": (1.0,)}

# Tried here, on a van Gogh and 150 photographs. Contents take on the style's colors before they are compared, and the
# style loss has covariances, as in the farm's own optimization: forms stay clear at a strength that has strokes. With a
# sigmoid, and without normalization of the last layer, the colors are right after some hundred steps; two content
# layers keep forms. The step size falls at the end, and total variation takes away what is left of a pattern.
_BEST = {
    "channels": 16,
    "output": "sigmoid",
    "style_loss": "covariance",
    "recolor": True,
    "style_weight": 3.0,
    "tv_weight": 2.0,
    "learning_rate": 2e-3,
    "linear_decay": 0.3,
}
# What `best` becomes where a training goes on from a model. Scales and shifts alone bear larger steps, and few will do.
_ON_BASE: Mapping[str, Mapping[str, Any]] = {
    "cin": {"iterations": 300, "learning_rate": 1e-2, "linear_decay": 0.5},
    "ulyanov": {"iterations": 500, "learning_rate": 1e-3, "linear_decay": 0.5},
}
# What an encoder pools by: of SqueezeNet, an average gives back more of a picture.
_ENCODER = {"pooling": "average"}

TRAINING_PRESETS: Mapping[str, Mapping[TrainingPreset, Mapping[str, Any]]] = {
    "johnson": {
        # Batch normalization is what tells johnson from ulyanov.
        "best": {**_BEST, "norm": "batch"},
        # jcjohnson/fast-neural-style, train.lua: style 5, TV 1e-6, 40,000 steps of batch 4. Its VGG-16 takes pixels
        # from 0 to 255 minus the mean, which is what these weights are for.
        "as-published": {
            **_VGG16,
            **_PLAIN,
            "content_layers": ("relu3_3",),
            "normalization": "pytorch",
            "content_weight": 1.0,
            "style_weight": 5.0,
            "tv_weight": 1e-6,
            "trunk": "johnson",
            "norm": "batch",
            "upsampling": "transposed",
            "output": "tanh",
            "iterations": 40_000,
            "batch_size": 4,
            "learning_rate": 1e-3,
        },
    },
    "ulyanov": {
        "best": {**_BEST, "norm": "instance"},
        # DmitryUlyanov/texture_nets with instance normalization: VGG-19, 1e-3 x .8 each 2,000 steps, 50,000 of batch 1.
        "as-published": {
            **_PLAIN,
            "features": "vgg19",
            "content_layers": ("relu4_2",),
            "style_layers": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
            "pooling": "max",
            "normalization": "pytorch",
            "content_weight": 1.0,
            "style_weight": 1.0,
            "trunk": "ulyanov",
            "norm": "instance",
            "upsampling": "transposed",
            "iterations": 50_000,
            "batch_size": 1,
            "learning_rate": 1e-3,
            "learning_rate_decay": 0.8,
            "learning_rate_steps": 2000,
        },
    },
    "cin": {
        "best": {**_BEST, "iterations": 3000},
        # magenta, image_stylization_train.py: content relu3_3 x 1, each style layer x 1e-4, Gram matrices over the
        # positions alone, average pooling, pixels from 0 to 255 minus the mean; 40,000 steps of batch 16.
        "as-published": {
            **_VGG16,
            **_PLAIN,
            "content_layers": ("relu3_3",),
            "pooling": "average",
            "normalization": "none",
            "content_weight": 1.0,
            "style_weight": 1e-4,
            "output": "sigmoid",
            "last_norm": True,
            "initial_deviation": 0.01,
            "iterations": 40_000,
            "batch_size": 16,
            "learning_rate": 1e-3,
        },
    },
    "adain": {
        # naoto0804/pytorch-AdaIN: style 10 with the mean over channels.
        "best": {**_ENCODER, "style_weight": 10.0, "learning_rate": 1e-4, "iterations": 3000, "batch_size": 4},
        # Huang and Belongie 2017: Adam 1e-4 / (1 + 5e-5 t), batch 8, 160,000 steps, 512 px cropped to 256.
        "as-published": {
            **_PLAIN,
            "content_scales": (2.0,),
            "features": "vgg19",
            "pooling": "max",
            "normalization": "none",
            "style_weight": 10.0,
            "style_size": 512,
            "learning_rate": 1e-4,
            "inverse_decay": 5e-5,
            "batch_size": 8,
            "iterations": 160_000,
        },
    },
    "wct": {
        # The weight of the content is that of the pixels, the weight of the style that of the features.
        "best": {**_ENCODER, "style_weight": 1.0, "learning_rate": 1e-4, "iterations": 2000, "batch_size": 4},
        # eridgd/WCT-TF: a decoder at a time, Adam 1e-4, batch 8, 15,000 steps; here they are shared by the levels.
        "as-published": {
            **_PLAIN,
            "features": "vgg19",
            "pooling": "max",
            "normalization": "none",
            "style_weight": 1.0,
            "learning_rate": 1e-4,
            "batch_size": 8,
            "iterations": 75_000,
        },
    },
    "cyclegan": {
        # Narrower, and with convolutions after a repetition, which leave no checkerboard.
        "best": {
            "channels": 24,
            "blocks": 6,
            "discriminator_channels": 32,
            "image_size": 128,
            "upsampling": "nearest",
            "learning_rate": 2e-4,
            "momentum": 0.5,
            "linear_decay": 0.5,
            "initial_deviation": 0.02,
            "batch_size": 1,
        },
        # Zhu et al. 2017, appendix 7: 200 epochs of about 1,000 pictures, the second half with a falling step size.
        "as-published": {
            "channels": 64,
            "blocks": 9,
            "upsampling": "transposed",
            "image_size": 256,
            "content_scales": (1.117,),
            "learning_rate": 2e-4,
            "momentum": 0.5,
            "linear_decay": 0.5,
            "initial_deviation": 0.02,
            "batch_size": 1,
            "iterations": 200_000,
        },
    },
}


def with_training_preset(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the values of their preset where they give none.

    Args:
        fields: What is given of a spec. A method or a preset that there is not adds nothing; the spec refuses it.

    Raises:
        ValueError: It has no such preset.

    Example:
        >>> with_training_preset({"method": "cyclegan", "momentum": 0.9})["momentum"]
        0.9
        >>> with_training_preset({"method": "cin", "preset": "as-published"})["batch_size"]
        16
        >>> with_training_preset({"method": "johnson", "preset": "as-published", "features": "squeezenet"})[
        ...     "content_layers"
        ... ]
        ('fire2',)
    """
    presets = TRAINING_PRESETS.get(str(fields.get("method")), {})
    preset = fields.get("preset", "best")
    if presets and isinstance(preset, str) and preset not in presets:
        raise ValueError(f"preset must be one of {', '.join(presets)}{nearest(preset, presets)}")
    values = dict(presets.get(preset, {})) if isinstance(preset, str) else {}  # type: ignore[call-overload]
    if preset == "best" and fields.get("base") is not None:
        values |= _ON_BASE.get(str(fields.get("method")), {})
    if fields.get("features") == "squeezenet":
        values |= squeezenet_values(values)
    return {**values, **fields}
