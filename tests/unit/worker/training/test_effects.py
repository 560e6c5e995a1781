"""What a method is told not to use, it does not use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from stylefarm.shared.spec.models import TRAINABLE
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.shared.spec.training_effects import USED_BY, in_vain
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.training.trainer import TrainingInputs, load_trainer
from tests.unit.worker.training.small import inputs

# Another value of each parameter than the usual one.
OTHERS: dict[str, Any] = {
    "style_weights": (2.0,),
    "cycle_weight": 3.0,
    "identity_weight": 0.2,
    "pool_size": 3,
    "discriminator_channels": 8,
    "levels": (1,),
    "content_layers": ("relu1",),
    "style_layers": ("relu1",),
    "style_loss": "covariance",
    "style_size": 40,
    "recolor": True,
    "tv_weight": 3.0,
    "shift": 3,
    "trunk": "ulyanov",
    "norm": "batch",
    "output": "tanh",
    "last_norm": True,
    "channels": 12,
    "blocks": 1,
    "upsampling": "transposed",
    "initial_deviation": 0.3,
    "features": "squeezenet",
    "weights": "other",
    "pooling": "average",
    "normalization": "none",
    "content_weight": 3.0,
    "style_weight": 0.2,
}
# Refused rather than told, by these methods.
REFUSED = {"adjustable": {*TRAINABLE}, "style_weights": {"cyclegan"}, "norm": {"cin", "cyclegan"}}


def given(folder: Path, method: str, **changes: Any) -> TrainingInputs:
    sets: dict[str, Any] = {"styles": 0, "others": 3} if method == "cyclegan" else {}
    # The encoder of adain and wct does not take the pooling of the losses.
    usual: dict[str, Any] = {"pooling": "average"} if method in {"adain", "wct"} else {}
    # What a method does not use is no less unused where the rest is small.
    smallest: dict[str, dict[str, Any]] = {"wct": {"levels": (1,)}, "cyclegan": {"blocks": 1, "channels": 4}}
    return inputs(
        folder, method, **sets, **{"iterations": 2, "sample_every": 0, **usual, **smallest.get(method, {}), **changes}
    )


def trained(inputs: TrainingInputs) -> Model:
    trainer = load_trainer(inputs)
    list(trainer.run())
    return trainer.model()


@pytest.mark.parametrize("method", TRAINABLE)
def test_what_has_no_effect_changes_no_weight(method: str, tmp_path: Path) -> None:
    """Given other values of all parameters that a method does not use, I expect the same model; each is named."""
    assert {*OTHERS, "adjustable"} == {*USED_BY} <= {*TrainingSpec.model_fields}
    unused = {
        name: value
        for name, value in OTHERS.items()
        if method not in USED_BY[name] and method not in REFUSED.get(name, ())
    }
    changed = given(tmp_path, method, **unused)
    told, _, rest = in_vain(changed.spec).partition(" have no effect with ")
    assert ({*unused} <= {*told.split(", ")}, rest) == (True, method)
    usual, other = trained(given(tmp_path, method)), trained(changed)
    assert usual.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in usual.tensors.items())
