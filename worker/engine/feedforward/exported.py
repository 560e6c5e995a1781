"""Trained models as modules that other programs can run: their inputs by name, one picture out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylefarm.worker.engine.feedforward.chain import Chain, parse_layers
from stylefarm.worker.engine.feedforward.cyclegan import generator_tensors
from stylefarm.worker.engine.feedforward.encoder_decoder import Level, levels_of
from stylefarm.worker.engine.feedforward.ghiasi import GhiasiApplier, shares_of
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.style_predictor import STYLE_SIDE, StylePredictor
from stylefarm.worker.engine.feedforward.transforms import EPSILON, measure_at_once, whiten_and_color
from stylefarm.worker.engine.feedforward.trunk import load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import STRIDE, TrunkShape
from stylefarm.worker.engine.hardware.device import ComputePath

# The sides of the least picture that an exported network takes, in strides; a reflected edge needs some room.
LEAST_STRIDES = 4


@dataclass(frozen=True)
class ExportableModel:
    """A model as one module.

    Args:
        module: Takes the inputs by position, and returns the picture, (1, 3, H, W) in [0, 1] but for overshoot.
        inputs: What the inputs are called, each with an example; "content" and "style" are pictures, (1, 3, H, W) in
            [0, 1].
        strides: The pictures whose height and width are free, and what both are to be multiples of.
        notes: What a user of the file must know.
        lacking: What ONNX lacks for it; empty if nothing.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    strides: Mapping[str, int]
    notes: tuple[str, ...] = ()
    lacking: str = ""


def exportable(model: Model) -> ExportableModel:
    """Return a model as one module.

    Args:
        model: The model.

    Example:
        >>> from stylefarm.worker.engine.feedforward.trunk import Trunk
        >>> shape = TrunkShape((4, 8, 16), (8, 4), blocks=1)
        >>> found = exportable(Model("johnson", shape.document(), Trunk(shape).state_dict()))
        >>> list(found.inputs), tuple(found.module(*found.inputs.values()).shape)
        (['content'], (1, 3, 64, 96))
    """
    return _MAKERS.get(model.method, _of_trunk)(model)


def _examples(stride: int) -> dict[str, Tensor]:
    """Return a content and a style whose sides are multiples of a stride, four times it or more."""
    draw, least = torch.Generator().manual_seed(0), max(64, LEAST_STRIDES * stride)
    return {
        name: torch.rand(1, 3, least, width, generator=draw)
        for name, width in (("content", least + 32), ("style", least))
    }


class _TrunkModule(nn.Module):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, content: Tensor) -> Tensor:
        rendered: Tensor = self.trunk(content, None)
        return rendered


class _StylesModule(nn.Module):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, content: Tensor, style_weights: Tensor) -> Tensor:
        rendered: Tensor = self.trunk(content, Mixture(style_weights))
        return rendered


class _AdainModule(nn.Module):
    def __init__(self, encoder: Chain, decoder: Chain) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        features, of_style = self.encoder.forward(content), self.encoder.forward(style)
        # As `transforms.adain`, which counts positions in Python, where an exporter cannot follow.
        (variance, mean), (to_variance, to_mean) = (_moments(each) for each in (features, of_style))
        ratio = ((to_variance + EPSILON) / (variance + EPSILON)).sqrt()
        return self.decoder.forward((features - mean) * ratio + to_mean)


class _WctModule(nn.Module):
    def __init__(self, levels: Sequence[Level]) -> None:
        super().__init__()
        self.levels = levels

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        picture = content
        for level in self.levels:
            features, of_style = level.encoder.forward(picture.clamp(0, 1)), level.encoder.forward(style)
            measured = [measure_at_once(each.flatten(2), None, full=True) for each in (features, of_style)]
            colored = whiten_and_color(*measured)(features.flatten(2))
            picture = level.decoder.forward(colored.unflatten(2, features.shape[2:]))
        return picture


class _GhiasiModule(nn.Module):
    def __init__(self, predictor: StylePredictor, trunk: nn.Module) -> None:
        super().__init__()
        self.predictor, self.trunk = predictor, trunk

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        rendered: Tensor = self.trunk(content, Mixture(shares_of(self.predictor.vectors(style))))
        return rendered


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    return torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)


def _sizes(pictures: str, stride: int) -> str:
    return f"{pictures}: height and width must be multiples of {stride}, {LEAST_STRIDES * stride} at least"


def _both(stride: int) -> dict[str, int]:
    return {"content": stride, "style": stride}


def _of_trunk(model: Model) -> ExportableModel:
    shape, notes = TrunkShape.of(model.architecture), [_sizes("content", STRIDE)]
    tensors = model.tensors
    if model.method == "cyclegan":
        tensors = generator_tensors(tensors)["forward"]
        notes.append("of the two generators, the file has that from content_set to style_set")
    trunk, content = load_trunk(shape, tensors).eval(), _examples(STRIDE)["content"]
    if not shape.styles:
        return ExportableModel(_TrunkModule(trunk), {"content": content}, {"content": STRIDE}, tuple(notes))
    shares = torch.full((1, shape.styles), 1 / shape.styles)
    notes.append(f"style_weights: the shares of the {shape.styles} styles, (1, {shape.styles}), which have the sum 1")
    inputs = {"content": content, "style_weights": shares}
    return ExportableModel(_StylesModule(trunk), inputs, {"content": STRIDE}, tuple(notes))


def _of_wct(model: Model) -> ExportableModel:
    levels = levels_of(model, dict(model.tensors), fold=False)
    stride = max(level.encoder.stride for level in levels)
    note = _sizes("content and style", stride)
    return ExportableModel(_WctModule(levels), _examples(stride), _both(stride), (note,), "the eigenvalues of a matrix")


def _of_ghiasi(model: Model) -> ExportableModel:
    applier = GhiasiApplier(model, ComputePath(torch.device("cpu"), "fp32"))
    notes = (
        _sizes("content", STRIDE),
        f"style: {STYLE_SIDE} x {STYLE_SIDE} pixels, which the network has learned from",
    )
    inputs = {**_examples(STRIDE), "style": torch.rand(1, 3, STYLE_SIDE, STYLE_SIDE)}
    module = _GhiasiModule(applier.predictor, applier.whole_trunk().eval())
    return ExportableModel(module, inputs, {"content": STRIDE}, notes)


def _of_adain(model: Model) -> ExportableModel:
    level = model.architecture["levels"][0]
    encoder, decoder = (Chain(parse_layers(level[part]), model.tensors, fold=False) for part in ("encoder", "decoder"))
    note = _sizes("content and style", encoder.stride)
    return ExportableModel(_AdainModule(encoder, decoder), _examples(encoder.stride), _both(encoder.stride), (note,))


_MAKERS: Mapping[str, Callable[[Model], ExportableModel]] = {"adain": _of_adain, "wct": _of_wct, "ghiasi": _of_ghiasi}
