"""Loss plots."""

from __future__ import annotations

import io
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylefarm.producer.charts.html import loss_page
from stylefarm.producer.charts.lettering import apart
from stylefarm.producer.charts.losses import LossCurve, loss_plot, trend
from stylefarm.producer.theme import BACKGROUND, SERIES
from tests.unit.fonts import font_with, machine_with


def curve(start: float, count: int = 20) -> LossCurve:
    falling = [start / (n + 1) for n in range(count)]
    return LossCurve(list(range(count)), dict.fromkeys(("total", "content", "style", "tv"), falling))


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return image.convert("RGB")


@pytest.mark.parametrize("count", [0, 1, 4, 5, 7, 40])
def test_a_plot_of_any_number_of_jobs(count: int) -> None:
    """Given none, some or many jobs, if I plot them, I expect a dark PNG."""
    plot = opened(loss_plot({f"job {n}": curve(10.0**n) for n in range(count)}, title="a sweep"))
    assert plot.getpixel((0, plot.height - 1)) == Image.new("RGB", (1, 1), BACKGROUND).getpixel((0, 0))
    assert min(plot.size) > 300


@pytest.mark.parametrize("overlay", [False, True])
def test_a_job_without_losses_says_so(overlay: bool) -> None:
    """Given a job that has not begun, I expect its plot to say so, and not that of one that has."""
    placeholder = b"no losses yet"
    assert placeholder in loss_plot({"waiting": LossCurve([], {})}, kind="svg", overlay=overlay)
    assert placeholder not in loss_plot({"running": curve(1.0)}, kind="svg", overlay=overlay)


@pytest.mark.parametrize("copies", [1, 3])
def test_numbers_without_a_logarithm_are_gaps(copies: int) -> None:
    """Given zero, negative, NaN, infinite, absurd and no numbers, if I plot them, I expect a PNG and no warning."""
    nan, infinity = float("nan"), float("inf")
    curves = {
        "gaps": LossCurve([1, 2, 3, 4], {"total": [0, -1, nan, infinity], "content": [1, 2, 3, 4], "style": [nan] * 4}),
        "absurd": LossCurve([1, 2, nan], {"total": [1e308, 5e-324, 1], "content": [1e-320] * 3}),
        "empty": LossCurve([], {}),
        "uneven": LossCurve([1, 2, 3], {"total": [5.0], "energy": [4, 3, 2, 1]}),
    }
    opened(loss_plot({f"{name} {n}": value for name, value in curves.items() for n in range(copies)}))


@pytest.mark.parametrize("count", [1, 7])
def test_names_are_not_formulas(count: int) -> None:
    """Given names with dollars, underscores and foreign letters, if I plot them, I expect a PNG and no warning."""
    names = ["$\\frac{", "_hidden", "神奈川", "a\nb", "x" * 500, "", "$_$"]
    opened(loss_plot(dict.fromkeys(names[:count], curve(1e6)), title=" ".join(names)))


def test_plots_may_be_drawn_by_several_threads() -> None:
    """Given four threads, if each plots the same, I expect the same four times."""
    curves = {"a": curve(1e6), "b": curve(1e3)}
    with ThreadPoolExecutor(4) as threads:
        plots = list(threads.map(lambda _: loss_plot(curves), range(4)))
    assert len(set(plots)) == 1


def test_a_few_lines_have_their_names_at_their_ends() -> None:
    """Given a few jobs whose losses end alike, I expect each name once, in its color, and none over another."""
    curves = {f"job {n}": curve(1.0 + n / 1000) for n in range(8)}
    drawn = loss_plot(curves, kind="svg", overlay=True).decode()
    for name in curves:
        assert drawn.count(f"<!-- {name} -->") == 1
    assert "legend_1" not in drawn
    assert "legend_1" in loss_plot({f"job {n}": curve(1.0) for n in range(14)}, kind="svg").decode()
    assert drawn.count(f"stroke: {SERIES[0]}") == 2  # the line, and from its end to its name


def test_lines_of_a_group_have_a_key() -> None:
    """Given a few jobs in two groups, I expect the key of the groups: none of their lines is the whole group."""
    curves = {f"job {n}": LossCurve([0, 1], {"total": [2.0, 1.0]}, group=f"size {n % 2}") for n in range(4)}
    assert "legend_1" in loss_plot(curves, kind="svg", overlay=True).decode()


def test_labels_keep_apart() -> None:
    """Given places that are wanted, I expect them in their order, a step apart, and where they are if they can be."""
    wanted = [0.9, 0.1, 0.5, 0.5, 0.52]
    found = apart(wanted, 0.1)
    assert [found[0], found[1]] == [0.9, 0.1]
    ordered = sorted(found)
    assert all(after - before >= 0.1 - 1e-9 for before, after in itertools.pairwise(ordered))
    assert sum(found[2:]) / 3 == pytest.approx(sum(wanted[2:]) / 3)


def test_names_of_any_script_are_drawn(tmp_path: Path) -> None:
    """Given a Japanese name, if the machine has a font or none, I expect letters of it, or Latin ones: no square."""
    with machine_with([font_with(tmp_path / "Japanese.ttf", "神奈川")]):
        assert "<!-- 神奈川 -->" in loss_plot({"神奈川": curve(1.0)}, kind="svg", overlay=True).decode()
    with machine_with([]):
        assert "<!-- ShenNaiChuan -->" in loss_plot({"神奈川": curve(1.0)}, kind="svg", overlay=True).decode()


def test_the_color_stands_for_the_group() -> None:
    """Given many jobs in two groups, I expect two colors, and a key with the names of the groups alone."""
    curves = {f"job {n}": LossCurve([0, 1], {"total": [2.0 + n, 1.0]}, group=f"size {256 << n % 2}") for n in range(20)}
    drawn = loss_plot(curves, kind="svg").decode()
    page = loss_page(curves).decode()
    for color in SERIES[:2]:
        assert drawn.count(f"stroke: {color}") == 10 + 1  # and in the key
        assert page.count(f'"color":"{color}"') == 10
    assert SERIES[2] not in drawn
    assert page.count('"showlegend":false') == 18


def test_a_noisy_curve_has_a_mean() -> None:
    """Given the losses of a training, each of another batch, I expect their moving mean, with the gaps of the curve; of
    a curve that falls, or a short one, none."""
    steps = np.arange(400)
    falling = np.asarray(4.0 * 0.99**steps, np.float64)
    noisy = np.asarray(falling * np.random.default_rng(0).lognormal(0, 0.5, 400), np.float64)
    noisy[50] = np.nan
    mean = trend(noisy, log=True)
    assert mean is not None
    assert np.flatnonzero(np.isnan(mean)).tolist() == [50]
    assert np.nanmax(abs(np.log(mean / falling))) < 0.6
    assert trend(falling, log=True) is None
    assert trend(noisy[:40], log=True) is None
