"""Which pretrained weights a network has on this machine and in its farm, and which network "auto" takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stylefarm.shared.spec.networks import Architecture, cached_weights
from stylefarm.shared.spec.packaged_weights import PACKAGE, packaged_squeezenet

Place = Literal["registered", "cached", "packaged"]

# What `features = auto` takes: the first of these that has pretrained weights.
AUTO_NETWORKS: tuple[Architecture, ...] = ("vgg19", "squeezenet")


@dataclass(frozen=True)
class WeightsAtHand:
    """Weights that need no download.

    Args:
        architecture: Their network.
        place: "registered" in the farm under the network's name, "cached" by torchvision, or "packaged" in a package.
        path: The file on this machine; None for those of the farm.
    """

    architecture: Architecture
    place: Place
    path: Path | None = None

    @property
    def description(self) -> str:
        """Where they are, as it is told: "from torchvision's cache"."""
        return {
            "registered": f"with the registered weights {self.architecture}",
            "cached": "from torchvision's cache",
            "packaged": f"from the package {PACKAGE}",
        }[self.place]

    @property
    def title(self) -> str:
        """The network and where its weights are: "pretrained vgg19 from torchvision's cache"."""
        return f"pretrained {self.architecture} {self.description}"


def weights_at_hand(architecture: Architecture, registered: Collection[str]) -> WeightsAtHand | None:
    """Return the weights that a network's name alone stands for; None if there are none.

    Args:
        architecture: The network.
        registered: The names of the farm's weights.

    Example:
        >>> weights_at_hand("vgg19", {"vgg19"}).description
        'with the registered weights vgg19'
    """
    if architecture in registered:
        return WeightsAtHand(architecture, "registered")
    cached = cached_weights(architecture)
    if cached is not None:
        return WeightsAtHand(architecture, "cached", cached)
    packaged = packaged_squeezenet() if architecture == "squeezenet" else None
    return None if packaged is None else WeightsAtHand(architecture, "packaged", packaged)


def automatic_weights(registered: Collection[str]) -> WeightsAtHand | None:
    """Return the weights that `features = auto` takes for layers that any network has; None: random ones.

    Args:
        registered: The names of the farm's weights.

    Example:
        >>> automatic_weights({"squeezenet", "vgg19"}).architecture
        'vgg19'
    """
    found = (weights_at_hand(architecture, registered) for architecture in AUTO_NETWORKS)
    return next((weights for weights in found if weights is not None), None)
