"""The engine, against closed forms, torch's own optimizers and torchvision's own VGG."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from torchvision.models import VGG16_Weights, VGG19_Weights

from stylefarm.shared.spec.networks import PRETRAINED_FILES, VggArchitecture, layer_names
from stylefarm.worker.engine.losses.matrix_sqrt import matrix_sqrt, newton_schulz
from stylefarm.worker.engine.losses.moments import gram
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.losses.total_variation import total_variation
from stylefarm.worker.engine.methods.initial import noise_like
from stylefarm.worker.engine.methods.iterative import Progress, Scale, UpdateRules, optimize
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize, rescale_filters
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.weights import load_weights, torchvision_positions
from stylefarm.worker.engine.optim.first_order import Adam, Sgd
from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate, Optimizer
from tests.unit.style_targets import StyleSource, style_target

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1")
CONTENT_LAYERS = ("relu2_2",)


def picture(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def random_vgg(*images: Tensor, seed: int = 0) -> Vgg:
    vgg = Vgg("vgg19", (*STYLE_LAYERS, *CONTENT_LAYERS))
    randomize(vgg, seed)
    calibrate(vgg, images)
    return vgg


SETTINGS = LossSettings(
    content_layers=dict.fromkeys(CONTENT_LAYERS, 1.0),
    style_layers=dict.fromkeys(STYLE_LAYERS, 1 / 3),
    style_weight=100,
    tv_weight=0.1,
)


def optimizer(name: str) -> Optimizer:
    if name == "sgd":
        return Sgd(LearningRate(0.01))
    return LBFGS(LearningRate(1.0)) if name == "lbfgs" else Adam(LearningRate(0.02))


def render(
    content: Tensor,
    style: Tensor,
    name: str,
    iterations: int,
    rules: UpdateRules | None = None,
    sizes: tuple[int, ...] = (),
) -> list[Progress]:
    """Render with one network for all, so that batched and alone differ in nothing but the batch."""
    vgg = random_vgg(picture(100, 1, 3, 24, 24), picture(101, 1, 3, 24, 24))

    def prepare(size: int | None) -> tuple[Tensor, Objective]:
        sized = content if size is None else functional.interpolate(content, (size, size), mode="bilinear")
        return sized, Objective(VggNetwork(vgg).forward_pass(), sized, [StyleImage(style)], SETTINGS, start=sized)

    scales = [Scale(iterations, partial(prepare, size)) for size in sizes or (None,)]
    return list(optimize(scales, optimizer(name), rules))


def test_the_gram_matrix_is_the_sum_over_positions() -> None:
    """Given features, I expect G_ij = sum_k F_ik F_jk / (H W), written as plain loops."""
    features = picture(0, 2, 3, 4, 5)
    expected = torch.zeros(2, 3, 3)
    for b in range(2):
        for i in range(3):
            for j in range(3):
                expected[b, i, j] = sum(
                    features[b, i, y, x] * features[b, j, y, x] for y in range(4) for x in range(5)
                ) / (4 * 5)
    torch.testing.assert_close(gram(features), expected)


def test_total_variation_has_its_closed_forms() -> None:
    """Given a ramp of 1/2 a column, 5 x 4, I expect the values that one works out by hand."""
    ramp = torch.arange(4.0).expand(1, 3, 5, 4) * 0.5
    torch.testing.assert_close(total_variation(ramp), torch.tensor([0.25]))
    torch.testing.assert_close(total_variation(ramp, "l1"), torch.tensor([0.5]))
    torch.testing.assert_close(total_variation(ramp, "l1", "sum"), torch.tensor([0.5 * 3 * 5 * 3]))
    torch.testing.assert_close(total_variation(ramp, "l2", "sum"), torch.tensor([0.5 * 0.25 * 3 * 5 * 3]))


@given(st.integers(0, 2**16), st.floats(0.1, 50))
@settings(max_examples=10, deadline=None)
def test_relative_losses_know_no_unit(seed: int, unit: float) -> None:
    """Given a network, if all its activations are scaled, I expect the same losses but for total variation."""
    content, style, other = (picture(seed + i, 1, 3, 16, 16) for i in range(3))
    vgg = random_vgg(content, style)
    measured = []
    for scale in (1.0, unit):
        for layer in range(len(vgg.convolutions)):
            vgg.weights[layer].mul_(scale if layer == 0 else 1.0)
        measured.append(Objective(VggNetwork(vgg).forward_pass(), content, [StyleImage(style)], SETTINGS).losses(other))
    torch.testing.assert_close(measured[0], measured[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_rendering_brings_the_loss_down(optimizer: str) -> None:
    """Given two pictures, if one is rendered as the other, I expect a tenth of the loss, and each step told."""
    steps = render(picture(0, 1, 3, 24, 32), picture(1, 1, 3, 20, 28) * 0.4, optimizer, 40)
    assert [step.iteration for step in steps] == list(range(41))
    assert steps[-1].losses[0, 0] < 0.1 * steps[0].losses[0, 0]
    torch.testing.assert_close(steps[-1].losses[:, 0], steps[-1].losses[:, 1:].sum(1))


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "sgd"])
def test_a_batch_gives_what_each_gives_alone(optimizer: str) -> None:
    """Given two jobs of one shape, if they are rendered as one batch, I expect each as if it were alone."""
    content, style = picture(0, 2, 3, 16, 16), picture(1, 2, 3, 16, 16)
    together = render(content, style, optimizer, 8)[-1]
    for index in range(2):
        alone = render(content[index : index + 1], style[index : index + 1], optimizer, 8)[-1]
        torch.testing.assert_close(together.image[index], alone.image[0], rtol=1e-3, atol=1e-3)


def test_bfloat16_measures_what_float32_measures() -> None:
    """Given one picture, if the network computes in bfloat16, I expect losses and a gradient close to float32's."""
    content, style = picture(0, 1, 3, 24, 24), picture(1, 1, 3, 24, 24) * 0.4
    measured = []
    for dtype in (torch.float32, torch.bfloat16):
        vgg = random_vgg(content, style)
        vgg.cast(dtype)
        objective = Objective(VggNetwork(vgg).forward_pass(), content, [StyleImage(style)], SETTINGS)
        measured.append(objective.gradient(picture(2, 1, 3, 24, 24)))
    (losses, gradient), (rough_losses, rough_gradient) = measured
    assert rough_losses.dtype == rough_gradient.dtype == torch.float32
    torch.testing.assert_close(rough_losses, losses, rtol=0.03, atol=0.03)
    assert torch.cosine_similarity(rough_gradient.flatten(), gradient.flatten(), dim=0) > 0.99


def test_the_same_seed_gives_the_same_bits() -> None:
    """Given one spec, if it is rendered twice, I expect the very same picture."""
    runs = [render(picture(0, 1, 3, 16, 16), picture(1, 1, 3, 16, 16), "lbfgs", 10)[-1].image for _ in range(2)]
    assert torch.equal(runs[0], runs[1])


def test_progress_belongs_to_the_receiver() -> None:
    """Given progress that is kept, if rendering goes on, I expect its picture to stay as it was."""
    steps = render(picture(0, 1, 3, 16, 16), picture(1, 1, 3, 16, 16), "adam", 3)
    assert len({float(step.image.sum()) for step in steps}) == 4


def test_random_features_have_deviation_one_on_the_two_pictures() -> None:
    """Given calibrated random weights, I expect unit deviation at every convolution over both pictures together."""
    one, other = picture(0, 1, 3, 24, 24), picture(1, 1, 3, 16, 20)
    layers = [layer for layer in layer_names("vgg19") if layer.startswith("conv")][:8]
    vgg = Vgg("vgg19", layers)
    randomize(vgg, 3)
    calibrate(vgg, [one, other])
    for layer in layers:
        both = torch.cat([vgg(image)[layer].flatten() for image in (one, other)])
        torch.testing.assert_close(both.std(), torch.tensor(1.0), rtol=1e-4, atol=1e-4)


def test_random_features_depend_on_their_seed_alone() -> None:
    """Given a seed, I expect the same weights however deep the network, and others for another seed."""
    shallow, deep, other = Vgg("vgg19", ["relu1_2"]), Vgg("vgg19", ["relu3_1"]), Vgg("vgg19", ["relu1_2"])
    for vgg, seed in ((shallow, 5), (deep, 5), (other, 6)):
        randomize(vgg, seed)
    assert torch.equal(shallow.weights[1], deep.weights[1])
    assert not torch.equal(shallow.weights[1], other.weights[1])


def test_a_flat_picture_does_not_break_the_calibration() -> None:
    """Given two black pictures, I expect finite weights."""
    vgg = random_vgg(torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.5))
    assert all(weight.isfinite().all() for weight in vgg.weights)


@pytest.mark.parametrize("architecture", ["vgg19", "vgg16"])
def test_our_vgg_is_torchvision_s(architecture: VggArchitecture) -> None:
    """Given torchvision's own VGG with its weights, I expect our features to be its activations, layer by layer."""
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, architecture)(weights=None).features.eval()
    state = {f"features.{name}": value for name, value in theirs.state_dict().items()}
    ours = Vgg(architecture, ["conv1_2", "relu3_3", "relu5_1"], pooling="max")
    load_weights(ours, state)
    image = picture(0, 1, 3, 32, 32)
    features = ours(image)
    positions = torchvision_positions(architecture)
    x = ours.normalize(image)
    wanted = {positions["conv1_2"]: "conv1_2", positions["conv3_3"] + 1: "relu3_3", positions["conv5_1"] + 1: "relu5_1"}
    with torch.no_grad():
        for index, layer in enumerate(theirs):
            x = layer(x.clone())
            if index in wanted:
                torch.testing.assert_close(features[wanted[index]], x, rtol=1e-4, atol=1e-5)


def test_we_know_where_torchvision_keeps_its_weights() -> None:
    """Given torchvision's enums, I expect the file names that we wrote down to be theirs."""
    assert VGG19_Weights.IMAGENET1K_V1.url.rpartition("/")[2] == PRETRAINED_FILES["vgg19"]
    assert VGG16_Weights.IMAGENET1K_V1.url.rpartition("/")[2] == PRETRAINED_FILES["vgg16"]


def test_noise_is_its_seed_s_alone() -> None:
    """Given a seed, I expect the same noise for each picture of a batch, within its bounds, or of its deviation."""
    image = picture(0, 2, 3, 64, 64)
    noise = noise_like(image, "uniform", (-20, 20), 7)
    assert torch.equal(noise[0], noise[1])
    assert torch.equal(noise[:1], noise_like(torch.zeros(1, 3, 64, 64), "uniform", (-20, 20), 7))
    assert -20 <= noise.min() < -19 < 19 < noise.max() <= 20
    normal = noise_like(image, "normal", (0, 4), 7)[0]
    torch.testing.assert_close(torch.stack([normal.mean(), normal.std()]), torch.tensor([2.0, 2.0]), rtol=0.03, atol=0)


def test_filters_get_the_mean_activation_and_the_network_stays_what_it_was() -> None:
    """Given any weights, if filters are rescaled, I expect mean activations of 1, and outputs in proportion."""
    image = picture(0, 1, 3, 24, 24)
    vgg = Vgg("vgg19", ["relu1_1", "relu2_1", "relu2_2"])
    torch.manual_seed(1)
    for weight, bias in zip(vgg.weights, vgg.biases, strict=True):
        weight.normal_(0, 0.1)
        bias.normal_(0, 0.1)
    before = vgg(image)
    rescale_filters(vgg, [image])
    after = vgg(image)
    for layer, features in after.items():
        fired = before[layer].mean((2, 3)) > 0
        torch.testing.assert_close(features.mean((2, 3))[fired], torch.ones(int(fired.sum())), rtol=1e-4, atol=1e-4)
        scaled = before[layer] / before[layer].mean((2, 3), keepdim=True).clamp_min(1e-12)
        torch.testing.assert_close(features[:, fired[0]], scaled[:, fired[0]], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["lbfgs", "adam", "sgd"])
def test_rendering_goes_from_coarse_to_fine(name: str) -> None:
    """Given three scales, I expect one curve over all, pictures that grow, and the fine start to be the coarse end."""
    steps = render(picture(0, 1, 3, 32, 32), picture(1, 1, 3, 20, 28) * 0.4, name, 6, sizes=(12, 16, 24))
    assert [step.iteration for step in steps] == list(range(19))
    assert [step.image.shape[3] for step in steps] == [12] * 6 + [16] * 6 + [24] * 7
    content = functional.interpolate(picture(0, 1, 3, 32, 32), (16, 16), mode="bilinear")
    enlarged = functional.interpolate(steps[5].image, (16, 16), mode="bicubic")
    assert (steps[6].image - enlarged).norm() < (steps[6].image - content).norm()
    assert steps[-1].losses[0, 0] < steps[12].losses[0, 0]


def test_a_clamped_picture_never_leaves_black_and_white() -> None:
    """Given a start at the edge, if the picture is clamped, I expect every pixel in [0, 1] after each step."""
    steps = render(picture(0, 1, 3, 16, 16).round(), picture(1, 1, 3, 16, 16), "adam", 5, UpdateRules(clamp=True))
    assert all(float(step.image.min()) >= 0 and float(step.image.max()) <= 1 for step in steps)


def test_the_averaged_iterate_is_the_weighted_mean_of_all() -> None:
    """Given a decay, I expect the shown picture to be sum(decay^(n-i) x_i) / sum(decay^(n-i)) of the plain ones."""
    pair = picture(0, 1, 3, 16, 16), picture(1, 1, 3, 16, 16)
    plain, averaged = render(*pair, "adam", 5), render(*pair, "adam", 5, UpdateRules(average=0.9))
    weights = [0.9 ** (5 - i) for i in range(6)]
    expected = sum(w * step.image for w, step in zip(weights, plain, strict=True)) / sum(weights)
    torch.testing.assert_close(averaged[-1].image, expected)


def test_a_picture_that_hardly_moves_stands_still() -> None:
    """Given a bound on the relative change, if steps fall below it, I expect the work to end there, early."""
    pair = picture(0, 1, 3, 16, 16), picture(1, 1, 3, 16, 16)
    steps = render(*pair, "lbfgs", 200, UpdateRules(stop_change=0.02))
    assert 1 < len(steps) < 200
    changes = [float((b.image - a.image).norm() / b.image.norm()) for a, b in pairwise(steps)]
    assert all(change >= 0.02 for change in changes[:-1])
    assert changes[-1] < 0.02


def test_a_scale_ends_when_the_loss_no_longer_falls() -> None:
    """Given a share by which the loss must fall over five steps, I expect the end at the first step where it has not,
    none before that many steps, and the same pictures up to there as without the rule."""
    pair = picture(0, 1, 3, 16, 16), picture(1, 1, 3, 16, 16)
    whole = render(*pair, "lbfgs", 60)
    steps = render(*pair, "lbfgs", 60, UpdateRules(stop_loss_change=0.2, stop_loss_steps=5))
    assert 5 < len(steps) < 60
    totals = [float(step.losses[0, 0]) for step in whole]
    still = [totals[n - 5] - totals[n] < 0.2 * totals[n - 5] for n in range(5, len(totals))]
    assert len(steps) - 1 == still.index(True) + 5
    for found, expected in zip(steps, whole, strict=False):
        torch.testing.assert_close(found.image, expected.image)


def test_pictures_of_a_batch_stop_each_by_itself() -> None:
    """Given two jobs that stop at different times, I expect each to end as it does alone."""
    content, style = picture(0, 2, 3, 16, 16), picture(1, 2, 3, 16, 16)
    content[1] = style[1] * 0.9
    rules = UpdateRules(stop_change=0.02)
    together = render(content, style, "adam", 100, rules)[-1].image
    for index in range(2):
        alone = render(content[index : index + 1], style[index : index + 1], "adam", 100, rules)[-1].image
        torch.testing.assert_close(together[index], alone[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("positions", [400, 20])
def test_both_ways_to_a_matrix_s_root_agree(positions: int) -> None:
    """Given covariances, of full rank or of few positions with a ridge, I expect the eigenvalues' root, squared too."""
    features = picture(0, 2, 40, positions).double()
    matrix = features @ features.mT / positions + 1e-4 * torch.eye(40, dtype=torch.float64)
    root = matrix_sqrt(matrix)
    torch.testing.assert_close(root @ root, matrix)
    iterated, inverse = newton_schulz(matrix)
    torch.testing.assert_close(iterated, root, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(inverse @ root, torch.eye(40, dtype=torch.float64).expand(2, 40, 40), rtol=0, atol=1e-5)


def test_a_distance_of_gaussians_does_not_fall_below_zero() -> None:
    """Given float32 features of many channels and few positions, of large and small size, I expect 0 to themselves."""
    features = picture(0, 1, 512, 6, 6) * torch.logspace(-3, 2, 512)[None, :, None, None]
    target = style_target("wasserstein", [StyleSource(features)])
    distance = target.distance(features, None, 0) / target.magnitude()
    torch.testing.assert_close(distance, torch.zeros(1), rtol=0, atol=1e-4)
