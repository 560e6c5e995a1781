"""L-BFGS over a batch of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stylefarm.worker.engine.optim.optimizer import LearningRate, OptimizerSettings
from stylefarm.worker.engine.optim.state import HISTORY, EngineState

# The first step knows no curvature; it moves the image by one gray level, root mean square.
FIRST_STEP = 1 / 255

# Later steps are mostly a tenth of this; a longer one comes of a pair that tells too little of the curvature.
LONGEST_STEP = 0.2

# Pairs whose curvature s.y is not clearly positive would make the inverse Hessian indefinite, and are left out.
MIN_CURVATURE = 1e-8

# Of each vector, in one part of an inner product, and in one part of a sum of vectors.
CACHED_VALUES = 4096
SUMMED_VALUES = 16384

# Bytes at whose multiples a processor's vectors begin.
ALIGNMENT = 64


class LBFGS:
    """L-BFGS with a fixed step length and no line search.

    With s_k = x_{k+1} - x_k, y_k = g_{k+1} - g_k, rho_k = 1 / (s_k . y_k) and the last m pairs, the direction H_k g_k
    is that of the two-loop recursion:

        q <- g;  for the newest pair to the oldest:  alpha_i = rho_i s_i . q,  q <- q - alpha_i y_i
        r <- gamma q;  for the oldest to the newest:  r <- r + s_i (alpha_i - rho_i y_i . r)

    with gamma = (s . y) / (y . y) of the newest pair. It is computed in the equivalent compact form: with S and Y the
    matrices whose columns are the s_i and y_i, oldest first, R the upper triangle of S^T Y with its diagonal, and
    D = diag(s_i . y_i) = diag(1 / rho_i),

        H g = gamma g + S p - gamma Y u,   u = R^-1 S^T g,   p = R^-T ((D + gamma Y^T Y) u - gamma Y^T g).

    So S and Y are read twice in a step, in two matrix products; the rest is arithmetic with small matrices of inner
    products, which are kept from step to step in float64.

    The step length 1 without a line search is common since Gatys' code: a line search costs more evaluations than it
    saves. Departure from it: no step is longer than `longest_step`, so that a pair of little curvature cannot throw
    the image far away.

    Args:
        rate: The step length, a factor of the direction.
        history_size: The number m of pairs that are kept for each image.
        longest_step: The longest step, root mean square over the image, in units of `unit`; None for no limit.
        unit: The way from black to white.

    Source:
        Nocedal 1980, "Updating quasi-Newton matrices with limited storage" (the two-loop recursion); Byrd, Nocedal and
        Schnabel 1994, "Representations of quasi-Newton matrices", eq. 2.6 and 3.5 (the compact form).

    Example:
        >>> lbfgs, x = LBFGS(LearningRate(1.0)), torch.ones(1, 3, 2, 2)
        >>> for _ in range(10):
        ...     x = lbfgs.step(x, 2 * x)  # the gradient of |x|^2
        >>> bool(x.abs().max() < 1e-6)
        True
    """

    def __init__(
        self,
        rate: LearningRate,
        history_size: int = 20,
        longest_step: float | None = LONGEST_STEP,
        unit: float = 1.0,
    ) -> None:
        self.rate = rate
        self.history_size = history_size
        self.longest_step = longest_step
        self.unit = unit
        self.iteration = 0
        self.history: _History | None = None

    @classmethod
    def from_settings(cls, settings: OptimizerSettings) -> LBFGS:
        """Return the optimizer with these settings."""
        return cls(settings.rate, settings.history_size, unit=settings.unit)

    @staticmethod
    def state_vectors(settings: OptimizerSettings, iterations: int) -> int:
        """Return how many tensors of the image's size it holds: S and Y, the last image and the last gradient."""
        return 2 * min(settings.history_size, iterations) + 2

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        """Return the next images, shaped as `image`."""
        x, g = image.flatten(1), gradient.flatten(1)
        if self.history is None:
            gamma = FIRST_STEP * self.unit / _root_mean_square(g).clamp_min(1e-30)
            self.history = _History(x, g, self.history_size, gamma)
            direction = g * gamma
        else:
            direction = self.history.direction(x, g)
        length = self._step_length(direction)
        self.iteration += 1
        return torch.addcmul(x, length, direction, value=-1).view_as(image)

    def resize(self, height: int, width: int) -> None:
        """Drop the history: curvature along pairs of another size tells nothing here."""
        self.history = None

    def state(self) -> EngineState:
        """Return what the next step depends on."""
        own = EngineState({}, {"iteration": self.iteration})
        return own if self.history is None else own.joined(self.history.state().named(HISTORY))

    def restore(self, state: EngineState, device: torch.device) -> None:
        """Continue from a state that `state` gave; without its history the pairs begin anew, as at a new scale."""
        self.iteration = int(state.numbers["iteration"])
        history = state.part(HISTORY)
        self.history = _History.restored(history, self.history_size, device) if history.numbers else None

    def _step_length(self, direction: Tensor) -> Tensor:
        """Return the factor of each direction (B, N) in a step, (B, 1)."""
        length = torch.full_like(direction[:, :1], self.rate.at(self.iteration))
        if self.longest_step is None:
            return length
        longest = self.longest_step * self.unit
        size = _root_mean_square(direction) * length
        return length * (longest / size.clamp_min(longest))


class _History:
    """S and Y of (B, N) vectors, as rows, and all of their inner products.

    Row 2 i of `rows` holds s of slot i, and row 2 i + 1 its y. Slots are filled in turn, and the oldest is overwritten;
    slots that are not filled yet are not touched. `gamma` is the scale of the initial inverse Hessian, (B, 1).
    """

    def __init__(self, x: Tensor, g: Tensor, history_size: int, gamma: Tensor) -> None:
        batch = len(x)
        self.x, self.g = x, g
        self.rows = _aligned_rows(x, 2 * history_size)
        self.products = torch.zeros(batch, 2 * history_size, 2 * history_size, dtype=torch.float64, device=x.device)
        self.gamma = gamma.to(torch.float64)
        self.history_size = history_size
        self.taken = 0

    def state(self) -> EngineState:
        """Return each filled row by itself, so that they can be copied and stored one at a time.

        All of them are views of memory that the next pair is written to.
        """
        filled = 2 * min(self.taken, self.history_size)
        rows = {f"row.{row:04d}": self.rows[:, row] for row in range(filled)}
        own = {"x": self.x, "g": self.g, "scale": self.gamma, "products": self.products}
        return EngineState({**own, **rows}, {"taken": self.taken})

    @classmethod
    def restored(cls, state: EngineState, history_size: int, device: torch.device) -> _History:
        """Return the history that gave `state`."""
        x, g, gamma = (state.tensors[name].to(device) for name in ("x", "g", "scale"))
        history = cls(x, g, history_size, gamma)
        history.taken = int(state.numbers["taken"])
        history.products.copy_(state.tensors["products"])
        for row in range(2 * min(history.taken, history_size)):
            history.rows[:, row].copy_(state.tensors[f"row.{row:04d}"])
        return history

    def direction(self, x: Tensor, g: Tensor) -> Tensor:
        """Add the pair that led to x with gradient g, both (B, N), and return H g, (B, N)."""
        slot = self.taken % self.history_size
        self.taken += 1
        filled = min(self.taken, self.history_size)
        pair = slice(2 * slot, 2 * slot + 2)
        torch.sub(x, self.x, out=self.rows[:, 2 * slot])
        torch.sub(g, self.g, out=self.rows[:, 2 * slot + 1])
        self.x, self.g = x, g
        rows = self.rows[:, : 2 * filled]
        vectors = _aligned_rows(g, 3)
        vectors[:, :2], vectors[:, 2] = rows[:, pair], g
        # (B, 2 m, 3): the product of each row with the new s, with the new y, and with g.
        found = _products(rows, vectors).double()
        self.products[:, : 2 * filled, pair] = found[:, :, :2]
        self.products[:, pair, : 2 * filled] = found[:, :, :2].mT
        # The slots from the oldest pair to the newest.
        order = [(slot + 1 + age) % filled for age in range(filled)]
        coefficients, gamma = self._coefficients(order, found[:, :, 2:])
        return _combined(rows, coefficients.to(g.dtype)).addcmul_(gamma.to(g.dtype), g)

    def _coefficients(self, order: Sequence[int], with_gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the coefficient of each row in H g, (B, 2 m, 1), and of g itself, (B, 1).

        `with_gradient` holds S^T g and Y^T g, (B, 2 m, 1), in the order of the rows.
        """
        count = len(order)
        both = torch.tensor([2 * i for i in order] + [2 * i + 1 for i in order], device=with_gradient.device)
        products = self.products.index_select(1, both).index_select(2, both)
        Sg, Yg = with_gradient.index_select(1, both).split(count, 1)
        SS, SY, YY = products[:, :count, :count], products[:, :count, count:], products[:, count:, count:]
        ss, sy, yy = (part.diagonal(dim1=1, dim2=2) for part in (SS, SY, YY))
        valid = (sy > MIN_CURVATURE * (ss * yy).sqrt()).double()
        # Along a step of no curvature the gradient has not grown: the next one may be longer.
        newest = sy[:, -1:] / yy[:, -1:].clamp_min(1e-300)
        self.gamma = torch.where(valid[:, -1:] > 0, newest, 2 * self.gamma)
        gamma = self.gamma[:, :, None]
        # An invalid pair takes no part: zero in every product, one on the diagonal of R.
        pairs = valid[:, :, None] * valid[:, None, :]
        R = (SY * pairs).triu() + torch.diag_embed(1 - valid)
        D = (sy * valid)[:, :, None]
        Sg, Yg = Sg * valid[:, :, None], Yg * valid[:, :, None]
        u = torch.linalg.solve_triangular(R, Sg, upper=True)
        inner = D * u + gamma * ((YY * pairs) @ u - Yg)
        p = torch.linalg.solve_triangular(R.mT, inner, upper=False)
        ordered = torch.cat((p * valid[:, :, None], -gamma * u * valid[:, :, None]), 1)
        return torch.zeros_like(ordered).index_copy_(1, both, ordered), self.gamma


def _aligned_rows(like: Tensor, count: int) -> Tensor:
    """Return uninitialized rows (B, `count`, N) for vectors (B, N).

    Each begins at a multiple of 64 bytes, since a product of what begins elsewhere is summed in another order: images
    in a batch would have other bits than alone.
    """
    batch, size = like.shape
    each = ALIGNMENT // like.itemsize
    padded = -(-size // each) * each
    return torch.empty(batch, count, padded, dtype=like.dtype, device=like.device)[..., :size]


def _products(rows: Tensor, vectors: Tensor) -> Tensor:
    """Return the inner products of (B, R, N) and (B, V, N): (B, R, V)."""
    if rows.device.type != "cpu":
        return rows @ vectors.mT
    return _one_by_one(_products_in_parts, rows, vectors)


def _products_in_parts(rows: Tensor, vectors: Tensor) -> Tensor:
    """Return the inner products of (R, N) and (V, N): (R, V), in parts that stay in a CPU's cache: twice as fast."""
    whole = rows.shape[1] // CACHED_VALUES * CACHED_VALUES
    a, b = (x[:, :whole].unflatten(1, (-1, CACHED_VALUES)).transpose(0, 1) for x in (rows, vectors))
    found: Tensor = (b @ a.mT).sum(0) + vectors[:, whole:] @ rows[:, whole:].mT
    return found.mT


def _combined(rows: Tensor, coefficients: Tensor) -> Tensor:
    """Return the sum of (B, R, N) by coefficients (B, R, 1): (B, N)."""
    if rows.device.type != "cpu":
        return (coefficients.mT @ rows)[:, 0]
    return _one_by_one(_combined_in_parts, rows, coefficients)


def _combined_in_parts(rows: Tensor, coefficients: Tensor) -> Tensor:
    """Return the sum of (R, N) by coefficients (R, 1): (N,), in parts, which is twice as fast on a CPU."""
    whole = rows.shape[1] // SUMMED_VALUES * SUMMED_VALUES
    parts = rows[:, :whole].unflatten(1, (-1, SUMMED_VALUES)).transpose(0, 1)
    found = rows.new_empty(rows.shape[1])
    torch.bmm(coefficients.mT.expand(len(parts), -1, -1), parts, out=found[:whole].view(-1, 1, SUMMED_VALUES))
    torch.mv(rows[:, whole:].mT, coefficients[:, 0], out=found[whole:])
    return found


def _root_mean_square(x: Tensor) -> Tensor:
    """Return that of each row of (B, N): (B, 1)."""
    size = math.sqrt(x.shape[1])
    return _one_by_one(lambda a, _: torch.linalg.vector_norm(a, dim=-1, keepdim=True) / size, x, x)


def _one_by_one(function: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    """Apply `function` to each image's part on a CPU, where a batch would be summed in another order than one alone."""
    if first.device.type != "cpu":
        return function(first, second)
    each = [function(a, b) for a, b in zip(first, second, strict=True)]
    return each[0][None] if len(each) == 1 else torch.stack(each)
