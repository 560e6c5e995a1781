"""Ghiasi et al. 2017 (arXiv 1705.06830): a trunk whose normalizations are predicted from a picture of the style.

Every normalization has scales and shifts W v + c, of the style vector v. So the trunk is one with conditional
normalization whose "styles" are the columns of W and c, and whose shares are (v, 1): a mixture of styles is the mixture
of their vectors, and the strength goes from the content's own vector to the style's, as in the paper's section 4.
Where styles have regions, their scales and shifts are mixed at each place; outside of all regions the content's own
vector stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.sized_trunk import SizedTrunk
from stylefarm.worker.engine.feedforward.style_predictor import StylePredictor, sized_style
from stylefarm.worker.engine.feedforward.styling import Regions, parts_of
from stylefarm.worker.engine.feedforward.trunk import Trunk, load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage, TargetCache

# Bytes of style vectors that are kept between pictures.
CACHE_BYTES = 1 << 20

# Bytes of predicting a vector: MobileNet holds 96 channels at half the size of the style, twice.
PREDICTOR_BYTES = 1024 * 256 * 4 * (3 + 96 // 2)


class GhiasiApplier:
    """A model of ghiasi on a device.

    Args:
        model: The model.
        path: The device and the precision.

    Raises:
        InvalidRequest: The model is damaged.

    Example:
        applier = GhiasiApplier(model, choose())
        picture = applier.apply(content, [StyleImage(style)], ApplyOptions(strength=0.7), memory=1 << 30)
    """

    def __init__(self, model: Model, path: ComputePath) -> None:
        self.path = path
        self.architecture = model.architecture
        self.predictor = StylePredictor(_under(model.tensors, "predictor."), path)
        self.convolutions = _under(model.tensors, "trunk.")
        self.layers = _under(model.tensors, "style.")
        self.names = sorted(
            {name.removesuffix(".scale.weight") for name in self.layers if name.endswith("scale.weight")}
        )
        self.network = SizedTrunk(self.whole_trunk(), path)
        self.cache = TargetCache(CACHE_BYTES)

    def bytes(self, height: int, width: int, batch: int = 1) -> int:
        """Return the peak of the memory, in bytes, of rendering that many pictures of that size whole."""
        return self.network.bytes(height, width, batch) + PREDICTOR_BYTES

    def apply(
        self, content: Tensor, styles: Sequence[StyleImage | StyleIndex], options: ApplyOptions, memory: int
    ) -> Tensor:
        """Return the rendered pictures, (B, 3, H, W) float32, in [0, 1] but for overshoot."""
        pictures = [style for style in styles if isinstance(style, StyleImage)]
        if len(pictures) < len(styles) or not pictures:
            raise InvalidSpec("ghiasi takes pictures as styles, at least one: give style pictures, and no index")
        parts = parts_of(pictures)
        regions = Regions.of(parts, content.shape[2:])
        needs_own = options.strength < 1 or regions is not None
        own = self.predictor(sized_style(content)) if needs_own else None
        vectors = [self.vector(style) for style in pictures]
        if own is not None:
            vectors = [torch.lerp(own, vector, options.strength) for vector in vectors]
        left = memory - PREDICTOR_BYTES
        if regions is None or own is None:
            mixed = sum((share * vector for (share, _), vector in zip(parts, vectors, strict=True)), torch.zeros(()))
            return self.network.render(content, Mixture(shares_of(mixed)), left)
        each = [
            self._regional(one, [vector[number % len(vector)] for vector in (*vectors, own)], regions, left)
            for number, one in enumerate(content.split(1))
        ]
        return torch.cat(each)

    def vector(self, style: StyleImage) -> Tensor:
        """Return the style's vector, (1 or B, K), which is kept if the style has a key.

        Args:
            style: The style.
        """

        def make() -> Tensor:
            mask = None if style.source_mask is None else sized_style(style.source_mask)
            return self.predictor(sized_style(style.image), mask)

        return make() if style.key is None else self.cache.get((style.key, tuple(style.image.shape)), make)

    def _regional(self, content: Tensor, vectors: Sequence[Tensor], regions: Regions, memory: int) -> Tensor:
        """Return one picture whose styles have regions; the last vector stands outside of them."""
        network = SizedTrunk(self._trunk(shares_of(torch.stack(list(vectors)))), self.path)
        weights = regions.weights.to(self.path.device)
        maps = torch.cat([weights, 1 - weights.sum(0, keepdim=True)])[None]
        shares = torch.full((1, len(vectors)), 1 / len(vectors))
        return network.render(content, Mixture(shares, maps), memory)

    def whole_trunk(self) -> Trunk:
        """Return the trunk whose shares are those of `shares_of` a vector."""
        return self._trunk(torch.eye(self.predictor.vector.weight.shape[0] + 1))

    def _trunk(self, rows: Tensor) -> Trunk:
        """Return the trunk whose styles have these rows (v, 1) of numbers."""
        tensors = dict(self.convolutions)
        for name in self.names:
            for kind, own in (("scale", "weight"), ("shift", "bias")):
                matrix, constant = (self.layers.get(f"{name}.{kind}.{part}") for part in ("weight", "bias"))
                if matrix is None or constant is None or matrix.flatten(1).shape[1] + 1 != rows.shape[1]:
                    raise InvalidRequest(
                        f"the model's weights that normalize {name} are missing or do not fit a vector"
                    )
                table = torch.cat([matrix.flatten(1), constant[:, None]], 1).float().T
                tensors[f"{name}.norm.{own}"] = rows.to(table) @ table
        try:
            shape = TrunkShape.of(
                {
                    **self.architecture,
                    "norm": "conditional",
                    "styles": rows.shape[0],
                    "down_norm": False,
                    "last_norm": True,
                    "range": "unit",
                }
            )
        except TypeError:
            raise InvalidRequest("the model's architecture cannot be read: the file is damaged") from None
        return load_trunk(shape, tensors)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def shares_of(vectors: Tensor) -> Tensor:
    """Return the shares (B, K + 1) that stand for vectors: (v, 1) of each.

    Args:
        vectors: (B, K).

    Example:
        >>> shares_of(torch.tensor([[0.5, 2.0]])).tolist()
        [[0.5, 2.0, 1.0]]
    """
    return torch.cat([vectors, vectors.new_ones(len(vectors), 1)], 1)
