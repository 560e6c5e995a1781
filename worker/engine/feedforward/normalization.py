"""Normalization of features: what is learned of it, and the mixing of styles that it makes possible."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.trunk_shape import NormKind

EPSILON = 1e-5
# Hidden values of the network that turns the weight of the style loss into scales and shifts.
HIDDEN = 16

Affine = tuple[Tensor, Tensor]
"""A scale and a shift: each (1 or B, C, 1, 1), or (1, C, H, W)."""


class Norm(nn.Module):
    """Normalization with what it has learned.

    Its scales are `weight` and its shifts `bias`, (C,); of conditional normalization (S, C). Adjustable styles add to
    them what a network of one hidden layer makes of the strength.

    Args:
        channels: C.
        kind: Which normalization.
        styles: S, of conditional normalization.
        adjustable: Whether the styles are adjustable.

    Source:
        Ulyanov, Vedaldi and Lempitsky 2016 (arXiv 1607.08022); Dumoulin, Shlens and Kudlur 2017 (arXiv 1610.07629),
        eq. 5; Babaeizadeh and Ghiasi 2020 (arXiv 1811.08560), section 3. Departure from the last: what depends on the
        strength is added to a scale and a shift that do not, and is zero at first.

    Example:
        >>> norm = Norm(2, "conditional", styles=3)
        >>> norm(torch.rand(1, 2, 4, 4), Mixture.of_indices([1], 3)).mean().abs().item() < 1e-6
        True
    """

    weight: nn.Parameter
    bias: nn.Parameter
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, kind: NormKind, styles: int = 0, *, adjustable: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.adjustable = adjustable
        shape = (styles, channels) if kind == "conditional" else (channels,)
        if kind != "plain":
            self.weight = nn.Parameter(torch.ones(shape))
            self.bias = nn.Parameter(torch.zeros(shape))
        if kind == "batch":
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))
        if adjustable:
            self.hidden_weight = nn.Parameter(torch.linspace(-4, 4, HIDDEN).repeat(styles, 1))
            self.hidden_bias = nn.Parameter(-self.hidden_weight.detach() * torch.linspace(0, 1, HIDDEN))
            self.adjust_weight = nn.Parameter(torch.zeros(styles, HIDDEN, channels))
            self.adjust_bias = nn.Parameter(torch.zeros(styles, HIDDEN, channels))

    def forward(self, x: Tensor, mixture: Mixture | None) -> Tensor:
        """Return x (B, C, H, W), normalized.

        Args:
            x: Features.
            mixture: The styles, of conditional normalization.
        """
        if self.kind == "batch":
            momentum = 0.1
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, self.training, momentum, EPSILON
            )
        if self.kind == "plain":
            return functional.instance_norm(x, eps=EPSILON)
        if self.kind == "instance":
            return functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=EPSILON)
        scale, shift = self.affine(mixture)
        # Statistics in float32, whatever autocast makes of the product.
        return torch.addcmul(shift.to(x.dtype), functional.instance_norm(x, eps=EPSILON), scale.to(x.dtype))

    def affine(self, mixture: Mixture | None) -> Affine:
        """Return the scale and the shift, of the mixture's shares alike everywhere, each (1 or B, C, 1, 1).

        Args:
            mixture: The styles, of conditional normalization.
        """
        if self.kind == "plain":
            one = torch.ones((), device=next(self.parameters(), torch.empty(0)).device)
            return one.view(1, 1, 1, 1), torch.zeros_like(one).view(1, 1, 1, 1)
        if mixture is None or self.kind != "conditional":
            return self.weight.view(1, -1, 1, 1), self.bias.view(1, -1, 1, 1)
        scales, shifts = self.tables(mixture.strength)
        return tuple(_mixed(mixture.shares, each) for each in (scales, shifts))  # type: ignore[return-value]

    def affine_maps(self, maps: Tensor, strength: Tensor | None) -> Affine:
        """Return the scale and the shift at each place, (1, C, H, W).

        Args:
            maps: Shares of the styles, (1, S, H, W), of the features' size.
            strength: (1,), of adjustable styles.
        """
        found = (torch.einsum("ishw,jsc->jchw", maps, each) for each in self.tables(strength))
        return tuple(found)  # type: ignore[return-value]

    def tables(self, strength: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the scales and the shifts of all styles, each (1 or B, S, C).

        Args:
            strength: (1 or B,) in [0, 1], of adjustable styles; None: 1.
        """
        if not self.adjustable:
            return self.weight[None], self.bias[None]
        given = torch.ones(1, device=self.weight.device) if strength is None else strength
        hidden = (given.view(-1, 1, 1) * self.hidden_weight + self.hidden_bias).relu()
        scales = torch.einsum("bsh,shc->bsc", hidden, self.adjust_weight)
        shifts = torch.einsum("bsh,shc->bsc", hidden, self.adjust_bias)
        return self.weight + scales, self.bias + shifts


def _mixed(shares: Tensor, table: Tensor) -> Tensor:
    return (shares[:, :, None] * table).sum(1)[:, :, None, None]
