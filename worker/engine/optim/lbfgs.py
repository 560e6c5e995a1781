"""L-BFGS over a batch of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stylefarm.worker.engine.optim.first_order import LearningRate
from stylefarm.worker.engine.optim.state import HISTORY, EngineState

# The first step has no curvature to go by; it moves the picture by one grey level, root mean square.
FIRST_STEP = 1 / 255

# Later steps are mostly a tenth of this; a longer one comes of a pair that tells too little of the curvature.
LONGEST_STEP = 0.2

# Pairs whose curvature y.s is not clearly positive would make the inverse Hessian indefinite, and are left out.
CURVATURE = 1e-8


class LBFGS:
    """L-BFGS (Nocedal and Wright 2006, algorithm 7.5), a fixed step length and no line search.

    The step length 1 without a line search is what the field uses since Gatys' own code: a line search costs more
    evaluations than it saves. Departure from it: no step is longer than `longest_step`, root mean square over the
    picture, so that a pair of little curvature cannot throw the picture far away (None: no limit). `history_size` pairs
    of vectors are kept for each picture. Both lengths are in units of `unit`, the way from black to white.

    The inverse Hessian is applied in its compact form (Byrd, Nocedal and Schnabel 1994, eq. 2.6), which is the two-loop
    recursion in other words: the pairs are read twice in a step, in two products with matrices, and all the rest
    is arithmetic with small matrices of inner products, kept from step to step, in float64.
    """

    def __init__(
        self, rate: LearningRate, history_size: int = 20, longest_step: float | None = LONGEST_STEP, unit: float = 1.0
    ) -> None:
        self.rate = rate
        self.history_size = history_size
        self.longest_step = longest_step
        self.unit = unit
        self.iteration = 0
        self.pairs: _Pairs | None = None

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        x, g = image.flatten(1), gradient.flatten(1)
        if self.pairs is None:
            scale = FIRST_STEP * self.unit / _root_mean_square(g).clamp_min(1e-30)
            self.pairs = _Pairs(x, g, self.history_size, scale)
            direction = g * scale
        else:
            direction = self.pairs.direction(x, g)
        step = self.rate.at(self.iteration) * direction
        self.iteration += 1
        return (x - self._bounded(step)).view_as(image)

    def resize(self, height: int, width: int) -> None:
        """Begins anew: curvature along pairs of another size says nothing here."""
        self.pairs = None

    def state(self) -> EngineState:
        own = EngineState({}, {"iteration": self.iteration})
        return own if self.pairs is None else own.joined(self.pairs.state().named(HISTORY))

    def restore(self, state: EngineState, device: torch.device) -> None:
        """Without the history that `state` gave, the pairs begin anew, as they do at a new scale."""
        self.iteration = int(state.numbers["iteration"])
        history = state.part(HISTORY)
        self.pairs = _Pairs.restored(history, self.history_size, device) if history.numbers else None

    def _bounded(self, step: Tensor) -> Tensor:
        if self.longest_step is None:
            return step
        longest = self.longest_step * self.unit
        length = _root_mean_square(step)
        return step * (longest / length.clamp_min(longest))


class _Pairs:
    """The last pairs s, y of (B, N) vectors, the oldest first to be overwritten, and their inner products.

    Row 2 i holds s of slot i, and row 2 i + 1 its y. Slots are filled in turn; what is not filled yet is not touched.
    """

    def __init__(self, x: Tensor, g: Tensor, history_size: int, scale: Tensor) -> None:
        batch, size = x.shape
        self.x, self.g = x, g
        self.rows = torch.empty(batch, 2 * history_size, size, dtype=x.dtype, device=x.device)
        self.products = torch.zeros(batch, 2 * history_size, 2 * history_size, dtype=torch.float64, device=x.device)
        self.scale = scale.to(torch.float64)
        self.history_size = history_size
        self.taken = 0

    def state(self) -> EngineState:
        """Each row by itself, so that they can be copied and stored one at a time; those not filled yet are not there.

        All of them are views of memory that the next pair is written to.
        """
        filled = 2 * min(self.taken, self.history_size)
        rows = {f"row.{row:04d}": self.rows[:, row] for row in range(filled)}
        own = {"x": self.x, "g": self.g, "scale": self.scale, "products": self.products}
        return EngineState({**own, **rows}, {"taken": self.taken})

    @classmethod
    def restored(cls, state: EngineState, history_size: int, device: torch.device) -> _Pairs:
        """The pairs that `state` was given of."""
        x, g, scale = (state.tensors[name].to(device) for name in ("x", "g", "scale"))
        pairs = cls(x, g, history_size, scale)
        pairs.taken = int(state.numbers["taken"])
        pairs.products.copy_(state.tensors["products"])
        for row in range(2 * min(pairs.taken, history_size)):
            pairs.rows[:, row].copy_(state.tensors[f"row.{row:04d}"])
        return pairs

    def direction(self, x: Tensor, g: Tensor) -> Tensor:
        """Takes in the pair that led here, and returns H g, (B, N)."""
        slot = self.taken % self.history_size
        self.taken += 1
        filled = min(self.taken, self.history_size)
        pair = slice(2 * slot, 2 * slot + 2)
        torch.sub(x, self.x, out=self.rows[:, 2 * slot])
        torch.sub(g, self.g, out=self.rows[:, 2 * slot + 1])
        self.x, self.g = x, g
        rows = self.rows[:, : 2 * filled]
        # (B, R, 3): each row's product with s, with y, and with the gradient.
        found = _products(rows, torch.cat((rows[:, pair], g[:, None]), 1)).double()
        self.products[:, : 2 * filled, pair] = found[:, :, :2]
        self.products[:, pair, : 2 * filled] = found[:, :, :2].mT
        # The slots from the oldest to the one just written, in which time runs.
        order = [(slot + 1 + age) % filled for age in range(filled)]
        weights, scale = self._weights(order, found[:, :, 2:])
        return _combined(rows, weights.to(g.dtype)) + scale.to(g.dtype) * g

    def _weights(self, order: Sequence[int], with_gradient: Tensor) -> tuple[Tensor, Tensor]:
        """How much of each row there is in H g, (B, R, 1), and of the gradient itself, (B, 1)."""
        count = len(order)
        both = torch.tensor([2 * i for i in order] + [2 * i + 1 for i in order], device=with_gradient.device)
        products = self.products.index_select(1, both).index_select(2, both)
        sg, yg = with_gradient.index_select(1, both).split(count, 1)
        ss, sy, yy = products[:, :count, :count], products[:, :count, count:], products[:, count:, count:]
        along = [part.diagonal(dim1=1, dim2=2) for part in (ss, sy, yy)]
        fit = (along[1] > CURVATURE * (along[0] * along[2]).sqrt()).double()
        # Along a step of no curvature the gradient has not grown: the next one may be longer.
        newest = along[1][:, -1:] / along[2][:, -1:].clamp_min(1e-300)
        self.scale = torch.where(fit[:, -1:] > 0, newest, 2 * self.scale)
        scale = self.scale[:, :, None]
        # A pair that is not fit takes no part: zero in every product, one on the diagonal that is solved by.
        pairs = fit[:, :, None] * fit[:, None, :]
        upper = (sy * pairs).triu() + torch.diag_embed(1 - fit)
        sg, yg = sg * fit[:, :, None], yg * fit[:, :, None]
        u = torch.linalg.solve_triangular(upper, sg, upper=True)
        inner = (along[1] * fit)[:, :, None] * u + scale * ((yy * pairs) @ u - yg)
        of_s = torch.linalg.solve_triangular(upper.mT, inner, upper=False)
        ordered = torch.cat((of_s * fit[:, :, None], -scale * u * fit[:, :, None]), 1)
        return torch.zeros_like(ordered).index_copy_(1, both, ordered), self.scale


def _products(rows: Tensor, vectors: Tensor) -> Tensor:
    """Inner products of (B, R, N) and (B, V, N): (B, R, V)."""
    return _one_by_one(lambda a, b: a @ b.mT, rows, vectors)


def _combined(rows: Tensor, weights: Tensor) -> Tensor:
    """The sum of (B, R, N) by weights (B, R, 1): (B, N)."""
    return _one_by_one(lambda a, b: b.mT @ a, rows, weights)[:, 0]


def _root_mean_square(x: Tensor) -> Tensor:
    """Of each row of (B, N): (B, 1)."""
    return _one_by_one(lambda a, _: a.square().mean(-1, keepdim=True).sqrt(), x, x)


def _one_by_one(function: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor) -> Tensor:
    """`function` of each picture's part on a CPU, where a batch would be summed in another order than one alone."""
    if first.device.type != "cpu":
        return function(first, second)
    return torch.stack([function(a, b) for a, b in zip(first, second, strict=True)])
