"""Training and rendering in bfloat16, which is the default where the hardware has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.render.applied import load_applier
from stylefarm.worker.training.trainer import load_trainer
from tests.unit.worker.training.small import CPU, inputs, painted

BF16 = ComputePath(torch.device("cpu"), "bf16")


@pytest.mark.parametrize("method", ["johnson", "ulyanov", "cin", "adain", "wct", "cyclegan"])
def test_every_method_is_trained_and_renders(tmp_path: Path, method: str) -> None:
    """Given bfloat16, if a network is trained for some steps, I expect finite losses and samples, and a model whose
    pictures are those of float32, but for the rounding."""
    sets: dict[str, Any] = {"styles": 0, "others": 3} if method == "cyclegan" else {}
    usual: dict[str, Any] = {"pooling": "average", "levels": (1,)} if method == "wct" else {}
    usual |= {"pooling": "average"} if method == "adain" else {}
    trainer = load_trainer(replace(inputs(tmp_path, method, **sets, **usual), path=BF16))
    for progress in trainer.run():
        assert progress.losses.isfinite().all()
        assert progress.image is None or progress.image.isfinite().all()
    content, style = (painted(seed, 64, 64)[None].float() / 255 for seed in (1, 2))
    one: list[StyleImage | StyleIndex] = [StyleImage(style) if method in {"adain", "wct"} else StyleIndex(0)]
    styles = [] if method == "cyclegan" else one
    exact, coarse = (
        load_applier(trainer.model(), path).apply(content, styles, ApplyOptions(), 1 << 30) for path in (CPU, BF16)
    )
    assert coarse.isfinite().all()
    assert float((coarse - exact).abs().mean()) < 0.02
