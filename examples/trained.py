"""Show the models that a farm has trained: samples, curve and card of each, as docs/trained-models.md.

    python -m examples.trained --data "147 photographs of ..."

The farm is that of the settings. Samples and curves go to docs/images.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill
from typing import Any

from PIL import Image

from stylefarm import Farm, Job, write_losses
from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.shared.spec.models import MODEL_METHODS

DOCS = Path("docs")
TRAINED = "job "
WIDEST = 1100
ABOUT = """\
Models that were trained on two cores without a GPU, by `stylefarm train`, with SqueezeNet as the network of the losses.
Contents: {data}. Each picture of samples shows contents that no step has seen, and beside them what the network makes
of them. The curves have the losses of each step, the total first. Seconds are those of the steps, on a machine that did
other work beside them."""
NOTES = {
    "cin": "Goes on from the published network of 26 styles where it has a base: scales and shifts alone are trained.",
    "ulyanov": "With a base, all weights are trained from what the styles of the base have in common.",
    "johnson": "Batch normalization: statistics of the batch in training, of all batches in rendering. After so few"
    " steps the pattern of the loss network's strides is still there.",
    "adain": "A handful of paintings is thin for any style, and so are these steps: it shows what is learned first.",
    "wct": "A decoder for each level, one after the other. The samples have all of the style; with the usual strength"
    " of 0.6 the content stays clear, as in [the comparison](comparison.md).",
    "cyclegan": "The mechanics: sets of this size, and so few steps, give colors and no forms.",
}


def section(farm: Farm, row: ModelRow) -> str:
    """Write the pictures of a model, and return its section in Markdown.

    Args:
        farm: the farm that has trained it.
        row: the model.
    """
    job = farm.find_job(row.source.removeprefix(TRAINED))
    samples, curve = f"images/trained-{row.name}.jpg", f"images/trained-{row.name}-losses.png"
    _shrunk(job.result().image).save(DOCS / samples, quality=86)
    write_losses(job, DOCS / curve, force=True)
    title = MODEL_METHODS[row.method].title
    parts = [
        f"## {row.name}",
        f"{title}. {NOTES.get(row.method, '')}".strip(),
        _card(row, job),
        f"![Contents, and what {row.name} makes of them]({samples})",
        f"![Losses of {row.name}]({curve})",
    ]
    return "\n\n".join(parts)


def _shrunk(image: Image.Image) -> Image.Image:
    if image.width <= WIDEST:
        return image
    return image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)


def _card(row: ModelRow, job: Job) -> str:
    spec: dict[str, Any] = row.card.get("spec", {})
    losses = ", ".join(f"{name} {value:.3g}" for name, value in row.card.get("losses", {}).items())
    rows = {
        "method": row.method,
        "styles": job.status().style or "none",
        "begins with": "a model" if spec.get("base") else "random weights",
        "steps": f"{spec.get('iterations', 0):,} of {spec.get('batch_size')} crops of {spec.get('image_size')} pixels",
        "seconds": f"{float(row.card.get('seconds', 0)):,.0f}",
        "losses at the end": losses,
        "parameters": f"{row.card.get('parameters', 0):,}",
        "size": f"{row.bytes / 1e6:.1f} MB",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="what the contents are, in words")
    about = fill(ABOUT.format(data=parser.parse_args().data), 120)
    with Farm() as farm:
        rows = [row for row in farm.store.models.all() if row.source.startswith(TRAINED)]
        rows.sort(key=lambda row: (list(MODEL_METHODS).index(row.method), row.name))
        sections = [section(farm, row) for row in rows]
    (DOCS / "trained-models.md").write_text("\n\n".join(["# Trained here", about, *sections]) + "\n")


if __name__ == "__main__":
    main()
