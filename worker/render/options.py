"""From the parameters of a spec to the engine's options."""

from __future__ import annotations

from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.losses.options import StyleOptions
from stylefarm.worker.engine.losses.style import losses_over_samples
from stylefarm.worker.engine.methods.objective import LossSettings
from stylefarm.worker.engine.optim.optimizer import LearningRate, Optimizer, OptimizerSettings, load_optimizer


def loss_settings(spec: JobSpec) -> LossSettings:
    """Return the losses of a spec; what is auto in it must be resolved."""
    if spec.content_layers == "auto" or spec.style_weight == "auto":
        raise TypeError("what is auto is resolved when a job is submitted")
    losses = {name: weight for name, weight in spec.style_loss.items() if weight}
    alike = (1 / len(spec.style_layers),) * len(spec.style_layers)
    return LossSettings(
        content_layers={layer: 1 / len(spec.content_layers) for layer in spec.content_layers},
        style_layers=dict(zip(spec.style_layers, spec.style_layer_weights or alike, strict=True)),
        content_weight=spec.content_weight,
        style_weight=spec.style_weight,
        tv_weight=spec.tv_weight,
        content_normalization=spec.content_normalization,
        style_losses=losses,
        style_normalization=spec.style_normalization,
        style_options=StyleOptions(spec.mmd_offset, spec.projections),
        tv_norm=spec.tv_norm,
        tv_reduction=spec.tv_reduction,
        gradient_normalization=spec.normalize_gradients,
        gradient_clip=spec.gradient_clip,
        seed=spec.seed,
    )


def make_optimizer(spec: JobSpec) -> Optimizer:
    """Return the optimizer that the spec names, with its own parameters."""
    if spec.learning_rate == "auto":
        raise TypeError("learning_rate is resolved when a job is submitted")
    settings = OptimizerSettings(
        LearningRate(spec.learning_rate, spec.learning_rate_decay, spec.learning_rate_steps),
        history_size=spec.corrections,
        beta1=spec.beta1,
        beta2=spec.beta2,
        momentum=spec.momentum,
        weight_decay=spec.weight_decay,
        unit=spec.moved_space.unit,
    )
    return load_optimizer(spec.optimizer).from_settings(settings)


def by_autograd(spec: JobSpec) -> list[str]:
    """Return the losses of a spec whose gradient at their own layer is computed by autograd."""
    return losses_over_samples(spec.style_loss)
