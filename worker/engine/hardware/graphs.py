"""CUDA graphs: the evaluation of loss and gradient, captured once and replayed, so that no launch is waited for.

The optimizer's step stays outside of the graph. Its few kernels are enqueued while the graph runs and cost no time of
their own; inside, L-BFGS, whose slots rotate, would need one graph for each slot.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stylefarm.worker.engine.methods.objective import ObjectiveFunction

# Evaluations before the capture, in which cuDNN and cuBLAS make their choices and allocations.
WARM_UP = 3

# A replay may round differently from the evaluation before it, where sums are split in another way; not more than this.
TOLERANCE = 1e-2

CAPTURED = "captured"


class CapturedObjective:
    """An objective for one shape of images, replayed as a CUDA graph.

    Args:
        objective: The objective, on a GPU.
        on_capture: Receives "captured", or a sentence that says why it is not.

    Example:
        captured = CapturedObjective(objective, on_capture=print)
        for _ in range(100):  # the first call captures, the others replay
            losses, gradient = captured.gradient(image)
    """

    def __init__(self, objective: ObjectiveFunction, on_capture: Callable[[str], None]) -> None:
        self.objective = objective
        self.space = objective.space
        self._on_capture = on_capture
        self._graph: torch.cuda.CUDAGraph | None = None
        self._tried = False
        self._image: Tensor | None = None
        self._found: tuple[Tensor, Tensor] | None = None

    def losses(self, image: Tensor, iteration: int = 0) -> Tensor:
        """Return the losses (B, terms); they are asked for once, at the end, and not captured."""
        return self.objective.losses(image, iteration)

    def gradient(self, image: Tensor, iteration: int = 0) -> tuple[Tensor, Tensor]:
        """Return the losses (B, terms) and the gradient (B, 3, H, W)."""
        if not self._tried:
            self._tried = True
            return self._capture(image, iteration)
        if self._graph is None or self._image is None or self._found is None:
            return self.objective.gradient(image, iteration)
        self._image.copy_(image)
        self._graph.replay()
        # Copies, since the next replay writes where these lie, and optimizers remember what they were given.
        losses, gradient = self._found
        return losses.clone(), gradient.clone()

    def _capture(self, image: Tensor, iteration: int) -> tuple[Tensor, Tensor]:
        """Evaluate without a graph, and capture; if the capture fails, the evaluation is still right."""
        own = image.clone()
        stream = torch.cuda.Stream(image.device)
        stream.wait_stream(torch.cuda.current_stream(image.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                expected = self.objective.gradient(own, iteration)
        torch.cuda.current_stream(image.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                found = self.objective.gradient(own, iteration)
            graph.replay()
        except RuntimeError as error:
            self._on_capture(f"not captured: {str(error).splitlines()[0]}")
            return expected
        if not torch.allclose(found[0], expected[0], rtol=TOLERANCE):
            self._on_capture("not captured: the replay gave other losses than the evaluation before it")
            return expected
        self._graph, self._image, self._found = graph, own, found
        self._on_capture(CAPTURED)
        return expected
