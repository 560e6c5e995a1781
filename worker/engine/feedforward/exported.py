"""Trained models as modules that other programs can run: their inputs by name, one picture out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.chain import Chain, parse_layers
from stylefarm.worker.engine.feedforward.cyclegan import generator_tensors
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.transforms import EPSILON
from stylefarm.worker.engine.feedforward.trunk import load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import STRIDE, TrunkShape


@dataclass(frozen=True)
class ExportableModel:
    """A model as one module.

    Args:
        module: Takes the inputs by position, and returns the picture, (1, 3, H, W) in [0, 1] but for overshoot.
        inputs: What the inputs are called, each with an example; "content" and "style" are pictures of any height and
            width that are multiples of `stride`, (1, 3, H, W) in [0, 1].
        stride: As above.
        notes: What a user of the file must know.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    stride: int
    notes: tuple[str, ...] = ()


def exportable(model: Model) -> ExportableModel:
    """Return a model as one module.

    Args:
        model: The model.

    Raises:
        InvalidRequest: A model of this method cannot be one module.

    Example:
        >>> from stylefarm.worker.engine.feedforward.trunk import Trunk
        >>> shape = TrunkShape((4, 8, 16), (8, 4), blocks=1)
        >>> found = exportable(Model("johnson", shape.document(), Trunk(shape).state_dict()))
        >>> list(found.inputs), tuple(found.module(*found.inputs.values()).shape)
        (['content'], (1, 3, 64, 96))
    """
    content = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    if model.method in ("johnson", "ulyanov", "cin", "cyclegan"):
        return _of_trunk(model, content)
    if model.method == "adain":
        return _of_adain(model, content)
    raise InvalidRequest(
        f"a model of {model.method} cannot be exported for other programs: they lack an operator that it needs; export"
        " it as safetensors, which stylefarm imports"
    )


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


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    return torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)


def _of_trunk(model: Model, content: Tensor) -> ExportableModel:
    shape, notes = TrunkShape.of(model.architecture), [f"content: height and width must be multiples of {STRIDE}"]
    tensors = model.tensors
    if model.method == "cyclegan":
        tensors = generator_tensors(tensors)["forward"]
        notes.append("of the two generators, the file has that from content_set to style_set")
    trunk = load_trunk(shape, tensors).eval()
    if not shape.styles:
        return ExportableModel(_TrunkModule(trunk), {"content": content}, STRIDE, tuple(notes))
    shares = torch.full((1, shape.styles), 1 / shape.styles)
    notes.append(f"style_weights: the shares of the {shape.styles} styles, which have the sum 1")
    return ExportableModel(_StylesModule(trunk), {"content": content, "style_weights": shares}, STRIDE, tuple(notes))


def _of_adain(model: Model, content: Tensor) -> ExportableModel:
    level = model.architecture["levels"][0]
    encoder, decoder = (Chain(parse_layers(level[part]), model.tensors, fold=False) for part in ("encoder", "decoder"))
    note = f"content and style: height and width must be multiples of {encoder.stride}"
    inputs = {"content": content, "style": content.flip(3)[:, :, :, :64].contiguous()}
    return ExportableModel(_AdainModule(encoder, decoder), inputs, encoder.stride, (note,))
