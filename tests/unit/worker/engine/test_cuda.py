"""What only a GPU can show; skipped where there is none."""

from __future__ import annotations

import pytest
import torch

from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.hardware.graphs import CAPTURED, CapturedObjective
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.iterative import Scale, UpdateRules, optimize
from stylefarm.worker.engine.methods.objective import LossSettings, Objective, ObjectiveFunction
from stylefarm.worker.engine.networks.vgg import Vgg, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.whole_pass import WholePass
from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

LAYERS = ("relu1_1", "relu2_1", "relu3_1")


def objective_on(device: torch.device, dtype: torch.dtype, loss: str) -> tuple[torch.Tensor, Objective]:
    vgg = Vgg("vgg19", LAYERS)
    randomize(vgg, 0)
    vgg = vgg.to(device)
    vgg.cast(dtype)
    image = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0)).to(device)
    chosen = LossSettings(
        {"relu3_1": 1.0}, dict.fromkeys(LAYERS, 1 / 3), style_weight=10.0, tv_weight=1.0, style_losses={loss: 1.0}
    )
    return image, Objective(WholePass(VggNetwork(vgg)), image, [StyleImage(image[:1].flip(2) ** 2)], chosen)


@pytest.mark.parametrize("loss", ["gram", "wasserstein", "mean-std"])
def test_a_gpu_has_the_gradient_of_a_cpu(loss: str) -> None:
    """given one objective; if it is evaluated on both; I expect nearly the same gradient, in float32 and bfloat16."""
    image, on_cpu = objective_on(torch.device("cpu"), torch.float32, loss)
    _, expected = on_cpu.gradient(0.9 * image)
    device = choose("fp32").device
    for dtype, tolerance in ((torch.float32, 1e-2), (torch.bfloat16, 6e-2)):
        image, on_gpu = objective_on(device, dtype, loss)
        _, found = on_gpu.gradient(0.9 * image)
        assert (found.cpu() - expected).norm() < tolerance * expected.norm()


def test_a_replayed_graph_renders_the_same_picture() -> None:
    """given an objective; if its evaluation is captured; I expect it told, and the picture that it renders as it is."""
    device = choose("fp32").device
    image, plain = objective_on(device, torch.float32, "gram")
    heard: list[str] = []
    on_capture = CapturedObjective(plain, heard.append)

    def rendered(objective: ObjectiveFunction) -> torch.Tensor:
        *_, last = optimize([Scale(12, lambda: (image, objective))], LBFGS(LearningRate(1.0), 4), UpdateRules())
        return last.image

    expected = rendered(plain)
    assert (rendered(on_capture) - expected).abs().max() < 2e-2
    assert heard == [CAPTURED]


def test_what_cannot_be_captured_is_told_and_rendered() -> None:
    """given a loss that draws on the CPU; if it is captured; I expect the reason told, and a gradient all the same."""
    image, plain = objective_on(choose("fp32").device, torch.float32, "sliced")
    heard: list[str] = []
    _, gradient = CapturedObjective(plain, heard.append).gradient(image)
    assert gradient.isfinite().all()
    assert heard[0].startswith("not captured: ")
