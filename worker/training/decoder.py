"""The trainer of the decoders of adain and wct; the encoder stays as it is.

wct trains one decoder after the other, the deepest first, each for an equal part of the steps; what they give back are
pictures of the contents and of the styles in turn, where the references train on photographs alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from stylefarm.shared.errors import InvalidSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions
from stylefarm.worker.engine.feedforward.chain import Chain, layers_document
from stylefarm.worker.engine.feedforward.encoder_decoder import EncoderDecoderApplier
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.networks.memory_plan import OVERHEAD
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.training.card import training_card
from stylefarm.worker.training.contents import Contents, sheet
from stylefarm.worker.training.decoder_loss import AdainLoss, WctLoss
from stylefarm.worker.training.encoder import trained_levels
from stylefarm.worker.training.loop import AdamState, LoopTrainer, check_gradient, learning_rate
from stylefarm.worker.training.loss_network import architecture_of
from stylefarm.worker.training.pictures import PictureList
from stylefarm.worker.training.trainer import TrainingInputs

# Crops of the styles are drawn apart from those of the contents.
STYLE_SEED = 1
# Crops of the contents, and of the styles, that the decoders are fitted with before the first step.
FITTED_WITH = 8
# Steps over which the step size grows: Adam's first ones change every weight by all of it, whatever the gradient, and
# would undo what the decoders begin with. The references have none of either.
WARM_UP = 100
# Samples are rendered whole.
SAMPLE_MEMORY = 1 << 40


class DecoderTrainer(LoopTrainer["DecoderTask"]):
    """The `Trainer` of adain and wct.

    Args:
        inputs: The spec and the pictures.

    Raises:
        InvalidRequest: A data set is empty, or the weights do not fit.
        InvalidSpec: The encoder has no such level.

    Example:
        trainer = DecoderTrainer(inputs)
        for progress in trainer.run():
            print(progress.iteration, dict(zip(trainer.terms, progress.losses[0].tolist())))
        write_model(Path("any-style.safetensors"), trainer.model())
    """

    def __init__(self, inputs: TrainingInputs) -> None:
        super().__init__(inputs, DecoderTask(inputs))

    def model(self) -> Model:
        """Return the model as it is after the last step; its card says how it was trained."""
        task = self.task
        card = training_card(
            self.inputs.spec,
            losses=self.loop.losses(),
            seconds=self.loop.seconds,
            steps=self.loop.steps,
            parameters=sum(weight.numel() for decoder in task.decoders for weight in decoder.parameters.values()),
            pictures={"contents": task.contents.count, "styles": task.styles.count},
            device=self.inputs.path.device_name,
        )
        return replace(task.model(), card={**card, "encoder": task.architecture})

    def bytes(self) -> int:
        """Return about how much memory a step takes at its peak, in bytes."""
        spec, task = self.inputs.spec, self.task
        most = max(
            _step_numbers(encoder, Chain(level.decoder, {**level.tensors, **level.start}, fold=False), spec.image_size)
            for level, encoder in zip(task.levels, task.encoders, strict=True)
        )
        # The weights, their gradients, two moments of these, and what Adam makes of them.
        weights = 5 * sum(weight.numel() for decoder in task.decoders for weight in decoder.parameters.values())
        return OVERHEAD + 4 * (spec.batch_size * most + weights)


class DecoderTask:
    """The steps of a training of decoders.

    Args:
        inputs: The spec and the pictures.
    """

    def __init__(self, inputs: TrainingInputs) -> None:
        spec = self.spec = inputs.spec
        self.device = inputs.path.device
        self.architecture = architecture_of(spec, inputs.weights)
        self.contents = Contents(inputs.contents, spec.content_set, inputs, spec.seed)
        self.styles = _styles(inputs)
        shown = torch.cat([each.crops.batch(0, FITTED_WITH) for each in (self.contents, self.styles)])
        self.levels = trained_levels(spec, self.architecture, inputs.weights, shown)
        self.given = [{name: tensor.to(self.device) for name, tensor in each.tensors.items()} for each in self.levels]
        self.encoders = [
            Chain(level.encoder, given, fold=False) for level, given in zip(self.levels, self.given, strict=True)
        ]
        self.decoders = [
            AdamState({name: nn.Parameter(start.to(self.device)) for name, start in level.start.items()}, spec.momentum)
            for level in self.levels
        ]
        self.losses = [
            AdainLoss(spec, encoder, level.ends) if spec.method == "adain" else WctLoss(spec, encoder)
            for level, encoder in zip(self.levels, self.encoders, strict=True)
        ]

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses, the total first."""
        return self.losses[0].names

    def steps(self, first: int, stop: int) -> Iterator[Tensor]:
        """Make the steps from `first` to `stop`, and yield the losses (terms,) of each."""
        count = self.spec.batch_size
        contents, styles = (each.crops.batches(first, stop, count) for each in (self.contents, self.styles))
        for step, batches in enumerate(zip(contents, styles, strict=True), first):
            yield self._step(step, *(_placed(batch, self.device) for batch in batches))

    def samples(self) -> Tensor:
        """Return the held-out contents, beside a style each and what the decoders make of both."""
        contents, styles = self.contents.samples(), self.styles.samples()
        styles = styles[[place % len(styles) for place in range(len(contents))]]
        applier = EncoderDecoderApplier(self.model(), ComputePath(self.device, "fp32"))
        rendered = applier.apply(contents, [StyleImage(styles)], ApplyOptions(), SAMPLE_MEMORY)
        return sheet([contents, styles, rendered.cpu()])

    def model(self) -> Model:
        """Return the model as it is, without a card."""
        tensors: dict[str, Tensor] = {}
        described = []
        for level, decoder in zip(self.levels, self.decoders, strict=True):
            described.append(
                {
                    "level": level.number,
                    "encoder": layers_document(level.encoder),
                    "decoder": layers_document(level.decoder),
                }
            )
            tensors |= {name: tensor.to("cpu", copy=True) for name, tensor in level.tensors.items()}
            tensors |= {name: tensor.detach().to("cpu", copy=True) for name, tensor in decoder.parameters.items()}
        return Model(self.spec.method, {"levels": described}, tensors)

    def state(self) -> EngineState:
        """Return what the next step depends on, beside its number."""
        found = EngineState({}, {})
        for level, decoder in zip(self.levels, self.decoders, strict=True):
            found = found.joined(decoder.state().named(f"level{level.number}."))
        return found

    def restore(self, state: EngineState) -> None:
        """Go back to a state."""
        for level, decoder in zip(self.levels, self.decoders, strict=True):
            decoder.restore(state.part(f"level{level.number}."))

    def _step(self, step: int, contents: Tensor, styles: Tensor) -> Tensor:
        place = step * len(self.levels) // self.spec.iterations
        level, adam, loss = self.levels[place], self.decoders[place], self.losses[place]
        decoder = Chain(level.decoder, {**self.given[place], **adam.parameters}, fold=False)
        if isinstance(loss, AdainLoss):
            losses = loss(decoder, contents, styles)
        else:
            losses = loss(decoder, styles if step % 2 else contents)
        if bool(losses.isfinite().all()):  # Otherwise the loop refuses them, and the weights stay what they are.
            losses[0].backward()
            check_gradient(list(adam.parameters.values()), step + 1)
            adam.step(learning_rate(self.spec, adam.steps) * min(1.0, (adam.steps + 1) / WARM_UP))
        return losses.detach()


def _step_numbers(encoder: Chain, decoder: Chain, side: int) -> int:
    """Return how many numbers a step holds at its peak for each picture."""
    channels, rows, columns = encoder.shape(side, side)
    # The errors of the features, too.
    kept = 3 * channels * rows * columns
    kept += encoder.kept_numbers(side, side) + decoder.kept_numbers(rows, columns)
    # Besides, on the way back, the gradients of a layer.
    return kept + max(encoder.numbers(side, side), decoder.numbers(rows, columns))


def _styles(inputs: TrainingInputs) -> Contents:
    """Return the crops of the styles: of their data set, or of the pictures that are given."""
    spec = inputs.spec
    if inputs.style_set is not None:
        return Contents(inputs.style_set, str(spec.style_set), inputs, spec.seed + STYLE_SEED)
    if not inputs.styles:
        raise InvalidSpec(f"{spec.method} learns from many styles: give style_set, or style pictures")
    return Contents(PictureList(inputs.styles), " ".join(map(str, spec.style)), inputs, spec.seed + STYLE_SEED)


def _placed(batch: Tensor, device: torch.device) -> Tensor:
    return batch.to(device).contiguous(memory_format=torch.channels_last)
