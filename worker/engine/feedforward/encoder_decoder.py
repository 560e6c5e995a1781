"""Methods that encode a content, give its features a style's statistics, and decode them: adain and wct.

adain has one level, wct several: the picture that a deeper level decodes is clamped to [0, 1], as in WCT-TF, and
encoded anew by the next. Each level has an encoder and a decoder of its own, two chains of layers.

What departs from the references is said in `encoders`; here it is that pictures whose size is no multiple of a level's
stride are padded by reflection and the result is cropped, where the references resize or crop the content.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest, InvalidSpec, OutOfMemory
from stylefarm.shared.spec.models import Transform
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.chain import Chain, parse_layers
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.styling import Known, Regions, Styling, know, parts_of
from stylefarm.worker.engine.feedforward.transforms import Statistics
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage, TargetCache

# Bytes of what is known of styles that are kept between pictures.
CACHE_BYTES = 256 << 20

# What convolutions allocate for themselves, as a share of what they are counted with.
WORKSPACE = 1.25


@dataclass(frozen=True)
class Level:
    """One level of a model.

    Args:
        number: 5 is the deepest.
        encoder: From pictures in [0, 1] to features.
        decoder: Back.
    """

    number: int
    encoder: Chain
    decoder: Chain

    def numbers(self, height: int, width: int) -> int:
        """Return how many numbers rendering holds at its peak, for one picture of that size."""
        channels, rows, columns = self.encoder.shape(height, width)
        features = channels * rows * columns
        # Encoding; the features, those with the style, and a product between; decoding.
        return max(self.encoder.numbers(height, width), 3 * features, self.decoder.numbers(rows, columns) + features)


class EncoderDecoderApplier:
    """A model of adain or wct on a device.

    Args:
        model: The model.
        path: The device and the precision.

    Raises:
        InvalidRequest: The model is damaged.

    Example:
        applier = EncoderDecoderApplier(model, choose())
        picture = applier.apply(content, [StyleImage(style)], ApplyOptions(strength=0.6), memory=4 << 30)
    """

    def __init__(self, model: Model, path: ComputePath) -> None:
        self.path = path
        self.method = model.method
        self.levels = levels_of(
            model, {name: tensor.to(path.device, path.dtype) for name, tensor in model.tensors.items()}
        )
        self.cache = TargetCache(CACHE_BYTES)

    def bytes(self, height: int, width: int, batch: int = 1) -> int:
        """Return the peak of the memory, in bytes, of rendering that many pictures of that size whole."""
        height, width = self._padded_size(height, width, self.levels)
        most = max(level.numbers(height, width) for level in self.levels)
        return batch * (_pictures(height, width) + int(WORKSPACE * most * self.path.dtype.itemsize))

    def apply(
        self, content: Tensor, styles: Sequence[StyleImage | StyleIndex], options: ApplyOptions, memory: int
    ) -> Tensor:
        """Return the rendered pictures, (B, 3, H, W) float32, in [0, 1] but for overshoot."""
        pictures = [_on(style, self.path.device) for style in styles if isinstance(style, StyleImage)]
        if len(pictures) < len(styles) or not pictures:
            raise InvalidSpec(
                f"{self.method} takes pictures as styles, at least one: give style pictures, and no index"
            )
        levels = self._chosen(options.levels)
        transform: Transform = options.transform or ("adain" if self.method == "adain" else "wct")
        height, width = content.shape[2:]
        if self.bytes(height, width, content.shape[0]) > memory and content.shape[0] > 1:
            each = [
                self.apply(one, [_of_picture(style, n) for style in pictures], options, memory)
                for n, one in enumerate(content.split(1))
            ]
            return torch.cat(each)
        with torch.inference_mode():
            size = self._padded_size(height, width, levels)
            image = _padded(content.to(self.path.device, torch.float32), size)
            regions = Regions.of(parts_of(pictures), (height, width))
            for number, level in enumerate(levels):
                image = image.clamp(0, 1) if number else image
                known = [self._known(style, level, transform, memory) for style in pictures] if options.strength else []
                here = None if regions is None else regions.padded(*size).shrunk(level.encoder.shape(*size)[1:])
                shares = [share for share, _ in parts_of(pictures)]
                image = _render(
                    level, image, Styling(transform, known, shares, here, options.strength), self.path, memory
                )
        # Outside of inference mode, so that a caller may go on with it.
        return image[:, :, :height, :width].clone(memory_format=torch.contiguous_format)

    def _chosen(self, numbers: Sequence[int]) -> list[Level]:
        by_number = {level.number: level for level in self.levels}
        unknown = [number for number in numbers if number not in by_number]
        if unknown:
            have = ", ".join(str(number) for number in by_number)
            raise InvalidSpec(f"the model has no level {unknown[0]}: choose among {have}")
        return [level for level in self.levels if not numbers or level.number in numbers]

    def _padded_size(self, height: int, width: int, levels: Sequence[Level]) -> tuple[int, int]:
        stride = max(level.encoder.stride for level in levels)
        return -(-height // stride) * stride, -(-width // stride) * stride

    def _known(self, style: StyleImage, level: Level, transform: Transform, memory: int) -> Known:
        kind: Hashable = transform if transform in ("adain", "efdm") else "full"

        def make() -> Known:
            return _read_style(level, style, transform, self.path, memory)

        if style.key is None:
            return make()
        return self.cache.get((style.key, tuple(style.image.shape), level.number, kind), make)


def levels_of(model: Model, tensors: Mapping[str, Tensor], *, fold: bool = True) -> list[Level]:
    """Return the levels of a model of adain or wct, the deepest first.

    Args:
        model: The model.
        tensors: Its weights, on a device in a dtype.
        fold: Whether layers are computed together where that is faster.

    Raises:
        InvalidRequest: The model is damaged.

    Example:
        levels = levels_of(model, model.tensors)
        features = levels[0].encoder.forward(content)
    """
    try:
        described = [
            (int(level["level"]), level["encoder"], level["decoder"]) for level in model.architecture["levels"]
        ]
    except (KeyError, TypeError, ValueError):
        raise InvalidRequest(f"the model of {model.method} has no levels that can be read: it is damaged") from None
    levels = [
        Level(number, *(Chain(parse_layers(each), tensors, fold=fold) for each in (encoder, decoder)))
        for number, encoder, decoder in sorted(described, key=lambda entry: -entry[0])
    ]
    for level in levels:
        if level.encoder.inputs != 3 or level.decoder.outputs != 3 or level.encoder.outputs != level.decoder.inputs:
            raise InvalidRequest(f"level {level.number} of the model does not lead from pictures to pictures")
    if not levels:
        raise InvalidRequest(f"the model of {model.method} has no levels: give a whole one")
    return levels


def _render(level: Level, image: Tensor, styling: Styling, path: ComputePath, memory: int) -> Tensor:
    """Return the picture (B, 3, H, W) of one level, in strips of rows if it does not fit whole."""
    batch, _, height, width = image.shape
    channels, rows, columns = level.encoder.shape(height, width)
    held = styling.bytes(batch, channels, rows * columns, path.dtype.itemsize)
    strips = _strips(level, height, width, batch, path, memory - held)
    if len(strips) == 1:
        features = level.encoder.forward(_entered(image, path))
        styling.observe(features, slice(0, features.shape[2]))
        return level.decoder.forward(styling.apply(features, slice(0, features.shape[2]))).float()
    return _render_strips(level, image, styling, path, strips)


def _render_strips(level: Level, image: Tensor, styling: Styling, path: ComputePath, strips: Sequence[slice]) -> Tensor:
    rows = level.encoder.shape(*image.shape[2:])[1]
    whole: Tensor | None = None
    for strip in strips:
        features = _encoded(level, image, strip, path)
        if styling.needs_whole:
            whole = features.new_empty(*features.shape[:2], rows, features.shape[3]) if whole is None else whole
            whole[:, :, strip] = features
        styling.observe(features, strip)
    if whole is not None:
        whole = styling.apply(whole, slice(0, rows))
    result = torch.empty_like(image)
    scale = level.encoder.stride
    for strip in strips:
        own = slice(strip.start * scale, strip.stop * scale)
        start, stop = _within(level.decoder.rows_needed(own.start, own.stop), rows)
        wanted = slice(start, stop)
        features = whole[:, :, wanted] if whole is not None else _styled(level, image, wanted, styling, path)
        decoded = level.decoder.forward(features)
        result[:, :, own] = decoded[:, :, own.start - start * scale : own.stop - start * scale]
    return result


def _styled(level: Level, image: Tensor, rows: slice, styling: Styling, path: ComputePath) -> Tensor:
    return styling.apply(_encoded(level, image, rows, path), rows)


def _encoded(level: Level, image: Tensor, rows: slice, path: ComputePath) -> Tensor:
    """Return some rows of the features: those that the whole picture has."""
    scale = level.encoder.stride
    first, last = _within(level.encoder.rows_needed(rows.start, rows.stop), image.shape[2])
    # Poolings begin where those of the whole picture do.
    first = first // scale * scale
    features = level.encoder.forward(_entered(image[:, :, first:last], path))
    return features[:, :, rows.start - first // scale : rows.stop - first // scale]


def _strips(level: Level, height: int, width: int, batch: int, path: ComputePath, memory: int) -> list[slice]:
    """Return the strips of rows of the level's features that fit into the memory one by one."""
    rows = -(-height // level.encoder.stride)
    left = memory - batch * _pictures(height, width)

    def needed(count: int) -> float:
        return batch * WORKSPACE * path.dtype.itemsize * _strip_numbers(level, count, height, width)

    count = rows
    while count > 1 and needed(count) > left:
        count = -(-count // 2)
    if needed(count) > left:
        raise OutOfMemory(
            f"a picture of {width} x {height} does not fit into the memory at level {level.number}, not even in strips:"
            f" {(needed(count) - left) / 2**20:.0f} MiB are lacking; take a smaller one"
            " or, if the transform is efdm, which sorts whole pictures, another"
        )
    return [slice(start, min(start + count, rows)) for start in range(0, rows, count)]


def _strip_numbers(level: Level, count: int, height: int, width: int) -> int:
    """Return how many numbers a strip of `count` rows of features takes, with the rows around it."""
    scale = level.encoder.stride
    rows = -(-height // scale)
    start, stop = level.decoder.rows_needed(0, count * scale)
    first, last = level.encoder.rows_needed(start, stop)
    return level.numbers(min(last - first, rows * scale), width)


def _read_style(level: Level, style: StyleImage, transform: Transform, path: ComputePath, memory: int) -> Known:
    image = style.image.float()
    height, width = image.shape[2:]
    _, rows, columns = level.encoder.shape(height, width)
    source = (
        None if style.source_mask is None else functional.adaptive_avg_pool2d(style.source_mask, (rows, columns))[0]
    )
    parts: list[Tensor] = []
    total: Statistics | None = None
    for strip in _strips(level, height, width, image.shape[0], path, memory):
        features = _encoded(level, image, strip, path)
        if transform == "efdm":
            parts.append(features)
            continue
        found = know(features, None if source is None else source[:, strip], transform)
        if isinstance(found, Statistics):
            total = found if total is None else total.merged(found)
    return total if total is not None else know(torch.cat(parts, 2), source, transform)


def _entered(image: Tensor, path: ComputePath) -> Tensor:
    return image.to(path.dtype).contiguous(memory_format=torch.channels_last)


def _padded(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the picture with rows and columns more at the end, mirrored, or repeated where there are too few."""
    missing_rows, missing_columns = size[0] - image.shape[2], size[1] - image.shape[3]
    for missing, length in (((0, 0, 0, missing_rows), image.shape[2]), ((0, missing_columns, 0, 0), image.shape[3])):
        image = functional.pad(image, missing, "reflect" if max(missing) < length else "replicate")
    return image


def _within(rows: tuple[int, int], height: int) -> tuple[int, int]:
    return max(0, rows[0]), min(height, rows[1])


def _pictures(height: int, width: int) -> int:
    """Return the bytes of a picture as it goes in, clamped, and as it comes out."""
    return 3 * 4 * 3 * height * width


def _on(style: StyleImage, device: torch.device) -> StyleImage:
    masks = [None if mask is None else mask.to(device, torch.float32) for mask in (style.mask, style.source_mask)]
    return replace(style, image=style.image.to(device), mask=masks[0], source_mask=masks[1])


def _of_picture(style: StyleImage, number: int) -> StyleImage:
    """Return the style of one picture of a batch."""
    if style.image.shape[0] == 1:
        return style
    key = None if style.key is None else (style.key, number)
    return replace(style, image=style.image[number : number + 1], key=key)
