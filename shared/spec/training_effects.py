"""Which parameters of a training its method does not use."""

from __future__ import annotations

from collections.abc import Mapping

from stylefarm.shared.spec.training import TrainingSpec

_PERCEPTUAL = frozenset({"johnson", "ulyanov", "cin"})
_DECODERS = frozenset({"adain", "wct"})
_TRUNKS = _PERCEPTUAL | {"cyclegan"}

# Parameters that not every method uses: by which they are used.
USED_BY: Mapping[str, frozenset[str]] = {
    "adjustable": frozenset({"cin"}),
    "style_weights": _PERCEPTUAL,
    **dict.fromkeys(
        ("cycle_weight", "identity_weight", "pool_size", "discriminator_channels"), frozenset({"cyclegan"})
    ),
    "levels": frozenset({"wct"}),
    **dict.fromkeys(
        ("content_layers", "style_layers", "style_loss", "style_size", "recolor", "tv_weight", "shift"), _PERCEPTUAL
    ),
    **dict.fromkeys(("trunk", "norm", "output", "last_norm"), _PERCEPTUAL),
    **dict.fromkeys(("channels", "blocks", "upsampling", "initial_deviation"), _TRUNKS),
    **dict.fromkeys(
        ("features", "weights", "pooling", "normalization", "content_weight", "style_weight"), _PERCEPTUAL | _DECODERS
    ),
}


def in_vain(spec: TrainingSpec) -> str:
    """Return the sentence on given parameters that have no effect with the method; empty if all have one.

    Args:
        spec: as the user gave it; what a preset sets is not meant.

    Example:
        >>> given = {"name": "a", "content_set": "photos", "style_set": "paintings"}
        >>> in_vain(TrainingSpec(method="adain", levels=(2,), **given))
        'levels has no effect with adain'
        >>> in_vain(TrainingSpec(method="wct", levels=(2,), **given))
        ''
    """
    names = [name for name in spec.model_fields_set if spec.method not in USED_BY.get(name, {spec.method})]
    if not names:
        return ""
    return f"{', '.join(sorted(names))} {'have' if len(names) > 1 else 'has'} no effect with {spec.method}"
