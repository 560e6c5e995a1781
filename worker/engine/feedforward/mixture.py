"""Which of a model's styles a picture gets: in shares, by place, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.text import counted
from stylefarm.worker.engine.feedforward.applier import StyleIndex


@dataclass(frozen=True)
class Mixture:
    """The shares of a network's styles in the pictures of a batch.

    Args:
        shares: (1 or B, S), each row with the sum 1.
        maps: Shares by place in place of them, (1, S, H, W); None where they are the same everywhere.
        strength: (1 or B,) in [0, 1], for a network whose styles are adjustable; None: 1.

    Example:
        >>> Mixture.of_indices([2, 0], styles=3).shares.tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    shares: Tensor
    maps: Tensor | None = None
    strength: Tensor | None = None

    @classmethod
    def of_indices(cls, indices: Sequence[int], styles: int, strength: Tensor | None = None) -> Mixture:
        """Return a mixture in which each picture has one style.

        Args:
            indices: The number of the style of each picture.
            styles: How many the network has.
            strength: As in the class.
        """
        return cls(functional.one_hot(torch.tensor(list(indices)), styles).float(), None, strength)

    def to(self, device: torch.device) -> Mixture:
        """Return the same mixture on a device."""
        parts = (None if part is None else part.to(device) for part in (self.maps, self.strength))
        return Mixture(self.shares.to(device), *parts)


def mixture_of(chosen: Sequence[StyleIndex], styles: int, strength: float) -> tuple[Mixture, Tensor | None]:
    """Return the mixture that is asked for, and where it applies at all.

    Where several masks overlap, their styles mix by share and mask.

    Args:
        chosen: The styles.
        styles: How many the network has.
        strength: How much of the style the result gets, 0 to 1.

    Returns:
        The mixture, and (1, 1, H, W): the largest of the masks at each place; None without masks.

    Raises:
        InvalidSpec: No style is chosen, there is no such style, or the shares have no sum.

    Example:
        >>> mixture_of([StyleIndex(1, 0.25), StyleIndex(0, 0.75)], styles=2, strength=1.0)[0].shares.tolist()
        [[0.75, 0.25]]
    """
    if not chosen:
        raise InvalidSpec(f"the model has {counted(styles, 'style')}: choose one by its number, from 0")
    missing = next((each.index for each in chosen if not 0 <= each.index < styles), None)
    if missing is not None:
        raise InvalidSpec(f"the model has no style {missing}: its {counted(styles, 'style')} are 0 to {styles - 1}")
    total = sum(each.share for each in chosen)
    if not total > 0 or any(each.share < 0 for each in chosen):
        raise InvalidSpec("the shares of the styles are less than 0, or all 0: give each a share of the mixture")
    shares = torch.zeros(1, styles)
    for each in chosen:
        shares[0, each.index] += each.share / total
    strengths = torch.tensor([strength])
    masks = [each.mask for each in chosen if each.mask is not None]
    if not masks:
        return Mixture(shares, None, strengths), None
    covered = torch.stack([torch.ones_like(masks[0]) if each.mask is None else each.mask for each in chosen])
    maps = torch.zeros(1, styles, *masks[0].shape[2:])
    for each, mask in zip(chosen, covered, strict=True):
        maps[:, each.index] += mask[:, 0].to("cpu") * (each.share / total)
    somewhere = maps.sum(1, keepdim=True)
    # Where no mask is, nothing of the style is shown: any mixture will do there.
    maps = torch.where(somewhere > 0, maps / somewhere.clamp_min(1e-12), shares.view(1, -1, 1, 1))
    return Mixture(shares, maps, strengths), covered.amax(0)
