"""What is kept of a rendering: its picture and, beside it, its measures as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, median

from benchmarks.ablation.distilled import distilled_distances
from benchmarks.ablation.pictures import Pair
from benchmarks.ablation.render import Rendered
from stylefarm.shared.images.decode import from_array
from stylefarm.worker.engine.metrics import compute_metrics

Measures = Mapping[str, float]

COLUMNS: Mapping[str, str] = {
    "gram": "gram",
    "sliced": "sliced",
    "self_similarity": "self-similarity",
    "vgg_gram": "gram (VGG)",
    "vgg_self_similarity": "self-similarity (VGG)",
    "ssim": "SSIM",
    "clipped": "clipped",
    "seconds": "seconds",
}


def path_of(out: Path, variant: str, pair: Pair) -> Path:
    """Where the picture of a pair is kept."""
    return out / variant / f"{pair[0]}-{pair[1]}.png"


def keep(rendered: Rendered, path: Path, distilled: Path | None) -> None:
    """Measure a rendering, and keep it. The measures are written last: where they are, the picture is whole."""
    found = asdict(compute_metrics(rendered.image, rendered.content, rendered.style))
    if distilled is not None:
        found |= distilled_distances(distilled, rendered.image, rendered.content, rendered.style)
    found["seconds"] = rendered.seconds
    path.parent.mkdir(parents=True, exist_ok=True)
    from_array(rendered.image[0].permute(1, 2, 0).cpu().numpy()).save(path)
    path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


def is_kept(path: Path) -> bool:
    """Whether a rendering is there with its measures."""
    return path.with_suffix(".json").is_file()


def table(out: Path, variants: Iterable[str], pairs: Sequence[Pair]) -> str:
    """The means of the measures by variant, and the median seconds, in Markdown."""
    lines, names = [], []
    for variant in variants:
        kept = [json.loads(path_of(out, variant, pair).with_suffix(".json").read_text()) for pair in pairs]
        names = [name for name in COLUMNS if all(name in measures for measures in kept)]
        lines.append(f"| {variant} | " + " | ".join(f"{value:.3g}" for value in _summary(kept, names)) + " |")
    titles = [COLUMNS[name] for name in names]
    return "\n".join([f"| variant | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|", *lines])


def _summary(kept: Sequence[Measures], names: Iterable[str]) -> list[float]:
    return [(median if name == "seconds" else fmean)([measures[name] for measures in kept]) for name in names]
