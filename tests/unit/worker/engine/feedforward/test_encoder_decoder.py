"""Models of encoders and decoders: pictures, strips, sizes and memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest, InvalidSpec, OutOfMemory
from stylefarm.shared.spec.models import Transform
from stylefarm.shared.spec.space import CAFFE, TORCHVISION
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.chain import Chain, Layer
from stylefarm.worker.engine.feedforward.encoder_decoder import EncoderDecoderApplier
from stylefarm.worker.engine.feedforward.encoders import (
    mirrored,
    random_decoder,
    squeezenet_encoder,
    squeezenet_tensors,
    vgg_encoder,
    vgg_tensors,
)
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.networks.squeezenet import SqueezeNet, randomize_squeezenet
from stylefarm.worker.engine.networks.vgg import Vgg, randomize
from stylefarm.worker.engine.networks.weights import torchvision_positions
from stylefarm.worker.engine.space import to_input
from tests.unit.worker.engine.feedforward.networks import small_encoder, small_model

PATH = ComputePath(torch.device("cpu"), "fp32")
ENOUGH = 1 << 32
TRANSFORMS: tuple[Transform, ...] = ("adain", "wct", "efdm", "ot")


def picture(seed: int, height: int = 40, width: int = 32, batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


def applier(model: Model | None = None) -> EncoderDecoderApplier:
    return EncoderDecoderApplier(model or small_model(), PATH)


def naive(model: Model, content: Tensor, style: Tensor, strength: float) -> Tensor:
    """WCT as its reference computes it, layer by layer, for sizes that are multiples of the stride."""

    def run(layers: list[dict[str, object]], x: Tensor) -> Tensor:
        for layer in layers:
            if layer["kind"] == "pool":
                x = functional.max_pool2d(x, 2, 2)
            elif layer["kind"] == "up":
                x = functional.interpolate(x, scale_factor=2)
            else:
                weight, bias = (model.tensors[f"{layer['name']}.{kind}"] for kind in ("weight", "bias"))
                margin = weight.shape[2] // 2
                x = functional.conv2d(functional.pad(x, (margin,) * 4, "reflect"), weight, bias)
                x = x if layer.get("relu") is False else x.relu()
        return x

    for number, level in enumerate(model.architecture["levels"]):
        content = content.clamp(0, 1) if number else content
        f, g = (run(level["encoder"], image)[0].flatten(1).double() for image in (content, style))
        centered = f - f.mean(1, keepdim=True)
        left, values, _ = torch.linalg.svd(torch.cov(f))
        keep = values > 1e-5 * values[0]
        white = (left[:, keep] * values[keep].rsqrt()) @ left[:, keep].T @ centered
        left, values, _ = torch.linalg.svd(torch.cov(g))
        colored = (left * values.sqrt()) @ left.T @ white + g.mean(1, keepdim=True)
        mixed = strength * colored + (1 - strength) * f
        stride = 2 ** (level["level"] - 1)
        shape = (1, f.shape[0], content.shape[2] // stride, content.shape[3] // stride)
        content = run(level["decoder"], mixed.float().view(shape))
    return content


def test_wct_is_the_reference() -> None:
    """given a content and a style, if wct renders at three levels, I expect what the paper's formulas give."""
    model = small_model()
    content, style = picture(1), picture(2, 24, 28)
    found = applier(model).apply(content, [StyleImage(style)], ApplyOptions(strength=0.6), ENOUGH)
    torch.testing.assert_close(found, naive(model, content, style, 0.6), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("method", ["adain", "wct"])
def test_strength_0_gives_the_reconstruction(method: str) -> None:
    """given a model, if the strength is 0, I expect encoding and decoding alone, whatever the style."""
    model = small_model(method, (3,))
    found = applier(model).apply(picture(1), [StyleImage(picture(2))], ApplyOptions(strength=0.0), ENOUGH)
    level = model.architecture["levels"][0]
    x = picture(1)
    for part in ("encoder", "decoder"):
        x = Chain([Layer(**layer) for layer in level[part]], model.tensors, fold=False).forward(x)
    torch.testing.assert_close(found, x, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("masked", [False, True])
def test_strips_give_the_whole_picture(transform: Transform, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """given a picture that does not fit into the memory whole, if it is rendered in strips, I expect the same picture:
    no seams."""
    model = small_model(levels=(3, 1))
    content, styles = picture(1, 301, 39), [StyleImage(picture(2, 270, 20))]
    if masked:
        mask = torch.zeros(1, 1, 301, 39)
        mask[..., 90:170, :] = 1
        styles = [replace(styles[0], mask=mask), StyleImage(picture(3), mask=1 - mask)]
    options = ApplyOptions(strength=0.8, transform=transform)
    heights: list[int] = []
    forward = Chain.forward

    def watched(chain: Chain, x: Tensor) -> Tensor:
        heights.append(x.shape[2])
        return forward(chain, x)

    monkeypatch.setattr(Chain, "forward", watched)
    whole = applier(model).apply(content, styles, options, ENOUGH)
    passes = len(heights)
    # What efdm sorts takes more than the convolutions.
    memory = int(applier(model).bytes(301, 39) * (2.1 if transform == "efdm" else 0.7))
    strips = applier(model).apply(content, styles, options, memory)
    assert len(heights) > 2 * passes
    assert whole.shape == content.shape
    # Ties in efdm are broken by place, and rounding breaks ties.
    torch.testing.assert_close(strips, whole, atol=5e-3 if transform == "efdm" else 1e-3, rtol=1e-3)


def test_what_does_not_fit_in_any_way_is_refused() -> None:
    """given almost no memory, if a picture is rendered, I expect a sentence that says so."""
    with pytest.raises(OutOfMemory, match=r"a picture of 32 x 40 .* take a smaller one"):
        applier().apply(picture(1), [StyleImage(picture(2))], ApplyOptions(), 1000)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (33, 17)])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_any_size_of_content_and_style_is_rendered(size: tuple[int, int], transform: Transform) -> None:
    """given contents and styles down to one pixel, if they are rendered, I expect finite pictures of the content's
    size."""
    render = applier(small_model(levels=(5, 1)))
    for content, style in ((size, (24, 24)), ((24, 24), size)):
        found = render.apply(
            picture(1, *content), [StyleImage(picture(2, *style))], ApplyOptions(transform=transform), ENOUGH
        )
        assert found.shape[2:] == content
        assert found.isfinite().all()


def test_a_batch_is_its_pictures() -> None:
    """given several contents, each with a style of its own, if they are rendered together or one by one for want of
    memory, I expect what each gives alone."""
    contents, styles = picture(1, batch=2), picture(2, 20, 20, batch=2)
    render = applier()
    alone = [
        render.apply(content, [StyleImage(style)], ApplyOptions(), ENOUGH)
        for content, style in zip(contents.split(1), styles.split(1), strict=True)
    ]
    for memory in (ENOUGH, int(render.bytes(40, 32) * 1.5)):
        found = render.apply(contents, [StyleImage(styles)], ApplyOptions(), memory)
        torch.testing.assert_close(found, torch.cat(alone), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_bfloat16_gives_nearly_the_same_picture(transform: Transform) -> None:
    """given a model, if it computes in bfloat16, I expect the float32 picture to 2 % of its range, in float32."""
    content, style, options = picture(1, 48, 40), StyleImage(picture(2)), ApplyOptions(transform=transform)
    exact = applier().apply(content, [style], options, ENOUGH)
    path = ComputePath(torch.device("cpu"), "bf16")
    found = EncoderDecoderApplier(small_model(), path).apply(content, [style], options, ENOUGH)
    assert found.dtype == torch.float32
    assert (found - exact).square().mean().sqrt() < 0.02 * (exact.max() - exact.min())


def test_levels_are_chosen_and_styles_are_read_once() -> None:
    """given a model of three levels, if two are asked for, I expect those; if a style has a key, I expect its
    picture to be read once."""
    content, style = picture(1), StyleImage(picture(2), key="a")
    render = applier()
    found = render.apply(content, [style], ApplyOptions(levels=(1, 3)), ENOUGH)
    two = small_model(levels=(3, 2, 1))
    kept = [level for level in two.architecture["levels"] if level["level"] != 2]
    expected = applier(replace(two, architecture={"levels": kept})).apply(content, [style], ApplyOptions(), ENOUGH)
    torch.testing.assert_close(found, expected)
    other = replace(style, image=torch.zeros_like(style.image))
    torch.testing.assert_close(render.apply(content, [other], ApplyOptions(levels=(1, 3)), ENOUGH), found)


def test_a_source_mask_says_which_part_of_the_style_counts() -> None:
    """given a style of two halves, if its mask leaves one out, I expect what the other gives: at level 1, where the
    halves do not see each other but at one column."""
    half, other = picture(2, 24, 12), torch.zeros(1, 3, 24, 12)
    whole = torch.cat([half, half.flip(3), other], 3)
    mask = torch.zeros(1, 1, 24, 36)
    mask[..., :12] = 1
    render = applier(small_model("adain", (1,)))
    found = render.apply(picture(1), [StyleImage(whole, source_mask=mask)], ApplyOptions(), ENOUGH)
    alone = render.apply(picture(1), [StyleImage(half)], ApplyOptions(), ENOUGH)
    assert (found - alone).abs().mean() < 0.05 * (found - picture(1)).abs().mean()


@pytest.mark.parametrize(("levels", "transform"), [((1,), "wct"), ((3, 2), "ot"), ((4,), "adain")])
def test_memory_is_counted_honestly(levels: tuple[int, ...], transform: Transform) -> None:
    """given a picture, if it is rendered whole, I expect no more memory than is said, nor less than half of it."""
    render, content = applier(small_model(levels=levels)), picture(1, 320, 256)
    with torch.profiler.profile(profile_memory=True) as profiler:
        render.apply(content, [StyleImage(picture(2, 16, 16))], ApplyOptions(transform=transform), ENOUGH)
    held = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    said = render.bytes(320, 256)
    # The content itself is held by the caller.
    assert 0.5 * said < peak + content.numel() * 4 <= said


@pytest.mark.parametrize(
    ("styles", "options", "message"),
    [
        ([], ApplyOptions(), "takes pictures as styles"),
        ([StyleIndex(0)], ApplyOptions(), "takes pictures as styles"),
        ([StyleImage(picture(2))], ApplyOptions(levels=(5,)), "has no level 5: choose among 3, 2, 1"),
    ],
)
def test_what_the_model_cannot_do_is_refused(
    styles: list[StyleImage | StyleIndex], options: ApplyOptions, message: str
) -> None:
    """given no style, an index, or a level that the model has not, if it is applied, I expect a sentence."""
    with pytest.raises(InvalidSpec, match=message):
        applier().apply(picture(1), styles, options, ENOUGH)


def _without(model: Model, name: str) -> Model:
    return replace(model, tensors={key: value for key, value in model.tensors.items() if key != name})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (replace(small_model(), architecture={}), "no levels that can be read"),
        (replace(small_model(), architecture={"levels": []}), "has no levels"),
        (
            replace(small_model(), architecture={"levels": [{"level": 1, "encoder": 3, "decoder": []}]}),
            "cannot be read",
        ),
        (_without(small_model(), "encoder2.conv11.bias"), "lacks the weights of encoder2.conv11"),
        (
            replace(
                small_model(), tensors={**small_model().tensors, "decoder2.conv12.weight": torch.zeros(4, 9, 3, 3)}
            ),
            "takes 9 channels, and gets 4",
        ),
    ],
)
def test_a_damaged_model_is_refused(model: Model, message: str) -> None:
    """given a model that lacks something or does not fit together, if it is prepared, I expect a sentence."""
    with pytest.raises(InvalidRequest, match=message):
        applier(model)


def test_folded_layers_are_the_layers() -> None:
    """given a chain with an enlargement before a convolution, if it is computed as phases, I expect the plain result up
    to rounding, borders included."""
    layers, encoder = small_encoder(3)
    decoder = mirrored(layers, "d.")
    tensors = random_decoder(layers, encoder, "d.", torch.Generator().manual_seed(1))
    row = torch.rand(1, 8, 1, 5, generator=torch.Generator().manual_seed(2))
    for chain, names, x in ((layers, encoder, picture(1, 16, 12)), (decoder, tensors, row)):
        torch.testing.assert_close(
            Chain(chain, names).forward(x), Chain(chain, names, fold=False).forward(x), atol=1e-5, rtol=1e-4
        )
        assert Chain(chain, names).shape(*x.shape[2:]) == tuple(Chain(chain, names).forward(x).shape[1:])


@pytest.mark.parametrize(("channels", "height", "width"), [(128, 50, 41), (32, 300, 220), (4, 9, 1)])
@pytest.mark.parametrize("relu", [True, False])
def test_prepared_convolutions_are_the_plain_ones(channels: int, height: int, width: int, relu: bool) -> None:
    """given a convolution of many channels, of large features, or of a single column, if it is prepared for its size, I
    expect the plain result up to rounding, borders included, for one picture and for several."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, channels, 3, 3, generator=generator) / 30
    tensors = {"a.weight": weight, "a.bias": torch.randn(8, generator=generator)}
    for batch in (1, 2):
        x = torch.randn(batch, channels, height, width, generator=generator)
        layers = [Layer("conv", "a", relu=relu)]
        found, plain = (Chain(layers, tensors, fold=fold).forward(x) for fold in (True, False))
        torch.testing.assert_close(found, plain, atol=1e-4, rtol=1e-4)


def test_vgg_encodes_as_torchvision_does() -> None:
    """given VGG-19's weights for BGR of 0 to 255, if the encoder of level 3 sees a picture, I expect the network's
    features away from the border, where the paddings differ."""
    vgg = Vgg("vgg19", ["relu3_1"], space=CAFFE)
    randomize(vgg, 0)
    positions = torchvision_positions("vgg19")
    state = {
        f"features.{positions[c.name]}.{kind}": values[index]
        for index, c in enumerate(vgg.convolutions)
        for kind, values in (("weight", vgg.weights), ("bias", vgg.biases))
    }
    image = picture(1, 48, 48)
    x = to_input(CAFFE, image)
    for index, convolution in enumerate(vgg.convolutions):
        x = functional.max_pool2d(x, 2) if convolution.pooled else x
        x = functional.conv2d(x, vgg.weights[index], vgg.biases[index], padding=1).relu()
    found = Chain(vgg_encoder("e.", 3), vgg_tensors(state, CAFFE, "e.", 3)).forward(image)
    torch.testing.assert_close(found[:, :, 3:-3, 3:-3], x[:, :, 3:-3, 3:-3], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("level", [1, 2, 4])
def test_squeezenet_encodes_and_its_mirror_decodes(level: int) -> None:
    """given SqueezeNet's weights, if a picture is encoded and decoded, I expect features at the level's stride and a
    picture of the same size; at level 1 the features of the network itself away from the border."""
    network = SqueezeNet()
    randomize_squeezenet(network, 0)
    state = network.state_dict()
    layers, tensors = squeezenet_encoder("e.", level), squeezenet_tensors(state, TORCHVISION, "e.", level)
    encoder, image = Chain(layers, tensors), picture(1, 32, 64)
    features = encoder.forward(image)
    assert encoder.stride == 2**level
    assert features.shape[2:] == (32 >> level, 64 >> level)
    decoder = random_decoder(layers, tensors, "d.", torch.Generator().manual_seed(0))
    assert Chain(mirrored(layers, "d."), decoder).forward(features).shape == image.shape
    if level == 1:
        # Its first convolution has no padding: here there is a pixel before.
        theirs = network.features[:2](to_input(TORCHVISION, functional.pad(image, (1, 1, 1, 1), "reflect")))
        torch.testing.assert_close(features, theirs, atol=1e-4, rtol=1e-4)
