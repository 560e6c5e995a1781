"""Instance against batch normalization, at equal steps, over several seeds (Ulyanov et al. 2017, figure 5).

    python -m benchmarks.norms --style PAINTING [--steps 120] [--seeds 3]

It trains the network of `ulyanov` and that of `johnson`, alike but for their normalization, on scikit-image's
photographs, and prints the mean total loss of the last quarter of the steps for each seed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.engine import table
from examples.embedded import photographs
from examples.photographs import NAMES
from stylefarm.shared.spec.packaged_weights import packaged_squeezenet
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.networks.weights import read_weights
from stylefarm.worker.training.pictures import PictureList
from stylefarm.worker.training.trainer import TrainingInputs, load_trainer

METHODS = {"instance": "ulyanov", "batch": "johnson"}


def final_loss(method: str, seed: int, steps: int, style: Tensor, contents: PictureList, folder: Path) -> float:
    """Train, and return the mean total loss of the last quarter of the steps.

    Args:
        method: of the farm.
        seed: of the weights and the crops.
        steps: how many.
        style: (3, H, W) uint8.
        contents: the photographs.
        folder: for what is computed once.
    """
    weights = packaged_squeezenet()
    if weights is None:
        raise SystemExit("SqueezeNet's weights are not installed: make demo, or requirements/squeezenet.lock")
    spec = TrainingSpec(
        method=method,
        name="norm",
        style=("style.png",),
        iterations=steps,
        image_size=96,
        style_size=192,
        channels=12,
        batch_size=4,
        seed=seed,
        sample_every=0,
    )
    inputs = TrainingInputs(spec, contents, [style], None, read_weights(weights), None, choose("fp32"), folder)
    losses = [float(progress.losses[0, 0]) for progress in load_trainer(inputs).run()]
    return fmean(losses[-steps // 4 :])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    style = _tensor(arguments.style)
    contents = PictureList([_tensor(photographs() / name) for name in NAMES])
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            # In turn, so that the seeds stand side by side.
            for name, method in METHODS.items():
                found[name].append(final_loss(method, seed, arguments.steps, style, contents, Path(folder)))
                print(f"seed {seed}, {name}: {found[name][-1]:.3f}", flush=True)
    rows = [
        (name, *(f"{loss:.3f}" for loss in losses), f"{fmean(losses):.3f} ± {stdev(losses):.3f}")
        for name, losses in found.items()
    ]
    print(table(["normalization", *(f"seed {seed}" for seed in range(arguments.seeds)), "mean"], rows))


def _tensor(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()


if __name__ == "__main__":
    main()
