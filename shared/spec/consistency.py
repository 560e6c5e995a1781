"""Contradictions between the parameters of a spec, found before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stylefarm.shared.spec.builtin import GRAM, OPTIMIZERS
from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.networks import TITLES, default_network, layer_names, network_layers
from stylefarm.shared.spec.parameters import Parameters
from stylefarm.shared.text import counted, nearest

# The WebP format writes a side in 14 bits. The others hold every size that a spec can ask for.
LONGEST_SIDES = {"webp": 16_383}


def check_consistent(spec: Parameters) -> None:
    """Raise ValueError with one sentence for all that contradicts itself in `spec`."""
    problems = [problem for check in _CHECKS for problem in check(spec)]
    if problems:
        raise ValueError("; ".join(problems))


def _weights(spec: Parameters) -> Iterator[str]:
    if spec.content_weight == spec.style_weight == 0:
        yield "content_weight and style_weight are both 0: nothing is asked for"
    if not spec.style and spec.style_weight and not _renders_by_model(spec):
        yield "style is missing: name a picture, or give style_weight = 0"
    styles = spec.style_index if spec.style_index and not spec.style else spec.style
    if spec.style_weights and len(spec.style_weights) != len(styles):
        yield f"style_weights has {_of(spec.style_weights, 'weight', styles, 'style')}: give one for each"
    if spec.style_weights and not sum(spec.style_weights):
        yield "the style_weights have the sum 0, and cannot be shares of it: give at least one more than 0"


def _layers(spec: Parameters) -> Iterator[str]:
    weights, layers = spec.style_layer_weights, spec.style_layers
    if weights and len(weights) != len(layers):
        preset = "" if spec.preset == "auto" else f" (perhaps those of the preset {spec.preset})"
        yield f"style_layer_weights{preset} has {_of(weights, 'weight', layers, 'style layer')}: give one for each"
    if weights and not sum(weights) and spec.style_weight:
        yield "the style_layer_weights are all 0, but style_weight is not: give at least one more than 0"
    network = default_network(spec.features)
    for layer in spec.layers:
        if layer not in network_layers(network):
            is_squeezenet = layer in network_layers("squeezenet")
            hint = ": ask for features = squeezenet" if is_squeezenet else nearest(layer, layer_names(network))
            yield f"{TITLES[network]} has no layer {layer!r}{hint}"


def _masks(spec: Parameters) -> Iterator[str]:
    for name, masks in (("content_masks", spec.content_masks), ("style_masks", spec.style_masks)):
        styles = _masked_styles(spec)
        if not masks or len(masks) == len(styles):
            continue
        more = len(masks) > len(styles)
        remedy = "name a style for the mask without one" if more else "give one for each, white for all of it"
        yield f"{name} has {_of(masks, 'mask', styles, 'style')}: {remedy}"


def _masked_styles(spec: Parameters) -> Sequence[object]:
    """Return what masks belong to: pictures of styles, numbers of styles, or the one style that a model has learned."""
    return spec.style or spec.style_index or ((spec.model,) if _renders_by_model(spec) else ())


def _renders_by_model(spec: Parameters) -> bool:
    """Return whether a trained model renders the picture; its method is that of the model if none is given."""
    return spec.model is not None and spec.init != "model"


def _model(spec: Parameters) -> Iterator[str]:
    method = MODEL_METHODS.get(spec.method)
    if spec.model is None and method is not None:
        yield f"method = {spec.method} needs a model: name one of `stylefarm model list`, or train one"
    if spec.model is None and spec.init == "model":
        yield "init = model needs a model: name one"
    if method is None:
        return
    if spec.init == "model":
        yield f"init = model is for an optimization, and method = {spec.method} has none: leave out one of the two"
    if spec.style and method.takes != "pictures":
        hint = "choose styles by style_index" if method.takes == "indices" else "it has learned its own"
        yield f"method = {spec.method} takes no style pictures: {hint}"
    if spec.style_masks and method.takes != "pictures":
        yield f"method = {spec.method} takes no style_masks: it has no style pictures"
    if spec.color in ("match", "recolor", "gray") and method.takes != "pictures":
        yield f"color = {spec.color} needs style pictures, and method = {spec.method} has none: take style or luminance"
    if not spec.style and method.takes == "pictures":
        yield f"style is missing: method = {spec.method} takes any style, so name a picture"


def _of(given: Sequence[object], noun: str, needed: Sequence[object], other: str) -> str:
    """Return a comparison of counts, as "1 mask for 2 styles"."""
    return f"{counted(len(given), noun)} for {counted(len(needed), other)}"


def _normalization(spec: Parameters) -> Iterator[str]:
    others = [name for name in spec.style_loss if name != GRAM]
    if spec.style_normalization in ("gatys", "mxnet", "udacity", "pytorch") and others:
        whose = "" if spec.preset == "auto" else f" of the preset {spec.preset}"
        yield (
            f"style_normalization = {spec.style_normalization}{whose} is one of Gram matrices, and style_loss is"
            f" {', '.join(others)}: give style_normalization = relative, initial or none"
        )


def _scales(spec: Parameters) -> Iterator[str]:
    if spec.first_iterations is not None and spec.min_size is None:
        yield "first_iterations are those of the coarsest scale: give min_size too"


def _start(spec: Parameters) -> Iterator[str]:
    if (spec.init == "image") != (spec.init_image is not None):
        yield "init = image and init_image belong together: give both or neither"
    if spec.init == "style" and not spec.style:
        yield "init = style needs a style: name one"
    if spec.noise_range[0] >= spec.noise_range[1]:
        yield f"noise_range = {spec.noise_range}: its first number must be less than its second"


def _steps(spec: Parameters) -> Iterator[str]:
    if OPTIMIZERS[spec.optimizer].learning_rate is None and spec.learning_rate == "auto":
        yield f"optimizer = {spec.optimizer} has no step length that suits every loss: give learning_rate"


def _file(spec: Parameters) -> Iterator[str]:
    longest = LONGEST_SIDES.get(spec.format)
    if longest is not None and spec.size != "auto" and spec.size > longest:
        yield (
            f"format = {spec.format} holds at most {longest:,} pixels a side, and size = {spec.size}:"
            " take png or jpeg, or a smaller size"
        )
    if spec.bits == 16 and spec.format not in ("png", "tiff"):
        yield f"format = {spec.format} holds 8 bits a channel: take png or tiff for bits = 16"
    if spec.alpha == "keep" and spec.format == "jpeg":
        yield "format = jpeg holds no transparency: take png, webp, avif or tiff for alpha = keep"


def _features(spec: Parameters) -> Iterator[str]:
    if spec.features == "random" and spec.weights is not None:
        yield "features = random takes no weights: leave out one of the two"
    if spec.first_layer == "dense" and spec.features not in ("auto", "squeezenet"):
        yield (
            "first_layer = dense is for SqueezeNet, whose first convolution skips pixels: leave it out, or take"
            " features = squeezenet"
        )
    if spec.pooling == "blur" and spec.features not in ("auto", "squeezenet"):
        yield (
            "pooling = blur is for SqueezeNet, whose poolings overlap: take pooling = average, or features = squeezenet"
        )


_CHECKS = (_model, _weights, _layers, _masks, _normalization, _scales, _start, _steps, _file, _features)
