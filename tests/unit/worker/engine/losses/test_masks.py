"""Masks: where a style belongs, and which part of it counts, through the objective."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch import Tensor

from stylefarm.shared.spec.spec import parse_spec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.losses.moments import gram
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.vgg import Vgg, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.render.cache import ModelCache
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.scale import RenderContext, prepare_scale

HEIGHT, WIDTH, HALF = 16, 24, 12
SETTINGS = {"content_layers": {"relu2_1": 1.0}, "content_normalization": "mean", "style_normalization": "none"}
# How far into the picture a position of the layer sees, beyond the pixels that it stands for.
REACH = {"relu1_1": 1, "relu1_2": 2, "relu2_1": 4}


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64)


def network() -> Vgg:
    vgg = Vgg("vgg19", REACH)
    randomize(vgg, 0)
    return vgg.double()


def objective(
    styles: list[StyleImage], layers: tuple[str, ...] = ("relu1_1",), content_weight: float = 0.0, **changes: object
) -> Objective:
    fields = {**SETTINGS, "style_layers": dict.fromkeys(layers, 1.0), "content_weight": content_weight, **changes}
    return Objective(VggNetwork(network()).forward_pass(), picture(0), styles, LossSettings(**fields))  # type: ignore[arg-type]


def mask(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    return torch.zeros(1, 1, height, width, dtype=torch.float64)


def halves() -> tuple[Tensor, Tensor]:
    left = mask()
    left[..., :HALF] = 1
    return left, 1 - left


def guided_gram(features: Tensor, weights: Tensor) -> Tensor:
    """Gatys et al. 2017, sum_k w_k f_k f_k^T / sum_k w_k, as loops over the positions."""
    total = torch.zeros(features.shape[1], features.shape[1], dtype=torch.float64)
    for row in range(features.shape[2]):
        for column in range(features.shape[3]):
            vector = features[0, :, row, column]
            total += weights[row, column] * torch.outer(vector, vector)
    return total / weights.sum()


@pytest.mark.parametrize("loss", ["gram", "mean-std", "wasserstein", "sliced", "mmd-gaussian"])
def test_masks_of_ones_are_no_masks(loss: str) -> None:
    """Given both masks white everywhere, I expect the losses and the gradient that there are without them."""
    image, style = picture(1), picture(2, 20, 14)
    layers = {"layers": tuple(REACH), "content_weight": 1.0, "style_losses": {loss: 1.0}}
    white = StyleImage(style, source_mask=mask(20, 14) + 1, mask=mask() + 1)
    expected = objective([StyleImage(style)], **layers).gradient(image)  # type: ignore[arg-type]
    found = objective([white], **layers).gradient(image)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("layer", REACH)
def test_a_style_leaves_alone_what_its_region_does_not_see(layer: str) -> None:
    """Given a style for the left half, I expect no gradient beyond the layer's reach, and one up to it."""
    left, _ = halves()
    gradient = objective([StyleImage(picture(2), mask=left)], (layer,)).gradient(picture(1))[1]
    # A position of conv2_1 stands for two pixels, and sees those of its neighbors' 2 x 2 windows two convolutions off.
    last = HALF + REACH[layer]
    assert (gradient[..., last:] == 0).all()
    assert (gradient[..., last - 1] != 0).any()


def test_two_styles_in_two_halves_render_each_their_own() -> None:
    """Given a style for each half, I expect at each half the gradient of its style alone, but for the seam."""
    left, right = halves()
    one, other = StyleImage(picture(2), 0.5, mask=left), StyleImage(picture(3), 0.5, mask=right)
    gradients = [objective(styles).gradient(picture(1))[1] for styles in ([one, other], [one], [other])]
    both, of_one, of_other = gradients
    torch.testing.assert_close(both[..., : HALF - 1], of_one[..., : HALF - 1])
    torch.testing.assert_close(both[..., HALF + 1 :], of_other[..., HALF + 1 :])
    torch.testing.assert_close(both, of_one + of_other)


def test_two_styles_in_two_halves_are_reached_each_in_its_own() -> None:
    """Given as picture two styles side by side, I expect no loss but the seam's, and much the other way round."""
    left, right = halves()
    one, other = picture(2), 0.3 * picture(3)
    image = torch.where(left > 0, one, other)
    measured = []
    for first, second in ((one, other), (other, one)):
        styles = [StyleImage(first, 0.5, left, left), StyleImage(second, 0.5, right, right)]
        measured.append(float(objective(styles).losses(image)[0, 2]))
    assert measured[0] < 0.01 * measured[1]


def test_the_guided_gram_matrix_of_a_crop_is_the_plain_one_of_the_crop() -> None:
    """Given a mask over a crop, away from all borders, I expect the plain Gram matrix of the picture cut there."""
    vgg, image = network(), picture(1)
    region = mask()
    region[..., 4:11, 5:18] = 1
    # The crop is cut one pixel wider, and that frame, which sees the crop's padding, taken off its features.
    crop = vgg(image[..., 3:12, 4:19])["relu1_1"][..., 1:-1, 1:-1]
    torch.testing.assert_close(gram(vgg(image)["relu1_1"], region), gram(crop))


def test_a_source_mask_takes_the_style_from_its_crop() -> None:
    """Given a style of which a crop counts, I expect the loss to the plain Gram matrix of the crop's features."""
    vgg, image, style = network(), picture(1), picture(2)
    region = mask()
    region[..., 4:11, 5:18] = 1
    found = objective([StyleImage(style, source_mask=region)]).losses(image)[0, 2]
    target = gram(vgg(style)["relu1_1"][..., 4:11, 5:18])
    expected = (gram(vgg(image)["relu1_1"]) - target).square().mean()
    torch.testing.assert_close(found, expected)


def test_soft_masks_weigh_each_position() -> None:
    """Given soft masks on both sides, I expect guided Gram matrices by definition, a mask's patches averaged."""
    vgg, image, style = network(), picture(1), picture(2)
    soft, source = (picture(seed)[:, :1] for seed in (4, 5))
    found = objective([StyleImage(style, source_mask=source, mask=soft)], ("relu1_1", "relu2_1")).losses(image)[0, 2]
    expected = torch.zeros((), dtype=torch.float64)
    for layer, edge in (("relu1_1", 1), ("relu2_1", 2)):
        guides = [guide[0, 0].unfold(0, edge, edge).unfold(1, edge, edge).mean((2, 3)) for guide in (soft, source)]
        pair = [guided_gram(vgg(p)[layer], guide) for p, guide in zip((image, style), guides, strict=True)]
        expected += (pair[0] - pair[1]).square().mean()
    torch.testing.assert_close(found, expected)


def test_only_the_ratios_of_a_mask_count() -> None:
    """Given a mask at half its strength, I expect what there is at full strength."""
    left, _ = halves()
    losses = [objective([StyleImage(picture(2), mask=scale * left)]).losses(picture(1)) for scale in (1.0, 0.5)]
    torch.testing.assert_close(losses[0], losses[1])


def test_each_region_counts_by_its_style_s_share() -> None:
    """Given two regions with shares, I expect the sum of the shares times the loss of each region by itself."""
    left, right = halves()
    one, other, image = picture(2), picture(3), picture(1)
    both = objective([StyleImage(one, 0.25, mask=left), StyleImage(other, 0.75, mask=right)]).losses(image)[0, 2]
    alone = [objective([StyleImage(s, 1.0, mask=m)]).losses(image)[0, 2] for s, m in ((one, left), (other, right))]
    torch.testing.assert_close(both, 0.25 * alone[0] + 0.75 * alone[1])


def test_a_spot_smaller_than_a_pixel_of_the_result_renders_something_finite() -> None:
    """Given a mask of one white pixel in a large picture, if it is rendered small, I expect finite losses."""
    large = Image.new("RGB", (1600, 1200), (90, 140, 30))
    spot = Image.new("L", large.size)
    spot.putpixel((800, 600), 255)
    fields = {"content": "a", "style": "b", "size": 32, "content_layers": ("relu1_1",), "style_layers": ("relu1_1",)}
    spec = parse_spec({**fields, "content_masks": "m", "style_weight": 5.0})
    vgg = Vgg("vgg19", spec.layers)
    randomize(vgg, 0)
    inputs = JobImages(spec, large, [large], [spot], [], None)
    context = RenderContext(choose("fp32"), VggNetwork(vgg), ModelCache(0), lambda: 2**40)
    start, measured = prepare_scale([inputs], 32, context)
    losses, gradient = measured.gradient(start)
    assert losses.isfinite().all()
    assert gradient.isfinite().all()
