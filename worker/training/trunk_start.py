"""The network that a training begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import torch
from torch import nn

from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.trunk import Trunk
from stylefarm.worker.engine.feedforward.trunk_shape import (
    VALID_BLOCK,
    Edge,
    NormKind,
    Range,
    TrunkShape,
    cyclegan_shape,
)

M = TypeVar("M", bound=nn.Module)

_EDGES: Mapping[str, tuple[Edge, Edge, int]] = {
    "examples": ("reflect", "reflect", 9),
    "johnson": ("zeros", "zeros", 9),
    "ulyanov": ("replicate", "replicate", 3),
}
_RANGES: Mapping[str, Range] = {"linear": "bytes", "tanh": "caffe", "sigmoid": "unit"}


def trunk_shape(spec: TrainingSpec) -> TrunkShape:
    """Return what a spec's network is built from.

    Args:
        spec: The spec, of johnson, ulyanov or cin.

    Example:
        >>> trunk_shape(TrainingSpec(method="johnson", name="a", style="s.png", channels=24)).channels
        (24, 48, 96)
    """
    first = spec.channels
    edge, strided_edge, last_kernel = _EDGES[spec.trunk]
    is_cin = spec.method == "cin"
    norm: NormKind = "conditional" if is_cin else spec.norm
    return TrunkShape(
        channels=(first, 2 * first, 4 * first),
        up=(2 * first, first),
        blocks=spec.blocks,
        norm=norm,
        styles=len(spec.style) if is_cin else 0,
        adjustable=spec.adjustable,
        edge=edge,
        strided_edge=strided_edge,
        border=VALID_BLOCK * spec.blocks if spec.trunk == "johnson" else 0,
        upsampling=spec.upsampling,
        last_kernel=last_kernel,
        last_norm=spec.last_norm,
        range=_RANGES[spec.output],
    )


def cyclegan_trunk_shape(spec: TrainingSpec) -> TrunkShape:
    """Return what a generator of cyclegan is built from.

    Args:
        spec: The spec.

    Example:
        >>> sets = {"content_set": "photographs", "style_set": "paintings"}
        >>> cyclegan_trunk_shape(TrainingSpec(method="cyclegan", name="a", blocks=6, **sets)).norm
        'plain'
    """
    return replace(cyclegan_shape(spec.channels, spec.blocks), upsampling=spec.upsampling)


def new_trunk(spec: TrainingSpec) -> Trunk:
    """Return a network with the first weights of a training, drawn by the spec's seed.

    Args:
        spec: The spec.

    Example:
        >>> spec = TrainingSpec(method="cin", name="a", style=["s.png", "t.png"], channels=4)
        >>> new_trunk(spec).up[1].norm.weight.tolist()
        [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    return drawn(lambda: Trunk(trunk_shape(spec)), spec.seed, spec.initial_deviation)


def grown_trunk(trunk: Trunk, added: int) -> Trunk:
    """Return a network with more styles, whose scales are 1 and whose shifts 0; those that it had stay as they are.

    Args:
        trunk: A network of several styles.
        added: How many more.

    Source:
        Dumoulin, Shlens and Kudlur 2017, section 3.2.

    Example:
        >>> trunk = Trunk(TrunkShape((4, 8, 16), (8, 4), blocks=1, norm="conditional", styles=2))
        >>> grown_trunk(trunk, 3).down[0].norm.weight.shape[0]
        5
    """
    grown = Trunk(replace(trunk.shape, styles=trunk.shape.styles + added))
    known = trunk.state_dict()
    with torch.no_grad():
        for name, tensor in grown.state_dict().items():
            old = known[name]
            tensor[: len(old)].copy_(old)
    return grown


def one_style_trunk(trunk: Trunk) -> Trunk:
    """Return a network of one style, whose scales and shifts are the means of those of all styles.

    It renders no style well, and has learned what all of them have in common: a training that goes on from it takes a
    part of the steps.

    Args:
        trunk: A network of several styles.

    Example:
        >>> trunk = Trunk(TrunkShape((4, 8, 16), (8, 4), blocks=1, norm="conditional", styles=2))
        >>> one_style_trunk(trunk).down[0].norm.weight.shape
        torch.Size([4])
    """
    single = Trunk(replace(trunk.shape, norm="instance", styles=0))
    known = trunk.state_dict()
    with torch.no_grad():
        for name, tensor in single.state_dict().items():
            tensor.copy_(known[name].mean(0) if ".norm." in name else known[name])
    return single


def trained_names(trunk: Trunk, *, only_styles: bool) -> frozenset[str]:
    """Return the names of the weights that are trained.

    Args:
        trunk: The network.
        only_styles: Whether its convolutions stay as they are.

    Example:
        >>> trunk = Trunk(TrunkShape((4, 8, 16), (8, 4), blocks=0, norm="conditional", styles=2))
        >>> sorted(trained_names(trunk, only_styles=True))[:2]
        ['down.0.norm.bias', 'down.0.norm.weight']
    """
    names = (name for name, _ in trunk.named_parameters())
    return frozenset(name for name in names if ".norm." in name or not only_styles)


def drawn(make: Callable[[], M], seed: int, deviation: float) -> M:
    """Return a module whose weights are drawn by a seed, whatever else is drawn in the process.

    Args:
        make: Makes the module.
        seed: The seed.
        deviation: Of the weights of its convolutions; 0: torch's own.

    Example:
        >>> module = drawn(lambda: nn.Conv2d(3, 64, 3), seed=0, deviation=0.01)
        >>> round(module.weight.std().item(), 3)
        0.01
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
        if deviation:
            for part in module.modules():
                if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.normal_(part.weight, std=deviation)
    return module
