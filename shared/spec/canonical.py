"""The canonical form of a spec, in which a parameter without effect has its default.

Specs with one canonical form give the same picture; so the keys of jobs are those of canonical forms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from stylefarm.shared.spec.builtin import LOSS_ENTRIES, METHOD_ENTRIES, OPTIMIZERS
from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.parameters import ModelParameters, OutputParameters, Parameters
from stylefarm.shared.spec.spec import JobSpec

Reasons = Iterator[tuple[str, str]]
"""Parameters that have no effect, each with the reason."""

# Formats whose encoder takes a quality.
LOSSY_FORMATS = ("jpeg", "webp", "avif")

# What counts for every picture that a trained model renders, and what does if its styles are pictures.
APPLIED = {
    *("content", "method", "model", "size", "content_masks", "style_weights", "color", "precision"),
    *OutputParameters.model_fields,
} - {"snapshot_every"}
OF_STYLE_PICTURES = {"style", "style_masks", "style_scale", "style_aspect"}

DEFAULTS: Mapping[str, object] = {name: field.get_default() for name, field in Parameters.model_fields.items()}


def canonical(spec: JobSpec, in_vain: Iterable[str] | None = None) -> JobSpec:
    """Return the canonical form of a resolved spec.

    Args:
        spec: a spec without "auto".
        in_vain: the parameters that `without_effect` returns, where that is known already.

    Example:
        >>> from stylefarm.shared.spec.spec import parse_spec
        >>> fields = {"content": "cat.jpg", "style": "waves.jpg", "size": 256, "optimizer": "adam"}
        >>> canonical(parse_spec({**fields, "momentum": 0.5})) == canonical(parse_spec(fields))
        True
    """
    if spec.method not in METHOD_ENTRIES and not spec.is_applied:
        return spec
    form: dict[str, object] = {name: DEFAULTS[name] for name in (without_effect(spec) if in_vain is None else in_vain)}
    if len(spec.sizes) == 1 and not spec.is_applied:
        form |= {"min_size": None, "first_iterations": None, "iterations": spec.total_iterations}
    if len(set(spec.style_weights)) == 1:
        form["style_weights"] = ()
    form.setdefault("style_loss", {name: weight for name, weight in spec.style_loss.items() if weight})
    # Most specs are in their canonical form, and a sweep has thousands.
    changes = {name: value for name, value in form.items() if getattr(spec, name) != value}
    return spec.model_copy(update=changes) if changes else spec


def without_effect(spec: JobSpec) -> Mapping[str, str]:
    """Return the parameters whose values change nothing in the picture, each with the reason.

    Args:
        spec: a spec without "auto".

    Example:
        >>> from stylefarm.shared.spec.spec import parse_spec
        >>> spec = parse_spec({"content": "cat.jpg", "style": "waves.jpg", "size": 256, "optimizer": "adam"})
        >>> without_effect(spec)["momentum"]
        'optimizer = adam'
    """
    if spec.is_applied:
        return _of_applied(spec)
    if spec.method not in METHOD_ENTRIES:
        return {}  # Another package's method may use any parameter.
    return {name: reason for rule in _RULES for name, reason in rule(spec)}


def _of_applied(spec: JobSpec) -> dict[str, str]:
    """Return what has no effect on a picture that a trained model renders."""
    method = MODEL_METHODS[spec.method]
    effective = {*APPLIED, *method.parameters, *(OF_STYLE_PICTURES if method.takes == "pictures" else ())}
    found = {name: f"method = {spec.method}" for name in DEFAULTS if name not in effective}
    chosen = len(spec.style_index) if method.takes == "indices" else len(spec.style)
    if chosen < 2:
        found["style_weights"] = f"method = {spec.method}" if method.takes == "nothing" else "there is one style"
    return {**found, **dict(_file(spec))}


def _model(spec: JobSpec) -> Reasons:
    if spec.init != "model":
        yield from _all(*ModelParameters.model_fields, because=f"init = {spec.init}")


def _start(spec: JobSpec) -> Reasons:
    if spec.init not in ("noise", "blend"):
        yield from _all("noise", "noise_range", because=f"init = {spec.init}")
        if not any(_is_random(name) for name in _style_losses(spec)):
            yield "seed", f"init = {spec.init}, and no loss draws at random"
    if spec.init != "blend":
        yield "noise_ratio", f"init = {spec.init}"


def _optimizer(spec: JobSpec) -> Reasons:
    for name, entry in OPTIMIZERS.items():
        if name != spec.optimizer:
            yield from _all(*entry.parameters, because=f"optimizer = {spec.optimizer}")
    if spec.learning_rate_decay == 1 or not spec.learning_rate_steps:
        why = "learning_rate_decay = 1" if spec.learning_rate_steps else "learning_rate_steps = 0"
        yield from _all("learning_rate_decay", "learning_rate_steps", because=why)


def _losses(spec: JobSpec) -> Reasons:
    losses = _style_losses(spec)
    for name, entry in LOSS_ENTRIES.items():
        # A loss of another package may use the parameters of ours.
        if name not in losses and losses <= LOSS_ENTRIES.keys():
            yield from _all(*entry.parameters, because=f"style_loss has no {name}")
    if not losses:
        yield from _all("style_loss", "style_normalization", "style_layer_weights", because="style_weight = 0")
    if not spec.content_weight:
        yield "content_normalization", "content_weight = 0"
    if not spec.tv_weight:
        yield from _all("tv_norm", "tv_reduction", because="tv_weight = 0")
    elif spec.tv_norm in ("laplacian", "nine-point"):
        yield "tv_reduction", f"tv_norm = {spec.tv_norm}"


def _scales(spec: JobSpec) -> Reasons:
    if not spec.stop_loss_change:
        yield "stop_loss_steps", "stop_loss_change = 0"
    if len(spec.sizes) == 1:
        yield "scale_factor", "min_size is not given" if spec.min_size is None else "min_size leaves a single scale"


def _network(spec: JobSpec) -> Reasons:
    if spec.weights is not None:
        yield from _all("features_seed", "features_deviation", because="the weights are pretrained")
        if spec.optimize_in == "pixels":
            names = ("input_range", "input_mean", "input_deviation", "channel_order")
            yield from _all(*names, because="pretrained weights have an input of their own")
    elif spec.features == "squeezenet":
        yield "features_deviation", "features = squeezenet"
    if spec.features != "squeezenet":
        yield "first_layer", f"features = {spec.features}"
    if spec.pooling == "max":
        yield "rescale_pooling", "pooling = max"


def _styles(spec: JobSpec) -> Reasons:
    if len(spec.style) < 2:
        yield "style_weights", "there is one style" if spec.style else "there is no style"


def _file(spec: JobSpec) -> Reasons:
    if spec.format not in LOSSY_FORMATS:
        yield "quality", f"format = {spec.format}"


_RULES: tuple[Callable[[JobSpec], Reasons], ...] = (
    _model,
    _start,
    _optimizer,
    _losses,
    _scales,
    _network,
    _styles,
    _file,
)


def _style_losses(spec: JobSpec) -> frozenset[str]:
    """Return the style losses that count."""
    counts = bool(spec.style_weight) and bool(spec.style)
    return frozenset(name for name, weight in spec.style_loss.items() if weight and counts)


def _is_random(loss: str) -> bool:
    entry = LOSS_ENTRIES.get(loss)
    return entry is None or entry.draws_at_random


def _all(*names: str, because: str) -> Reasons:
    return ((name, because) for name in names)
