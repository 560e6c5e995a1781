"""About how much memory a step of a training takes."""

from __future__ import annotations

from stylefarm.shared.spec.networks import CHANNELS, CONVOLUTIONS, Architecture
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.trunk_shape import STRIDE, TrunkShape
from stylefarm.worker.engine.networks.memory_plan import OVERHEAD

# Values for each pixel that SqueezeNet keeps until its backward pass, measured.
SQUEEZENET_VALUES = 70
FLOAT = 4


def perceptual_bytes(spec: TrainingSpec, shape: TrunkShape, architecture: Architecture) -> int:
    """Return about how many bytes a step with content and style losses takes at its peak.

    Args:
        spec: The spec.
        shape: What the network is built from.
        architecture: The network of the losses.

    Example:
        >>> spec = TrainingSpec(method="johnson", name="a", style="s.png")
        >>> perceptual_bytes(spec, TrunkShape(), "squeezenet") < perceptual_bytes(spec, TrunkShape(), "vgg19")
        True
    """
    side = spec.image_size + spec.shift
    pixels = spec.batch_size * side * side
    values = trunk_values(shape) + loss_values(architecture)
    return OVERHEAD + FLOAT * pixels * values


def cyclegan_bytes(spec: TrainingSpec, shape: TrunkShape) -> int:
    """Return about how many bytes a step of cyclegan takes at its peak.

    Args:
        spec: The spec.
        shape: What a generator is built from.

    Example:
        >>> sets = {"content_set": "photographs", "style_set": "paintings"}
        >>> spec = TrainingSpec(method="cyclegan", name="a", **sets)
        >>> cyclegan_bytes(spec, TrunkShape(blocks=6)) < cyclegan_bytes(spec, TrunkShape(blocks=9))
        True
    """
    # Each generator runs three times before the backward pass: there, back, and on what is there already.
    passes = 6 if spec.identity_weight else 4
    judged = 4 * spec.discriminator_channels
    return OVERHEAD + FLOAT * spec.batch_size * spec.image_size**2 * (passes * trunk_values(shape) + judged)


def trunk_values(shape: TrunkShape) -> int:
    """Return the values for each pixel that a trunk keeps until its backward pass.

    Args:
        shape: What it is built from.

    Example:
        >>> trunk_values(TrunkShape())
        668
    """
    first, second, third = shape.channels
    going_up, last = shape.up
    # Of each layer its input with the edges, what the convolution gives, and what is normalized.
    deep = 3 * third * (2 * shape.blocks + 1) / STRIDE**2
    return round(4 * first + 3 * second / 4 + deep + 4 * going_up / 4 + 4 * last + 3 * 12)


def loss_values(architecture: Architecture) -> int:
    """Return the values for each pixel that a network of losses keeps until its backward pass.

    Args:
        architecture: The network.

    Example:
        >>> loss_values("squeezenet") < loss_values("vgg16")
        True
    """
    if architecture == "squeezenet":
        return SQUEEZENET_VALUES
    blocks = zip(CONVOLUTIONS[architecture], CHANNELS, strict=True)
    return sum(round(2 * count * channels / 4.0**block) for block, (count, channels) in enumerate(blocks))
