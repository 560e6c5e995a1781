"""What bfloat16 costs in loss, on any machine: float32 with every tensor of the network rounded to bfloat16.

    python -m benchmarks.rounding --out docs/rounding.md

That is what matrix units with sums in float32 compute, but for the order of the sums. How fast they are needs a machine
that has them; how many iterations more they need does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.whole_pass import WholePass

# isort: split
from PIL import Image
from skimage import data
from torch import Tensor

from benchmarks.engine import PAIRS, table
from benchmarks.ours import network
from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.methods.objective import Objective
from stylefarm.worker.engine.networks.conv3x3 import Conv3x3
from stylefarm.worker.engine.networks.vgg import Vgg
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.options import loss_settings, make_optimizer

SIZE = 96
ITERATIONS = 100
# So many more may be needed to come to the same loss.
MOST = 140
POLISH = 10


PAGE = """\
# What bfloat16 costs in loss

`python -m benchmarks.rounding` writes this page. The tensors of the network are rounded to bfloat16 and computed in
float32, as matrix units do, but for the order of their sums; the picture, the losses and L-BFGS stay in float32. The
total loss, evaluated in float32, beside that of float32 all the way, at {size} pixels.

{table}
"""


def rounded(x: Tensor) -> Tensor:
    """The nearest values that bfloat16 has."""
    return x.bfloat16().to(x.dtype)


@dataclass(frozen=True)
class RoundedKernel:
    """A convolution of which everything that goes in and comes out is rounded."""

    kernel: Conv3x3

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """As `Conv3x3` does it."""
        return rounded(self.kernel(rounded(x), relu=relu))

    def gradient(self, grad: Tensor) -> Tensor:
        """As `Conv3x3` does it."""
        return rounded(self.kernel.gradient(rounded(grad)))


class RoundedNetwork(VggNetwork):
    """A network in bfloat16, computed in float32."""

    def __init__(self, vgg: Vgg) -> None:
        for weight in vgg.weights:
            weight.data = rounded(weight.data)
        super().__init__(vgg)
        self.convs = [RoundedKernel(kernel) for kernel in self.convs]  # type: ignore[misc]


@dataclass
class Pair:
    """One pair of pictures with its objective in float32, and in bfloat16."""

    spec: JobSpec
    start: Tensor
    exact: Objective
    coarse: Objective

    @classmethod
    def of(cls, content: str, style: str, tv: float) -> Pair:
        """By the names of scikit-image's pictures."""
        fields = {"content": content, "style": style, "size": SIZE, "tv_weight": tv, "content_layers": ["relu4_2"]}
        spec = parse_spec({**fields, "style_loss": "gram", "style_weight": 100.0, "learning_rate": 1.0})
        pictures = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in (content, style)]
        inputs = JobImages(spec, pictures[0], [pictures[1]], [], [], None)
        sized = inputs.sized(SIZE, choose("fp32").device)
        start = inputs.start(sized)
        make = partial(Objective, content=sized.content, styles=sized.styles, settings=loss_settings(spec), start=start)
        shown = [sized.content, sized.styles[0].image]
        exact, coarse = (kind(network(spec.layers, shown)) for kind in (VggNetwork, RoundedNetwork))
        return cls(spec, start, make(WholePass(exact)), make(WholePass(coarse)))

    def losses(self, plan: Sequence[tuple[Objective, int]], begin: int) -> list[float]:
        """The loss in float32 after each iteration from `begin` on; the optimizer goes on from part to part."""
        optimizer, image, found = make_optimizer(self.spec), self.start, []
        for objective in (objective for objective, count in plan for _ in range(count)):
            image = optimizer.step(image, objective.gradient(image)[1])
            found.append(image)
        return [float(self.exact.losses(image)[0, 0]) for image in found[begin - 1 :]]


def row(content: str, style: str, tv: float) -> tuple[str, ...]:
    """The excess at equal iterations, without and with a polish in float32, and the iterations to the same loss."""
    pair = Pair.of(content, style, tv)
    (exact,) = pair.losses([(pair.exact, ITERATIONS)], ITERATIONS)
    coarse = pair.losses([(pair.coarse, MOST)], 1)
    (polished,) = pair.losses([(pair.coarse, ITERATIONS - POLISH), (pair.exact, POLISH)], ITERATIONS)
    needed = next((str(done) for done, loss in enumerate(coarse, 1) if loss <= exact), f"more than {MOST}")
    excess = coarse[ITERATIONS - 1] / exact - 1
    return f"{content} x {style}", f"{tv:g}", f"{excess:+.2%}", f"{polished / exact - 1:+.2%}", needed


def main() -> None:
    """Measures, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/rounding.md"))
    arguments = parser.parse_args()
    rows = []
    for content, style in PAIRS:
        for tv in (3.0, 0.0):
            rows.append(row(content, style, tv))
            print(" | ".join(rows[-1]), flush=True)
    header = (
        "pair",
        "total variation",
        f"bfloat16 after {ITERATIONS}",
        f"with the last {POLISH} in float32",
        f"iterations to float32's loss after {ITERATIONS}",
    )
    arguments.out.write_text(PAGE.format(size=SIZE, table=table(header, rows)))


if __name__ == "__main__":
    main()
