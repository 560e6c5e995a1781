"""Training of cyclegan: two generators, each the other's way back, against two discriminators."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.training import LOSS_TERMS
from stylefarm.worker.engine.feedforward.cyclegan import DIRECTIONS, PatchDiscriminator
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.trunk import Trunk
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.training.card import training_card
from stylefarm.worker.training.contents import Contents, sheet
from stylefarm.worker.training.loop import AdamState, LoopTrainer, check_gradient, learning_rate
from stylefarm.worker.training.picture_pool import PicturePool
from stylefarm.worker.training.step_memory import cyclegan_bytes
from stylefarm.worker.training.trainer import TrainingInputs
from stylefarm.worker.training.trunk_start import cyclegan_trunk_shape, drawn


class CycleGanTrainer(LoopTrainer["CycleGanTask"]):
    """The `Trainer` of cyclegan.

    Args:
        inputs: The spec and the two sets of pictures.

    Raises:
        InvalidRequest: A set is empty.

    Example:
        trainer = CycleGanTrainer(inputs)
        for progress in trainer.run():
            print(progress.iteration, dict(zip(trainer.terms, progress.losses[0].tolist())))
    """

    def __init__(self, inputs: TrainingInputs) -> None:
        super().__init__(inputs, CycleGanTask(inputs))

    def model(self) -> Model:
        """Return the two generators as they are after the last step; the card says how they were trained."""
        task, spec = self.task, self.inputs.spec
        tensors = {
            f"{direction}.{name}": tensor.detach().to("cpu", copy=True)
            for direction, generator in task.generators.items()
            for name, tensor in generator.state_dict().items()
        }
        card = training_card(
            spec,
            losses=self.loop.losses(),
            seconds=self.loop.seconds,
            steps=self.loop.steps,
            parameters=sum(tensor.numel() for tensor in tensors.values()),
            pictures={"contents": task.sets["forward"].count, "styles": task.sets["backward"].count},
            device=self.inputs.path.device_name,
        )
        return Model(spec.method, task.shape.document(), tensors, card)

    def bytes(self) -> int:
        """Return about how much memory a step takes at its peak, in bytes."""
        return cyclegan_bytes(self.inputs.spec, self.task.shape)


class CycleGanTask:
    """The steps of a training of cyclegan.

    A generator and a discriminator of each direction: "forward" makes pictures of the second set, and its discriminator
    tells them from that set's own.

    Args:
        inputs: The spec and the two sets of pictures.

    Source:
        Zhu, Park, Isola and Efros 2017 (arXiv 1703.10593), eq. 1 to 3 with least squares (section 4), and junyanz's
        program for the identity loss: its weight is a share of the cycle's.
    """

    terms = ("total", *LOSS_TERMS["cyclegan"])

    def __init__(self, inputs: TrainingInputs) -> None:
        spec = self.spec = inputs.spec
        if inputs.style_set is None:
            raise InvalidSpec("cyclegan translates between two sets of pictures: give style_set")
        self.device, self.dtype = inputs.path.device, inputs.path.dtype
        self.shape = cyclegan_trunk_shape(spec)
        # Pictures that go forward, and those that go backward.
        self.sets = {
            "forward": Contents(inputs.contents, spec.content_set, inputs, 2 * spec.seed),
            "backward": Contents(inputs.style_set, spec.style_set or "", inputs, 2 * spec.seed + 1),
        }
        self.generators = self._modules(lambda: Trunk(self.shape), 0)
        self.discriminators = self._modules(lambda: PatchDiscriminator(spec.discriminator_channels), 1)
        self.pools = {direction: PicturePool(spec.pool_size) for direction in DIRECTIONS}
        self.adams = {
            "generators": AdamState(_named(self.generators), spec.momentum),
            "discriminators": AdamState(_named(self.discriminators), spec.momentum),
        }

    def steps(self, first: int, stop: int) -> Iterator[Tensor]:
        """Make the steps from `first` to `stop`, and yield the losses (terms,) of each."""
        count = self.spec.batch_size
        batches = (self.sets[direction].crops.batches(first, stop, count) for direction in DIRECTIONS)
        for step, (ahead, back) in enumerate(zip(*batches, strict=True), first):
            yield self._step(step, {"forward": ahead.to(self.device), "backward": back.to(self.device)})

    def samples(self) -> Tensor:
        """Return held-out pictures of the first set forward and back again, and of the second the other way."""
        rows = []
        with torch.no_grad():
            for direction, back in (DIRECTIONS, DIRECTIONS[::-1]):
                given = self.sets[direction].samples().to(self.device)
                made = self.generators[direction](given)
                rows.append(sheet([given, made, self.generators[back](made)]))
        return torch.cat(rows, 2).cpu()

    def state(self) -> EngineState:
        """Return what the next step depends on, beside its number."""
        states = {name: adam.state() for name, adam in self.adams.items()}
        states |= {f"pool.{direction}": pool.state() for direction, pool in self.pools.items()}
        found = EngineState({}, {})
        for name, state in states.items():
            found = found.joined(state.named(f"{name}."))
        return found

    def restore(self, state: EngineState) -> None:
        """Go back to a state."""
        for name, adam in self.adams.items():
            adam.restore(state.part(f"{name}."))
        for direction, pool in self.pools.items():
            pool.restore(state.part(f"pool.{direction}."))

    def _modules(self, make: Callable[[], nn.Module], number: int) -> dict[str, nn.Module]:
        """Return a module for each direction, with weights of their own."""
        seeds = {direction: 4 * self.spec.seed + 2 * number + place for place, direction in enumerate(DIRECTIONS)}
        deviation = self.spec.initial_deviation
        return {direction: drawn(make, seed, deviation).to(self.device) for direction, seed in seeds.items()}

    def _step(self, step: int, given: dict[str, Tensor]) -> Tensor:
        draw = torch.Generator().manual_seed((self.spec.seed << 24) + step)
        rate = learning_rate(self.spec, step)
        for discriminator in self.discriminators.values():
            discriminator.requires_grad_(requires_grad=False)
        with self._autocast():
            made = {direction: self.generators[direction](given[direction]).float() for direction in DIRECTIONS}
            losses = self.generator_losses(given, made)
        total = torch.stack(losses).sum()
        if not bool(total.isfinite()):
            return self._losses(losses, torch.zeros_like(total))
        total.backward()
        self._apply("generators", rate, step)
        for discriminator in self.discriminators.values():
            discriminator.requires_grad_(requires_grad=True)
        with self._autocast():
            judged = self._discriminator_loss(given, made, draw)
        if bool(judged.isfinite()):
            judged.backward()
            self._apply("discriminators", rate, step)
        return self._losses(losses, judged)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def generator_losses(self, given: dict[str, Tensor], made: dict[str, Tensor]) -> list[Tensor]:
        """Return the adversarial, cycle and identity losses, weighted.

        Args:
            given: Pictures of the first set, which go forward, and of the second, which go backward: (B, 3, H, W).
            made: What the generators make of them.
        """
        adversarial, cycle, identity = (torch.zeros((), device=self.device) for _ in range(3))
        for direction, back in (DIRECTIONS, DIRECTIONS[::-1]):
            adversarial = adversarial + _least_squares(self._judged(direction, made[direction]), 1.0)
            returned = self.generators[back](made[direction])
            cycle = cycle + _distance(returned, given[direction])
            if self.spec.identity_weight:
                # A picture that is already of the other set is to stay as it is.
                identity = identity + _distance(self.generators[direction](given[back]), given[back])
        weight = self.spec.cycle_weight
        return [adversarial, weight * cycle, weight * self.spec.identity_weight * identity]

    def _discriminator_loss(self, given: dict[str, Tensor], made: dict[str, Tensor], draw: torch.Generator) -> Tensor:
        total = torch.zeros((), device=self.device)
        for direction, back in (DIRECTIONS, DIRECTIONS[::-1]):
            shown = self.pools[direction].shown(made[direction], draw)
            real, other = self._judged(direction, given[back]), self._judged(direction, shown)
            # Halved, so that it learns more slowly than the generator.
            total = total + (_least_squares(real, 1.0) + _least_squares(other, 0.0)) / 2
        return total

    def _judged(self, direction: str, pixels: Tensor) -> Tensor:
        judgment: Tensor = self.discriminators[direction](pixels * 2 - 1)
        return judgment

    def _apply(self, which: str, rate: float, step: int) -> None:
        check_gradient(list(self.adams[which].parameters.values()), step + 1)
        self.adams[which].step(rate)

    @staticmethod
    def _losses(losses: list[Tensor], judged: Tensor) -> Tensor:
        parts = torch.stack([*losses, judged]).detach()
        # The total is the generators': the discriminators' loss is not one that falls.
        return torch.cat([parts[:3].sum()[None], parts])


def _named(modules: dict[str, nn.Module]) -> dict[str, nn.Parameter]:
    each = ((direction, *named) for direction, module in modules.items() for named in module.named_parameters())
    return {f"{direction}.{name}": weight for direction, name, weight in each}


def _least_squares(judgment: Tensor, wanted: float) -> Tensor:
    return (judgment.float() - wanted).square().mean()


def _distance(found: Tensor, wanted: Tensor) -> Tensor:
    # Twice, since the program's pictures are from -1 to 1.
    return 2 * functional.l1_loss(found.float(), wanted)
