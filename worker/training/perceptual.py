"""Training of johnson, ulyanov and cin: one pass of a trunk, judged by content and style losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.networks import smallest_side
from stylefarm.worker.engine.color import ColorMoments, with_colors
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.trunk import Trunk, load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
from stylefarm.worker.engine.networks.conv3x3 import memory_format
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.training.card import training_card
from stylefarm.worker.training.contents import Contents, sheet
from stylefarm.worker.training.loop import AdamState, LoopTrainer, check_gradient, learning_rate
from stylefarm.worker.training.loss_network import architecture_of, build_loss_network, loss_layers
from stylefarm.worker.training.perceptual_loss import PerceptualLoss
from stylefarm.worker.training.resized import resized_long
from stylefarm.worker.training.step_memory import perceptual_bytes
from stylefarm.worker.training.trainer import TrainingInputs
from stylefarm.worker.training.trunk_start import grown_trunk, new_trunk, one_style_trunk, trained_names

# Styles of cin that a picture of samples shows at most.
SHOWN_STYLES = 6


class PerceptualTrainer(LoopTrainer["PerceptualTask"]):
    """The `Trainer` of johnson, ulyanov and cin.

    Args:
        inputs: The spec and the pictures.

    Raises:
        InvalidRequest: The data set is empty, a style is too small, or the weights or the base do not fit.

    Example:
        trainer = PerceptualTrainer(inputs)
        for progress in trainer.run():
            print(progress.iteration, dict(zip(trainer.terms, progress.losses[0].tolist())))
        write_model(Path("night.safetensors"), trainer.model())
    """

    def __init__(self, inputs: TrainingInputs) -> None:
        super().__init__(inputs, PerceptualTask(inputs))

    def model(self) -> Model:
        """Return the model as it is after the last step; its card says how it was trained."""
        task, spec = self.task, self.inputs.spec
        tensors = {name: tensor.detach().to("cpu", copy=True) for name, tensor in task.trunk.state_dict().items()}
        card = training_card(
            spec,
            losses=self.loop.losses(),
            seconds=self.loop.seconds,
            steps=self.loop.steps,
            parameters=sum(weight.numel() for weight in task.adam.parameters.values()),
            pictures={"contents": task.contents.count, "styles": len(self.inputs.styles)},
            device=self.inputs.path.device_name,
        )
        return Model(spec.method, task.trunk.shape.document(), tensors, card)

    def bytes(self) -> int:
        """Return about how much memory a step takes at its peak, in bytes."""
        return perceptual_bytes(self.inputs.spec, self.task.trunk.shape, self.task.architecture)


class PerceptualTask:
    """The steps of a training by content and style losses.

    Args:
        inputs: The spec and the pictures.
    """

    terms = PerceptualLoss.names

    def __init__(self, inputs: TrainingInputs) -> None:
        spec = self.spec = inputs.spec
        self.path = inputs.path
        self.device = inputs.path.device
        self.format = memory_format(self.path.algorithm, self.device)
        self.architecture = architecture_of(spec, inputs.weights)
        self.contents = Contents(inputs.contents, spec.content_set, inputs, spec.seed)
        self.trunk = self._trunk(inputs.base).to(self.device).to(memory_format=self.format)
        self.first_style = self.trunk.shape.styles - len(inputs.styles) if self.trunk.shape.styles else 0
        self.adam = AdamState(self._trained(inputs.base), spec.momentum)
        self.loss = self._loss(inputs)
        self.batch_norms = {
            name: buffer for name, buffer in self.trunk.named_buffers() if name.endswith(("_mean", "_var"))
        }

    def steps(self, first: int, stop: int) -> Iterator[Tensor]:
        """Make the steps from `first` to `stop`, and yield the losses (terms,) of each."""
        for step, batch in enumerate(self.contents.crops.batches(first, stop, self.spec.batch_size), first):
            yield self._step(step, batch.to(self.device))

    def samples(self) -> Tensor:
        """Return the held-out contents beside what the network makes of them, a column for each style."""
        contents = self.contents.samples().to(self.device)
        styles = self.trunk.shape.styles
        shown = range(self.first_style, min(styles, self.first_style + SHOWN_STYLES)) if styles else [None]
        self.trunk.eval()
        with torch.no_grad():
            columns = [self.trunk(contents, self._mixture([style] * len(contents), None)) for style in shown]
        return sheet([contents, *columns]).cpu()

    def state(self) -> EngineState:
        """Return what the next step depends on, beside its number."""
        buffers = EngineState({name: buffer.clone() for name, buffer in self.batch_norms.items()}, {})
        return self.adam.state().named("adam.").joined(buffers.named("buffer."))

    def restore(self, state: EngineState) -> None:
        """Go back to a state."""
        self.adam.restore(state.part("adam."))
        found = state.part("buffer.").tensors
        for name, buffer in self.batch_norms.items():
            buffer.copy_(found[name])

    def _step(self, step: int, contents: Tensor) -> Tensor:
        draw = torch.Generator().manual_seed((self.spec.seed << 24) + step)
        count = len(contents)
        which = torch.randint(max(1, len(self.loss.styles)), (count,), generator=draw).tolist()
        rows, columns = torch.randint(self.spec.shift + 1, (2,), generator=draw).tolist()
        strengths = torch.rand(count, generator=draw) if self.spec.adjustable else None
        self.trunk.train()
        mixture = self._mixture([self.first_style + style for style in which], strengths)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.path.dtype == torch.bfloat16):
            rendered = self.trunk(contents.contiguous(memory_format=self.format), mixture)
        factors = self._factors(which, strengths)
        compared = self._recolored(contents, which) if self.spec.recolor else contents
        losses, gradient = self.loss(rendered.detach().float(), compared, which, factors, (rows, columns))
        if not bool(losses.isfinite().all()):
            return losses  # The loop refuses them, and the weights stay what they are.
        rendered.backward(gradient.to(rendered.dtype))
        check_gradient(list(self.adam.parameters.values()), step + 1)
        self.adam.step(learning_rate(self.spec, step))
        return losses

    def _recolored(self, contents: Tensor, which: Sequence[int]) -> Tensor:
        """Return the contents with the colors of their styles, so that both losses ask for the same colors."""
        found = [
            with_colors(content, self.colors[style]) for content, style in zip(contents.split(1), which, strict=True)
        ]
        return torch.cat(found)

    def _mixture(self, styles: Sequence[int | None], strengths: Tensor | None) -> Mixture | None:
        if not self.trunk.shape.styles:
            return None
        numbers = [style or 0 for style in styles]
        return Mixture.of_indices(numbers, self.trunk.shape.styles, strengths).to(self.device)

    def _factors(self, which: Sequence[int], strengths: Tensor | None) -> Tensor:
        weights = self.spec.style_weights or (1.0,) * len(self.loss.styles)
        factors = torch.tensor([weights[style] for style in which])
        return (factors if strengths is None else factors * strengths).to(self.device)

    def _trunk(self, base: Model | None) -> Trunk:
        spec = self.spec
        if base is None:
            return new_trunk(spec)
        shape = TrunkShape.of(base.architecture)
        if spec.method == "ulyanov" and base.method == "cin" and not shape.adjustable:
            return one_style_trunk(load_trunk(shape, base.tensors)).requires_grad_(requires_grad=True)
        if base.method != spec.method:
            raise InvalidSpec(f"base is a model of {base.method}, and {spec.method} is trained: name one of its own")
        if shape.adjustable != spec.adjustable:
            word = "is" if shape.adjustable else "is not"
            raise InvalidSpec(
                f"base {word} adjustable, and the training says otherwise: give adjustable as base has it"
            )
        trunk = load_trunk(shape, base.tensors)
        return grown_trunk(trunk, len(spec.style)) if shape.styles else trunk.requires_grad_(requires_grad=True)

    def _trained(self, base: Model | None) -> dict[str, nn.Parameter]:
        only_styles = base is not None and self.trunk.shape.styles > 0
        names = trained_names(self.trunk, only_styles=only_styles)
        for name, weight in self.trunk.named_parameters():
            weight.requires_grad_(name in names)
        return {name: weight for name, weight in self.trunk.named_parameters() if name in names}

    def _loss(self, inputs: TrainingInputs) -> PerceptualLoss:
        spec = self.spec
        content_layers, style_layers = loss_layers(spec, self.architecture)
        styles = [resized_long(style, spec.style_size).to(self.device) for style in inputs.styles]
        self.colors = [ColorMoments.of(style) for style in styles]
        for number, style in enumerate(styles):
            _check_style(number, style, style_layers)
        networks = [
            build_loss_network(spec, inputs.weights, layers, styles, self.path)
            for layers in (content_layers, (*content_layers, *style_layers))
        ]
        return PerceptualLoss(spec, networks[0], networks[1], content_layers, style_layers, styles)


def _check_style(number: int, style: Tensor, layers: Sequence[str]) -> None:
    least = max(smallest_side(layer, "dense") for layer in layers)
    height, width = style.shape[2:]
    if min(height, width) < least:
        raise InvalidSpec(
            f"style {number} is {width} x {height} pixels in the training, too small for the style layers, which need"
            f" {least}: give a larger picture, or a larger style_size"
        )
