"""The methods that apply a trained model: what each takes, and who trains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# What gives a content's features the statistics of a style's: whitening and coloring (Li 2017), mean and deviation
# (Huang 2017), the sorted values themselves (Zhang 2022), or the closed form of optimal transport between Gaussians.
Transform = Literal["wct", "adain", "efdm", "ot"]


@dataclass(frozen=True)
class ModelMethod:
    """A method that applies a trained model.

    Args:
        title: What it is called, and its source.
        takes: Whether the styles are pictures, numbers of learned styles, or nothing is to be chosen.
        applier: "module:Class" of its `Applier`, made from a model and a compute path.
        trainer: "module:Class" of its `Trainer`; None for a method whose models are only imported.
        parameters: Those parameters of a spec that it alone takes, beside `model`.
    """

    title: str
    takes: Literal["pictures", "indices", "nothing"]
    applier: str
    trainer: str | None
    parameters: tuple[str, ...] = ()


# The address of a model that a training job will make, in a spec; and where a model's file describes itself.
JOB = "job:"
METADATA_KEY = "stylefarm.model"

_FEEDFORWARD = "stylefarm.worker.engine.feedforward"
_TRAINING = "stylefarm.worker.training"

MODEL_METHODS: Mapping[str, ModelMethod] = {
    "johnson": ModelMethod(
        "Johnson et al. 2016: one network per style",
        "nothing",
        f"{_FEEDFORWARD}.trunk_applier:TrunkApplier",
        f"{_TRAINING}.perceptual:PerceptualTrainer",
        ("strength",),
    ),
    "ulyanov": ModelMethod(
        "Ulyanov et al. 2017: one network per style, instance normalization",
        "nothing",
        f"{_FEEDFORWARD}.trunk_applier:TrunkApplier",
        f"{_TRAINING}.perceptual:PerceptualTrainer",
        ("strength",),
    ),
    "cin": ModelMethod(
        "Dumoulin et al. 2017: many styles in one network, conditional instance normalization",
        "indices",
        f"{_FEEDFORWARD}.trunk_applier:TrunkApplier",
        f"{_TRAINING}.perceptual:PerceptualTrainer",
        ("style_index", "strength"),
    ),
    "adain": ModelMethod(
        "Huang and Belongie 2017: any style, adaptive instance normalization",
        "pictures",
        f"{_FEEDFORWARD}.encoder_decoder:EncoderDecoderApplier",
        f"{_TRAINING}.decoder:DecoderTrainer",
        ("strength", "transform"),
    ),
    "wct": ModelMethod(
        "Li et al. 2017: any style, whitening and coloring at several levels",
        "pictures",
        f"{_FEEDFORWARD}.encoder_decoder:EncoderDecoderApplier",
        f"{_TRAINING}.decoder:DecoderTrainer",
        ("strength", "transform", "levels"),
    ),
    "ghiasi": ModelMethod(
        "Ghiasi et al. 2017: any style, by a vector that a second network predicts",
        "pictures",
        f"{_FEEDFORWARD}.ghiasi:GhiasiApplier",
        None,
        ("strength",),
    ),
    "cyclegan": ModelMethod(
        "Zhu et al. 2017: from one set of pictures to another, and back",
        "nothing",
        f"{_FEEDFORWARD}.cyclegan:CycleGanApplier",
        f"{_TRAINING}.cyclegan:CycleGanTrainer",
        ("direction",),
    ),
}
TRAINABLE = tuple(name for name, method in MODEL_METHODS.items() if method.trainer is not None)
