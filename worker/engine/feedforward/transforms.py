"""Transforms that give features of a content the statistics of a style.

Those here know the content and the style by two moments of their feature vectors f_k in R^C, at positions k with
weights w_k: the mean m and the covariance S. They are affine, f -> A f + b with b = m_s - A m_c:

    adain   A = diag(sigma_s / sigma_c), sigma = sqrt(diag(S) + 1e-5)      Huang and Belongie 2017, eq. 8
    wct     A = S_s^(1/2) S_c^(-1/2)                                        Li et al. 2017, eqs. 1 and 2
    ot      A = S_c^(-1/2) (S_c^(1/2) S_s S_c^(1/2))^(1/2) S_c^(-1/2)       Lu et al. 2019, eq. 8; Mroueh 2020, eq. 5

wct and ot both give the covariance of the style; of all maps that do, ot moves the features least. The fourth, efdm, is
in `distribution_matching`.

S is divided by the number of positions for adain, and by one less for wct and ot. Moments are sums, so those of a
picture that is too large to be held are merged strip by strip. They and all matrices are float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylefarm.shared.spec.models import Transform

# Inside the root of adain's deviations, as in the authors' program.
EPSILON = 1e-5

# Eigenvalues of the content's covariance below this share of the largest are not inverted: they are rounding, or would
# blow up noise. Departure from the reference programs, which cut at 1e-5 whatever the size of the features.
RELATIVE = 1e-5

# Nor are eigenvalues below this share of the squared mean: a flat picture has nothing but rounding.
FLAT = 1e-10

# Positions that are centered and multiplied at once, while they are in the processor's cache.
CHUNK = 16384


@dataclass(frozen=True)
class Statistics:
    """The first two moments of features.

    Args:
        count: Number of positions, or the sum of their weights, (B,).
        mean: Weighted mean, (B, C).
        scatter: sum_k w_k (f_k - m) (f_k - m)^T, (B, C, C), or its diagonal alone, (B, C).

    All are float64.

    Example:
        >>> found = measure(torch.tensor([[[1.0, 3.0]]]), None, full=True)
        >>> found.count.item(), found.mean.item(), found.scatter.item()
        (2.0, 2.0, 2.0)
    """

    count: Tensor
    mean: Tensor
    scatter: Tensor

    def merged(self, other: Statistics) -> Statistics:
        """Return the moments of both parts.

        Args:
            other: Those of other positions of the same features.

        Source:
            Chan, Golub and LeVeque 1979: no digits are lost, unlike with sums of squares.
        """
        count = self.count + other.count
        share = other.count / count.clamp_min(torch.finfo(count.dtype).tiny)
        apart = other.mean - self.mean
        between = apart[:, :, None] * apart[:, None, :] if self.scatter.dim() == 3 else apart.square()
        weight = (self.count * share).view(-1, *[1] * (between.dim() - 1))
        return Statistics(count, self.mean + apart * share[:, None], self.scatter + other.scatter + between * weight)

    @property
    def variance(self) -> Tensor:
        """The variance of each channel, (B, C), divided by the count."""
        scatter = self.scatter if self.scatter.dim() == 2 else self.scatter.diagonal(dim1=1, dim2=2)
        return scatter / self.count.clamp_min(torch.finfo(scatter.dtype).tiny)[:, None]

    @property
    def covariance(self) -> Tensor:
        """The covariance, (B, C, C), divided by the count less one."""
        return self.scatter / (self.count - 1).clamp_min(1)[:, None, None]

    @property
    def has_covariance(self) -> bool:
        """Whether there are two positions or more."""
        return self.scatter.dim() == 3 and bool((self.count >= 2).all())


@dataclass(frozen=True)
class AffineMap:
    """f -> A f + b at each position.

    Args:
        matrix: A, (B, C, C), or its diagonal, (B, C).
        offset: b, (B, C).

    Example:
        >>> double = AffineMap(torch.tensor([[2.0]]), torch.tensor([[1.0]]))
        >>> double(torch.tensor([[[1.0, 3.0]]])).tolist()
        [[[3.0, 7.0]]]
    """

    matrix: Tensor
    offset: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Return the mapped features.

        Those of half precision are mapped in float32 and rounded once: offsets are large beside what they leave.

        Args:
            features: (B, C, N).
        """
        wide = features if features.itemsize >= 4 else features.float()
        matrix, offset = self.matrix.to(wide.dtype), self.offset.to(wide.dtype)[:, :, None]
        if matrix.dim() == 2:
            return torch.addcmul(offset, wide, matrix[:, :, None]).to(features.dtype)
        # As rows of positions where the memory lies so, which is what channels-last features are.
        found = torch.baddbmm(offset.mT, wide.mT, matrix.mT.expand(wide.shape[0], -1, -1)).mT
        return found.to(features.dtype)

    def blended(self, strength: float) -> AffineMap:
        """Return the map to (1 - strength) f + strength (A f + b).

        Args:
            strength: 0 to 1.
        """
        return mix([(strength, self), (1 - strength, _identity(self))])


def measure(features: Tensor, weights: Tensor | None, *, full: bool) -> Statistics:
    """Return the moments of features.

    Args:
        features: (B, C, N).
        weights: How much each position counts, (1 or B, N) in [0, 1]; None: 1.
        full: Whether the whole covariance is needed, or the variances alone.

    Example:
        >>> found = measure(torch.tensor([[[1.0, 3.0, 9.0]]]), torch.tensor([[1.0, 1.0, 0.0]]), full=False)
        >>> found.mean.item(), found.variance.item()
        (2.0, 1.0)
    """
    ends = range(0, max(features.shape[2], 1), CHUNK)
    parts = [
        measure_at_once(
            features[:, :, at : at + CHUNK], None if weights is None else weights[:, at : at + CHUNK], full=full
        )
        for at in ends
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total.merged(part)
    return total


def measure_at_once(features: Tensor, weights: Tensor | None, *, full: bool) -> Statistics:
    """Return the same as `measure`, without parts; the arguments are those.

    Args:
        features: (B, C, N).
        weights: As there.
        full: As there.

    Example:
        >>> measure_at_once(torch.tensor([[[1.0, 3.0]]]), None, full=False).variance.item()
        1.0
    """
    rows = features.mT if features.itemsize >= 4 else features.mT.float()
    batch, positions, _ = rows.shape
    if weights is None:
        count = rows.new_full((batch,), positions, dtype=torch.float64)
        mean = rows.mean(1)
        centered = rows - mean[:, None]
        weighted = centered
    else:
        weights = weights.to(rows.dtype).expand(batch, -1)
        count = weights.sum(1, dtype=torch.float64)
        mean = (weights[:, None] @ rows)[:, 0] / count.clamp_min(torch.finfo(rows.dtype).tiny)[:, None].to(rows.dtype)
        centered = rows - mean[:, None]
        weighted = centered * weights[:, :, None]
    scatter = weighted.mT @ centered if full else (weighted * centered).sum(1)
    return Statistics(count, mean.double(), scatter.double())


def adain(content: Statistics, style: Statistics) -> AffineMap:
    """Return the map that gives each channel the mean and the deviation of the style's.

    Args:
        content: Moments of the content, of B pictures.
        style: Moments of the style, of one picture or B.

    Source:
        Huang and Belongie 2017 (arXiv 1703.06868), eq. 8. Departure from the authors' program: variances are divided by
        N, not by N - 1; both are, so the deviations are the style's all the same.

    Example:
        >>> content, style = (measure(torch.tensor([[x]]), None, full=False) for x in ([0.0, 2.0], [5.0, 9.0]))
        >>> adain(content, style)(torch.tensor([[[0.0, 2.0]]])).round(decimals=3).tolist()
        [[[5.0, 9.0]]]
    """
    ratio = ((style.variance + EPSILON) / (content.variance + EPSILON)).sqrt()
    return AffineMap(ratio, style.mean - ratio * content.mean)


def wct(content: Statistics, style: Statistics) -> AffineMap:
    """Return the map that whitens the content and colors it: its covariance becomes the style's.

    With fewer than two positions there is no covariance, and it is `adain`'s.

    Args:
        content: Moments of the content, of B pictures.
        style: Moments of the style, of one picture or B.

    Source:
        Li et al. 2017 (arXiv 1705.08086), eqs. 1 and 2. Departures from the reference programs: eigenvalues of the
        symmetric covariance in float64 rather than singular values in float32, which did not always converge; and the
        identity is never added to the content's covariance.

    Example:
        >>> content, style = (measure(torch.rand(1, 3, 50), None, full=True) for _ in range(2))
        >>> matrix = wct(content, style).matrix
        >>> torch.allclose(matrix @ content.covariance @ matrix.mT, style.covariance)
        True
    """
    if not (content.has_covariance and style.has_covariance):
        return adain(content, style)
    return whiten_and_color(content, style)


def whiten_and_color(content: Statistics, style: Statistics) -> AffineMap:
    """Return `wct` of pictures that have a covariance, without looking at numbers, as exporters need it.

    Args:
        content: Moments of the content, of B pictures, of two positions or more.
        style: Moments of the style, of one picture or B, likewise.

    Example:
        >>> found = measure(torch.rand(1, 3, 50), None, full=True)
        >>> torch.allclose(whiten_and_color(found, found).matrix, torch.eye(3, dtype=torch.float64)[None])
        True
    """
    return _centered(_root(style.covariance) @ _inverse_root(content), content, style)


def ot(content: Statistics, style: Statistics) -> AffineMap:
    """Return the optimal transport from the Gaussian of the content's moments to that of the style's.

    With fewer than two positions it is `adain`'s.

    Args:
        content: Moments of the content, of B pictures.
        style: Moments of the style, of one picture or B.

    Source:
        Lu et al. 2019 (arXiv 1906.00668), eq. 8; Mroueh 2020 (arXiv 1905.12828), eq. 5.

    Example:
        >>> content = measure(torch.rand(1, 3, 50), None, full=True)
        >>> matrix = ot(content, content).matrix  # what need not be moved stays
        >>> torch.allclose(matrix, torch.eye(3, dtype=torch.float64)[None])
        True
    """
    if not (content.has_covariance and style.has_covariance):
        return adain(content, style)
    root, inverse = _root(content.covariance), _inverse_root(content)
    return _centered(inverse @ _root(root @ style.covariance @ root) @ inverse, content, style)


AFFINE: Mapping[Transform, Callable[[Statistics, Statistics], AffineMap]] = {"adain": adain, "wct": wct, "ot": ot}


def mix(maps: Sequence[tuple[float, AffineMap]]) -> AffineMap:
    """Return the map to the weighted sum of what several maps give.

    Args:
        maps: Each with its share.

    Example:
        >>> one, two = (AffineMap(torch.tensor([[x]]), torch.zeros(1, 1)) for x in (1.0, 3.0))
        >>> mix([(0.5, one), (0.5, two)]).matrix.item()
        2.0
    """
    # A diagonal among whole matrices, of a style or a region of a single position, is one of them.
    whole = any(entry.matrix.dim() == 3 for _, entry in maps)
    matrices = [share * (_whole(entry.matrix) if whole else entry.matrix) for share, entry in maps]
    offsets = [share * entry.offset for share, entry in maps]
    return AffineMap(sum(matrices[1:], matrices[0]), sum(offsets[1:], offsets[0]))


def _centered(matrix: Tensor, content: Statistics, style: Statistics) -> AffineMap:
    return AffineMap(matrix, style.mean - (matrix @ content.mean[:, :, None])[:, :, 0])


def _root(matrix: Tensor) -> Tensor:
    """Return the square root of symmetric matrices (B, C, C) without negative eigenvalues but for rounding."""
    values, vectors = torch.linalg.eigh(matrix)
    found: Tensor = (vectors * values.clamp_min(0).sqrt()[:, None]) @ vectors.mT
    return found


def _inverse_root(content: Statistics) -> Tensor:
    """Return the inverse of the square root of the covariance where it has one, and zero elsewhere."""
    values, vectors = torch.linalg.eigh(content.covariance)
    flat = FLAT * content.mean.square().sum(1, keepdim=True)
    least = (RELATIVE * values[:, -1:]).maximum(flat).clamp_min(torch.finfo(values.dtype).tiny)
    inverse = torch.where(values > least, values, torch.inf).rsqrt()
    found: Tensor = (vectors * inverse[:, None]) @ vectors.mT
    return found


def _identity(like: AffineMap) -> AffineMap:
    ones = torch.ones_like(like.offset)
    return AffineMap(ones if like.matrix.dim() == 2 else torch.diag_embed(ones), torch.zeros_like(like.offset))


def _whole(matrix: Tensor) -> Tensor:
    return torch.diag_embed(matrix) if matrix.dim() == 2 else matrix
