"""What a model's card says of its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylefarm.shared.spec.training import TrainingSpec

# Whose numbers the presets have.
SOURCES: Mapping[tuple[str, str], str] = {
    ("johnson", "as-published"): "jcjohnson/fast-neural-style (Johnson et al. 2016, arXiv 1603.08155)",
    ("ulyanov", "as-published"): "DmitryUlyanov/texture_nets (Ulyanov et al. 2017, arXiv 1701.02096)",
    ("cin", "as-published"): "magenta image_stylization (Dumoulin et al. 2017, arXiv 1610.07629)",
    ("adain", "as-published"): "Huang and Belongie 2017 (arXiv 1703.06868), naoto0804/pytorch-AdaIN",
    ("wct", "as-published"): "Li et al. 2017 (arXiv 1705.08086), eridgd/WCT-TF",
    ("cyclegan", "as-published"): "Zhu et al. 2017 (arXiv 1703.10593), junyanz/pytorch-CycleGAN-and-pix2pix",
}


def training_card(
    spec: TrainingSpec,
    *,
    losses: Mapping[str, float],
    seconds: float,
    steps: int,
    parameters: int,
    pictures: Mapping[str, int],
    device: str,
) -> dict[str, Any]:
    """Return the card of a model.

    Args:
        spec: The resolved spec, whose data sets and pictures are content hashes.
        losses: Of the last steps, by term.
        seconds: What the training took.
        steps: The steps that were made.
        parameters: How many numbers were learned.
        pictures: How many pictures there were, by what they are.
        device: What it ran on.

    Example:
        >>> spec = TrainingSpec(method="johnson", name="night", style="s.png")
        >>> counts = {"seconds": 2.0, "steps": 3, "parameters": 4}
        >>> card = training_card(spec, losses={"total": 1.0}, pictures={"styles": 1}, device="cpu", **counts)
        >>> card["method"], card["source"], card["spec"]["batch_size"]
        ('johnson', "the farm's own numbers", 4)
    """
    return {
        "method": spec.method,
        "preset": spec.preset,
        "source": SOURCES.get((spec.method, spec.preset), "the farm's own numbers"),
        "spec": spec.model_dump(mode="json"),
        "losses": {name: round(value, 6) for name, value in losses.items()},
        "seconds": round(seconds, 1),
        "steps": steps,
        "parameters": parameters,
        "pictures": dict(pictures),
        "device": device,
    }
