"""Models of johnson, ulyanov and cin, applied: sizes, mixtures, masks, strength, memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidSpec, OutOfMemory
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.trunk_applier import TrunkApplier
from stylefarm.worker.engine.losses.targets import StyleImage
from tests.unit.worker.engine.feedforward.trunks import CPU, PLENTY, SHAPES, model_of, picture, random_trunk

PLAIN = ApplyOptions()


def applier(name: str) -> TrunkApplier:
    methods = {"pytorch/examples": "johnson", "adjustable": "cin"}
    return TrunkApplier(model_of(random_trunk(SHAPES[name]), methods.get(name, name)), CPU)


def applied(
    name: str, content: Tensor, *styles: StyleIndex, options: ApplyOptions = PLAIN, memory: int = PLENTY
) -> Tensor:
    return applier(name).apply(content, styles, options, memory)


@pytest.mark.parametrize("name", ["pytorch/examples", "johnson", "ulyanov", "cin"])
@pytest.mark.parametrize("size", [(1, 1), (3, 70), (17, 18), (30, 33)])
def test_pictures_of_any_size(name: str, size: tuple[int, int]) -> None:
    """Given a picture whose sides are no multiples of the stride, if it is rendered, I expect one of its size."""
    styles = [StyleIndex(0)] if name == "cin" else []
    rendered = applied(name, picture(*size, batch=2), *styles)
    assert rendered.shape == (2, 3, *size)
    assert rendered.isfinite().all()


@pytest.mark.parametrize("name", ["pytorch/examples", "johnson", "cin"])
def test_a_batch_is_its_pictures(name: str) -> None:
    """Given several pictures, if they are rendered together, I expect what each gives alone."""
    styles = [StyleIndex(1)] if name == "cin" else []
    contents = picture(20, 24, batch=3)
    together = applied(name, contents, *styles)
    alone = torch.cat([applied(name, content[None], *styles) for content in contents])
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-4)


def test_half_the_picture_in_each_style() -> None:
    """Given a mask for each of two styles, if they meet in the middle, I expect each half unlike the other style's."""
    content, left = picture(32, 64), torch.zeros(1, 1, 32, 64)
    left[..., :32] = 1
    both = applied("cin", content, StyleIndex(0, 0.5, left), StyleIndex(2, 0.5, 1 - left))
    first, second = (applied("cin", content, StyleIndex(index)) for index in (0, 2))
    for columns, own, other in ((slice(0, 16), first, second), (slice(48, 64), second, first)):
        apart = [float((both - each)[..., columns].abs().mean()) for each in (own, other)]
        assert apart[0] < apart[1]


@pytest.mark.parametrize("name", ["pytorch/examples", "cin"])
def test_where_no_mask_is_the_content_stays(name: str) -> None:
    """Given one mask of half the picture, if it is rendered, I expect the other half untouched."""
    content, mask = picture(16, 32), torch.zeros(1, 1, 16, 32)
    mask[..., 16:] = 1
    rendered = applied(name, content, StyleIndex(0, mask=mask))
    assert torch.equal(rendered[..., :16], content[..., :16])
    assert not torch.isclose(rendered[..., 16:], content[..., 16:]).any(1).all()


def test_shares_mix_scales_and_shifts() -> None:
    """Given one style in two shares, if they are mixed, I expect that style; and of two, neither."""
    content = picture(16, 16)
    whole = applied("cin", content, StyleIndex(1))
    torch.testing.assert_close(applied("cin", content, StyleIndex(1, 0.25), StyleIndex(1, 0.75)), whole)
    assert not torch.allclose(applied("cin", content, StyleIndex(1, 0.5), StyleIndex(0, 0.5)), whole, atol=1e-3)


def test_strength_fades_or_is_learned() -> None:
    """Given a strength, I expect an adjustable network to use it, and any other to show the content through."""
    content = picture(16, 16)
    whole = applied("cin", content, StyleIndex(1))
    half, none = (applied("cin", content, StyleIndex(1), options=ApplyOptions(strength=s)) for s in (0.5, 0.0))
    torch.testing.assert_close(half, (whole + content) / 2)
    torch.testing.assert_close(none, content)
    weak, strong = (applied("adjustable", content, StyleIndex(1), options=ApplyOptions(strength=s)) for s in (0.0, 1.0))
    assert not torch.allclose(weak, content, atol=0.05)
    assert not torch.allclose(weak, strong, atol=0.05)


@pytest.mark.parametrize("name", ["pytorch/examples", "johnson", "cin"])
def test_little_memory_gives_the_same_picture(name: str) -> None:
    """Given less memory than the whole takes, if a picture is rendered, I expect the same one, in strips."""
    styles = [StyleIndex(2)] if name == "cin" else []
    ready, content = applier(name), picture(400, 64)
    whole = ready.apply(content, styles, PLAIN, PLENTY)
    memory = ready.bytes(400, 64) - (1 << 19)
    torch.testing.assert_close(ready.apply(content, styles, PLAIN, memory), whole, atol=1e-3, rtol=1e-4)
    with pytest.raises(OutOfMemory, match="64 x 400 pixels need"):
        ready.apply(content, styles, PLAIN, memory=1 << 20)


def test_little_memory_keeps_styles_in_their_places() -> None:
    """Given masks, and less memory than the whole takes with them, if a picture is rendered, I expect the same one."""
    ready, content = applier("cin"), picture(400, 64)
    mask = torch.linspace(0, 1, 400).view(1, 1, -1, 1).expand(1, 1, 400, 64)
    styles = [StyleIndex(0, 0.5, mask), StyleIndex(2, 0.5, 1 - mask)]
    whole = ready.apply(content, styles, PLAIN, PLENTY)
    torch.testing.assert_close(ready.apply(content, styles, PLAIN, ready.bytes(400, 64)), whole, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "styles", "options", "sentence"),
    [
        ("cin", [], PLAIN, "3 styles: choose one"),
        ("cin", [StyleIndex(3)], PLAIN, "no style 3"),
        ("cin", [StyleIndex(-1)], PLAIN, "no style -1"),
        ("cin", [StyleIndex(0, 0.0)], PLAIN, "shares"),
        ("cin", [StyleIndex(0, 2.0), StyleIndex(1, -1.0)], PLAIN, "shares"),
        ("cin", [StyleIndex(0, mask=torch.ones(1, 1, 4, 4))], PLAIN, "size"),
        ("cin", [StyleIndex(0)], ApplyOptions(strength=1.5), "strength = 1.5"),
        ("cin", [StyleImage(torch.zeros(1, 3, 8, 8))], PLAIN, "leave style out"),
        ("pytorch/examples", [StyleIndex(1)], PLAIN, "one style"),
        ("pytorch/examples", [StyleIndex(0), StyleIndex(0)], PLAIN, "one style"),
    ],
)
def test_what_cannot_be_applied_is_refused(
    name: str, styles: list[StyleIndex], options: ApplyOptions, sentence: str
) -> None:
    """Given a choice that the model has not, if it is applied, I expect a sentence that says so."""
    with pytest.raises(InvalidSpec, match=sentence):
        applied(name, picture(8, 8), *styles, options=options)
