"""The values of parameters that are "auto". A note of the job says what was chosen."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from stylefarm.producer.submission.picture_size import deepest_layer
from stylefarm.producer.submission.source import Source
from stylefarm.shared.spec.builtin import OPTIMIZERS, auto_weight
from stylefarm.shared.spec.presets import SQUEEZENET_PRESETS, preset_values
from stylefarm.shared.spec.spec import JobSpec

SIZE = 512
# A deep layer of a random network represents the content less well than one of a trained network.
CONTENT_LAYERS = {"random": ("relu3_1",), "vgg19": ("relu4_2",), "vgg16": ("relu4_2",), "squeezenet": ("fire4",)}


def resolve_auto(
    spec: JobSpec, content: Source, styles: Sequence[Source], given: Collection[str], notes: list[str]
) -> dict[str, object]:
    """Choose a value for every parameter of a spec that is still "auto".

    Args:
        spec: as the user wrote it, but for the feature network, which is chosen already.
        content: its content picture.
        styles: its style pictures.
        given: the parameters that the user gave, which stay as they are.
        notes: gets a note on each choice.

    Returns:
        The values by parameter.

    Example:
        >>> small = Source("sha256:1f", None, "cat.jpg", width=320, height=240, brightest=255, notes=())
        >>> spec, notes = JobSpec(content="cat.jpg", style="waves.jpg", features="vgg19"), []
        >>> resolve_auto(spec, small, [small], (), notes)["size"], notes[0]
        (320, "size: 320 px, the content's own")
    """
    changes: dict[str, object] = {}
    if spec.is_applied:
        return _of_applied(spec, content, notes)
    features = spec.features
    if spec.size == "auto":
        changes["size"] = _size(content, notes)
    if spec.min_size is not None and "min_size" not in given:
        changes.update(_coarsest(spec, [content, *styles], notes))
    if spec.rescale_filters and features == "random":
        changes["rescale_filters"] = False
        notes.append("rescale_filters: left out, since random features are scaled by whole layers")
    changes.update(_color(spec, [content, *styles], given, notes))
    if spec.content_layers == "auto":
        changes["content_layers"] = CONTENT_LAYERS[features]
        notes.append(f"content_layers: {', '.join(CONTENT_LAYERS[features])}")
    if features == "squeezenet":
        notes.extend(_carried_over(spec))
    if spec.style_weight == "auto":
        changes["style_weight"] = weight = style_weight(spec)
        notes.append(f"style_weight: {weight:g}")
    if spec.learning_rate == "auto":
        changes["learning_rate"] = rate = learning_rate(spec)
        notes.append(f"learning_rate: {rate:g}")
    return changes


def _of_applied(spec: JobSpec, content: Source, notes: list[str]) -> dict[str, object]:
    """Return what is auto and counts where a trained model renders."""
    changes: dict[str, object] = {}
    if spec.size == "auto":
        changes["size"] = _size(content, notes)
    if spec.color == "auto":
        changes["color"] = "style"
    return changes


def _color(spec: JobSpec, pictures: Sequence[Source], given: Collection[str], notes: list[str]) -> dict[str, object]:
    """Return the colors of the result, where they are "auto": gray stays gray, with the farm's own presets unasked."""
    gray = all(picture.is_gray for picture in pictures)
    unasked = gray and "color" not in given and spec.preset in SQUEEZENET_PRESETS
    if spec.color != "auto" and not unasked:
        if gray and "color" not in given:
            notes.append("color: all pictures are gray, and the result may have specks of color: color = auto has none")
        return {}
    chosen = "gray" if gray else preset_values(spec.preset, spec.features).get("color", "style")
    notes.append(f"color: {chosen}" + (", as all pictures are" if gray else ""))
    return {"color": chosen}


def _carried_over(spec: JobSpec) -> Iterator[str]:
    """Yield a note for each parameter that names SqueezeNet's layers in place of those of a classic program."""
    vgg, squeezenet = (preset_values(spec.preset, features) for features in ("vgg19", "squeezenet"))
    for name in ("content_layers", "style_layers"):
        others = vgg.get(name, "auto")
        if others != "auto" and others != squeezenet[name] == getattr(spec, name):
            yield f"{name}: {', '.join(squeezenet[name])}, of about the strides of VGG's {', '.join(others)}"
    if vgg.get("rescale_filters") and not spec.rescale_filters:
        yield "rescale_filters: left out, since some filters of SqueezeNet hardly fire, and would drown the others"


def _coarsest(spec: JobSpec, pictures: Sequence[Source], notes: list[str]) -> dict[str, object]:
    """Return a coarsest scale at which the deepest layer still has something of a long and narrow picture."""
    if spec.min_size is None:
        return {}
    deepest, needed = deepest_layer(spec.layers, spec.first_layer)
    narrow = min(pictures, key=lambda picture: picture.aspect)
    edge = math.ceil(needed / (narrow.aspect * min(spec.style_scale, 1.0)))
    if edge <= spec.min_size:
        return {}
    notes.append(f"min_size: {edge} px, at which {deepest} still has something of {narrow.name}")
    return {"min_size": edge}


def style_weight(spec: JobSpec) -> float:
    """Return the weight that suits the style losses of a spec.

    Args:
        spec: of a mixture of style losses, the mean of their weights by share is returned.

    Example:
        >>> gram, mixed = (JobSpec(content="a.jpg", style="b.jpg", style_loss=loss) for loss in ("gram", {"gram": 2.0}))
        >>> style_weight(gram) == style_weight(mixed)
        True
    """
    shares = spec.style_loss
    return sum(share * auto_weight(name) for name, share in shares.items()) / sum(shares.values())


def learning_rate(spec: JobSpec) -> float:
    """Return the step length that suits the optimizer of a spec, and the coordinates that it moves in.

    Args:
        spec: a spec whose `learning_rate` is "auto".

    Returns:
        The step length, in the coordinates that the optimizer moves in.

    Raises:
        TypeError: the optimizer needs a step length of the user's own, which `parse_spec` refuses to leave out.

    Example:
        >>> adam, lbfgs = (JobSpec(content="a.jpg", style="b.jpg", optimizer=name) for name in ("adam", "lbfgs"))
        >>> learning_rate(adam) < learning_rate(lbfgs)
        True
    """
    entry = OPTIMIZERS[spec.optimizer]
    if entry.learning_rate is None:
        raise TypeError("a spec without a step length that its optimizer needs is not valid")
    return entry.learning_rate * (spec.moved_space.unit if entry.scales_with_input else 1.0)


def _size(content: Source, notes: list[str]) -> int:
    size = min(SIZE, max(content.width, content.height))
    why = "the content's own" if size < SIZE else "the largest that auto chooses"
    notes.append(f"size: {size} px, {why}")
    return size
