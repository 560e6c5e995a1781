"""SqueezeNet's explicit pass, over a whole image or in strips of rows.

The network runs stage by stage; a stage ends with a pooling, whose small output is kept. A stage that does not fit at
once is run in strips of its output's rows: each strip reads as many rows more as its own need to be exact. Backward,
the strip is computed again, only its own rows get the gradients of losses, and the gradients that neighbouring strips
give to the rows that they share are summed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.networks import Layer
from stylefarm.worker.engine.networks.feature_network import AddGrad, Backward, OnFeatures
from stylefarm.worker.engine.networks.squeezenet_backbone import NamedStep, SqueezeNetBackbone
from stylefarm.worker.engine.networks.squeezenet_steps import Grad, PoolStep
from stylefarm.worker.engine.networks.vgg_backbone import relu_grad


@dataclass(frozen=True)
class Span:
    """Rows of a step's output: those that a strip computes, and those of them that are its own."""

    start: int
    stop: int
    own: slice


@dataclass
class _Record:
    """A step of one strip: its output in the rows of its span, and its gradient.

    What the step computed has `margins` more rows, above and below, which are not exact.
    """

    named: NamedStep
    span: Span
    margins: tuple[int, int]
    y: Tensor
    grad: Grad

    @property
    def own(self) -> slice:
        """The strip's own rows among those of `y`."""
        return slice(self.span.own.start - self.span.start, self.span.own.stop - self.span.start)


@dataclass
class _StageState:
    """A stage in a pass: its input, and the records of its one strip where they are kept."""

    steps: Sequence[NamedStep]
    input: Tensor
    strips: Sequence[tuple[int, int]]
    records: list[_Record] | None = field(default=None)


class SqueezeNetPass:
    """Runs SqueezeNet on all of an image at once, or in strips.

    Args:
        backbone: The network.
        strip_bytes: Bytes of a strip's activations, about; None runs every stage at once.

    Example:
        >>> from stylefarm.worker.engine.networks.squeezenet import SqueezeNet
        >>> backbone = SqueezeNetBackbone(SqueezeNet(), ["relu1"])
        >>> forward_pass = SqueezeNetPass(backbone, strip_bytes=4 * 64 * 4 * 8)
        >>> image = torch.rand(1, 3, 17, 17)
        >>> forward_pass.forward(image, lambda layer, features, rows: print(layer, features.shape[2]))
        relu1 4
        relu1 4
    """

    def __init__(self, backbone: SqueezeNetBackbone, strip_bytes: int | None = None) -> None:
        self.backbone = backbone
        self.strip_bytes = strip_bytes

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers in use, by name."""
        return self.backbone.layers

    def layer_size(self, layer: str, size: Sequence[int]) -> tuple[int, int]:
        """Return height and width of a layer's features for an image of that height and width."""
        return self.backbone.layer_size(layer, size)

    def forward(self, pixels: Tensor, on_features: OnFeatures) -> None:
        """Compute the features of pixels (B, 3, H, W) in [0, 1], and give them to `on_features`."""
        for _ in self._forward(pixels, on_features, keeps=False):
            pass

    def forward_with_grad(self, pixels: Tensor, on_features: OnFeatures) -> Backward:
        """Compute the features as `forward` does, and return the backward pass."""
        states = list(self._forward(pixels, on_features, keeps=True))
        return lambda add_grad: self._backward(states, add_grad, pixels)

    def _forward(self, pixels: Tensor, on_features: OnFeatures, *, keeps: bool) -> Iterator[_StageState]:
        x = self.backbone.inputs(pixels)
        stages = list(takewhile(bool, self.backbone.stages))
        for number, steps in enumerate(stages, 1):
            state = _StageState(steps, x, strips_of(steps, x, self.strip_bytes))
            output: Tensor | None = None
            for start, stop in state.strips:
                records = _run(state, start, stop)
                for record in records:
                    _report(record, _callback_rows(record, state), on_features)
                y = records[-1].y
                if len(state.strips) == 1:
                    output = y
                    state.records = records if keeps else None
                elif number < len(stages):
                    output = _empty_output(y, state) if output is None else output
                    output[:, :, start:stop] = y
            if output is not None:
                x = output
            yield state

    def _backward(self, states: list[_StageState], add_grad: AddGrad, pixels: Tensor) -> Tensor:
        grad: Tensor | None = None
        while states:
            grad = _stage_grad(states.pop(), add_grad, grad)
        return torch.zeros_like(pixels) if grad is None else self.backbone.pixels_gradient(grad, pixels.dtype)


def heights(steps: Sequence[NamedStep], height: int) -> list[int]:
    """Return the rows of the input of the first step, and of the output of each."""
    found = [height]
    for named in steps:
        found.append(named.step.size(found[-1]))
    return found


def strips_of(steps: Sequence[NamedStep], x: Tensor, strip_bytes: int | None) -> list[tuple[int, int]]:
    """Return the rows of the last step's output, start and stop, of each strip."""
    rows = heights(steps, x.shape[2])[-1]
    if strip_bytes is None:
        return [(0, rows)]
    each = strip_rows(steps, x.shape[0], (x.shape[2], x.shape[3]), x.itemsize, strip_bytes)
    return [(start, min(start + each, rows)) for start in range(0, rows, each)]


def strip_rows(steps: Sequence[NamedStep], batch: int, size: tuple[int, int], itemsize: int, strip_bytes: int) -> int:
    """Return how many rows of the last step's output a strip has, so that its activations take about those bytes.

    Args:
        steps: The steps of the stage.
        batch: Number of images.
        size: Height and width of the stage's input.
        itemsize: Bytes of a value.
        strip_bytes: Bytes of a strip's activations, about.
    """
    per_row = batch * bytes_of_rows(steps, size, itemsize)
    return max(1, min(heights(steps, size[0])[-1], int(strip_bytes / max(per_row, 1))))


def bytes_of_rows(steps: Sequence[NamedStep], size: tuple[int, int], itemsize: int) -> float:
    """Return the bytes of all activations of a stage for each row of its output, of one image."""
    rows, widths = heights(steps, size[0]), heights(steps, size[1])
    each = zip(steps, rows[1:], widths[1:], strict=True)
    return sum(named.step.bytes_per_row(width, itemsize) * height for named, height, width in each) / rows[-1]


def _spans(state: _StageState, start: int, stop: int) -> list[Span]:
    """Return the span of each step's output, and first that of the stage's input, for a strip of the last output."""
    steps, rows = state.steps, heights(state.steps, state.input.shape[2])
    scale = 2 if isinstance(steps[-1].step, PoolStep) else 1
    spans = [Span(start, stop, slice(start, stop))]
    for number in reversed(range(len(steps))):
        first, last = steps[number].step.rows_needed(spans[0].start, spans[0].stop, rows[number])
        # A row that only a layer has, and no window of the pooling, belongs to the last strip.
        own = slice(scale * start, rows[number] if stop == rows[-1] else scale * stop)
        if number:
            first, last = min(first, own.start), max(last, own.stop)
        spans.insert(0, Span(first, last, own))
    return spans


def _run(state: _StageState, start: int, stop: int) -> list[_Record]:
    """Compute a strip of the stage."""
    whole, *spans = _spans(state, start, stop)
    x, first = _rows(state.input, slice(whole.start, whole.stop)), whole.start
    records = []
    for number, (named, span) in enumerate(zip(state.steps, spans, strict=True)):
        y, grad = named.step.forward(x)
        above = span.start - named.step.first_row(first)
        below = y.shape[2] - above - (span.stop - span.start)
        y = _rows(y, slice(above, y.shape[2] - below))
        records.append(_Record(named, span, (above, below), y, grad))
        x, first = (named.activation(y) if number + 1 < len(spans) else x), span.start
    return records


def _report(record: _Record, rows: slice, on_features: OnFeatures) -> None:
    for layer, features in record.named.layers(record.y):
        on_features(layer, _rows(features, record.own), rows)


def _stage_grad(state: _StageState, add_grad: AddGrad, grad: Tensor | None) -> Tensor | None:
    """Return the gradient for the stage's input, of that for its output."""
    found: Tensor | None = None
    for start, stop in state.strips:
        records = _run(state, start, stop) if state.records is None else state.records
        first = _spans(state, start, stop)[0]
        part = _strip_grad(state, records, add_grad, None if grad is None else _rows(grad, slice(start, stop)))
        if part is None:
            continue
        if len(state.strips) == 1 and part.shape == state.input.shape:
            return part
        if found is None:
            found = torch.zeros_like(state.input)
        found[:, :, first.start : first.stop] += part
    return found


def _strip_grad(state: _StageState, records: list[_Record], add_grad: AddGrad, grad: Tensor | None) -> Tensor | None:
    while records:
        record = records.pop()
        rows = _callback_rows(record, state)
        if record.named.after is not None:
            grad = _with_loss_grad(record, record.named.after, record.named.activation(record.y), rows, add_grad, grad)
        if record.named.before is not None:
            grad = None if grad is None else relu_grad(grad, record.y)
            grad = _with_loss_grad(record, record.named.before, record.y, rows, add_grad, grad)
        if grad is None:
            continue
        if any(record.margins):
            grad = functional.pad(grad, (0, 0, *record.margins))
        grad = record.grad(grad.contiguous(memory_format=torch.channels_last))
    return grad


def _with_loss_grad(
    record: _Record, layer: str, features: Tensor, rows: slice, add_grad: AddGrad, grad: Tensor | None
) -> Tensor | None:
    """Add the gradient of the layer's losses in the strip's own rows."""
    if record.own == slice(0, features.shape[2]):
        return add_grad(layer, features, rows, grad)
    part = None if grad is None else grad[:, :, record.own]
    found = add_grad(layer, features[:, :, record.own], rows, part)
    if found is None:
        return grad
    grad = torch.zeros_like(features) if grad is None else grad
    if part is None or found.data_ptr() != part.data_ptr():
        grad[:, :, record.own] = found
    return grad


def _callback_rows(record: _Record, state: _StageState) -> slice:
    """Return the rows that the callbacks get: the strip's own, or `slice(None)` where it is the only one."""
    return slice(None) if len(state.strips) == 1 else record.span.own


def _rows(x: Tensor, rows: slice) -> Tensor:
    return x if rows == slice(0, x.shape[2]) else x[:, :, rows]


def _empty_output(y: Tensor, state: _StageState) -> Tensor:
    """Return an empty tensor for the output of a whole stage, of which `y` is a strip."""
    rows = heights(state.steps, state.input.shape[2])[-1]
    shape = (*y.shape[:2], rows, y.shape[3])
    return torch.empty(shape, dtype=y.dtype, device=y.device, memory_format=torch.channels_last)
