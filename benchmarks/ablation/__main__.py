"""The ablation behind the preset `auto`: variants of its values, each rendered over pairs of pictures.

Prints a table, one line for each variant. Keeps the pictures and their measures, and renders only what is missing:

    python -m benchmarks.ablation --out ablation
    python -m benchmarks.ablation --out ablation --all --variants base style-16 --sheet variants.png
    python -m benchmarks.ablation --out ablation --all --variants base --matrix matrix.png
    python -m benchmarks.ablation --features random --all --out random
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from benchmarks.ablation.measures import is_kept, keep, path_of, table
from benchmarks.ablation.pictures import Pair, all_pairs, default_pictures, picture, some_pairs
from benchmarks.ablation.render import render
from benchmarks.ablation.sheet import matrix_sheet, variants_sheet
from benchmarks.ablation.variants import ABLATIONS


def main() -> None:
    """Renders what is missing, prints the table, and writes the sheets."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    contents, styles = arguments.contents, arguments.styles
    pairs = all_pairs(contents, styles) if arguments.all else some_pairs(contents, styles, arguments.pairs)
    for pair in pairs:
        for variant in arguments.variants:
            _render(variant, pair, arguments)
    print(table(arguments.out, arguments.variants, pairs))
    if arguments.sheet:
        shown = variants_sheet(arguments.out, arguments.variants, pairs, arguments.pictures, arguments.cell)
        shown.save(arguments.sheet, quality=85)
    if arguments.matrix:
        variant = arguments.variants[0]
        shown = matrix_sheet(arguments.out, variant, contents, styles, arguments.pictures, arguments.cell)
        shown.save(arguments.matrix, quality=85)


def _render(variant: str, pair: Pair, arguments: argparse.Namespace) -> None:
    path = path_of(arguments.out, variant, pair)
    if is_kept(path):
        return
    spec = ABLATIONS[arguments.features].spec(variant, arguments.size, json.loads(arguments.set))
    content, style = (picture(name, arguments.pictures) for name in pair)
    keep(render(spec, content, style), path, arguments.distilled)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", choices=list(ABLATIONS), default="squeezenet")
    parser.add_argument("--size", type=int, help="long edge; 256, or 96 with random features")
    parser.add_argument("--variants", nargs="+", help="all of them unless given")
    parser.add_argument("--contents", nargs="+")
    parser.add_argument("--styles", nargs="+")
    parser.add_argument("--pairs", type=int, default=12, help="so many pairs of a content and a style")
    parser.add_argument("--all", action="store_true", help="each content with each style")
    parser.add_argument("--pictures", type=Path, help="a folder of paintings, *.jpg, named as the styles")
    parser.add_argument("--distilled", type=Path, help="a folder with encoder5.pth, to measure with")
    parser.add_argument("--set", default="{}", help="parameters over every variant, as JSON")
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    parser.add_argument("--sheet", type=Path, help="a contact sheet of the variants by the pairs")
    parser.add_argument(
        "--matrix", type=Path, help="a contact sheet of the contents by the styles, of the first variant"
    )
    parser.add_argument("--cell", type=int, default=192, help="width of a picture in a contact sheet")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    ablation = ABLATIONS[arguments.features]
    names = default_pictures(arguments.features, arguments.pictures)
    arguments.size = arguments.size or ablation.size
    arguments.variants = arguments.variants or list(ablation.variants)
    arguments.contents = arguments.contents or names["contents"]
    arguments.styles = arguments.styles or names["styles"]
    unknown = set(arguments.variants) - set(ablation.variants)
    if unknown:
        parser.error(f"no variant {', '.join(sorted(unknown))}: there are {', '.join(ablation.variants)}")
    return arguments


if __name__ == "__main__":
    main()
