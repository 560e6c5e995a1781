"""A style loss and a method of another package: submitted, rendered, and listed by the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import pytest

from stylefarm import Farm, JobFailed, export_losses, write_losses
from stylefarm.worker.monitoring.doctor import CHECKS, Finding, Health, examine

MODULE = '''
import torch

from stylefarm.worker.engine.losses.moment_losses import MomentLoss, require
from stylefarm.worker.engine.methods.iterative import IterativeMethod
from stylefarm.worker.engine.methods.method import Progress


class MaxMean(MomentLoss):
    """The largest squared difference of the channels' means."""

    moments = frozenset({"mean"})

    @staticmethod
    def statistics(moments):
        return (require(moments.mean),)

    def distance_from(self, moments):
        return (require(moments.mean) - self.target[0]).square().amax(1)

    def magnitude(self):
        return self.target[0].square().amax(1)


class SignDescent:
    """Moves every value by one gray level against the sign of its gradient; tells the total, and how large it is."""

    terms = ("total", "steepness")

    def workload(self, spec, height, width):
        return IterativeMethod().workload(spec, height, width)

    def run(self, request):
        (scale,) = request.scales
        image, objective = scale.prepare()
        for step in range(scale.iterations):
            losses, gradient = objective.gradient(image, step)
            yield Progress(step, scale.iterations, image, with_gradient(losses, gradient))
            image = image - gradient.sign() / 255
        losses, gradient = objective.gradient(image, scale.iterations)
        yield Progress(scale.iterations, scale.iterations, image, with_gradient(losses, gradient))


class TwoTotals(SignDescent):
    terms = ("total", "total")


def with_gradient(losses, gradient):
    return torch.stack([losses[:, 0], gradient.abs().flatten(1).mean(1)], 1)
'''
ENTRY_POINTS = """
[stylefarm.losses]
max-mean = other_styles:MaxMean [extra]
vanished = other_styles:Vanished
classless = other_styles
leaving = other_styles_leaving:Anything
gram = other_styles:MaxMean

[stylefarm.methods]
sign-descent = other_styles:SignDescent
halfway = other_styles:MaxMean
two-totals = other_styles:TwoTotals
"""
# Of another package, which comes after it in the alphabet.
OTHER_ENTRY_POINTS = """
[stylefarm.methods]
sign-descent = other_styles:TwoTotals
"""


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """An embedded farm beside a package with a loss and a method, and some that cannot be used."""
    folder = tmp_path / "site-packages"
    info = folder / "other_styles-2.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-styles\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "other_styles.py").write_text(MODULE)
    (folder / "other_styles_leaving.py").write_text("raise SystemExit(7)")
    second = folder / "twice_styles-1.0.dist-info"
    second.mkdir()
    (second / "METADATA").write_text("Metadata-Version: 2.1\nName: twice-styles\nVersion: 1.0\n")
    (second / "entry_points.txt").write_text(OTHER_ENTRY_POINTS)
    monkeypatch.syspath_prepend(folder)
    with Farm() as farm:
        yield farm


SMALL = {
    "size": 48,
    "iterations": 4,
    "style_layers": ["relu1_1", "relu2_1"],
    "content_layers": ["relu2_1"],
    "precision": "fp32",
}


def test_both_are_rendered_with(farm: Farm, pictures: Path) -> None:
    """given a package with a loss and a method; if a job asks for both; I expect a picture that is its own."""
    pair = {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), **SMALL}
    job = farm.submit(**pair, style_loss="max-mean", method="sign-descent")
    moved = np.asarray(job.result(timeout=60).image, dtype=float)
    curve = job.losses()
    assert list(curve.terms) == ["total", "steepness"]
    assert curve.iteration[-1] == 4
    assert curve.total[-1] < curve.total[0]
    assert (curve.terms["steepness"] > 0).all()
    write_losses(job, pictures / "losses.svg")
    other = farm.submit(**pair, style_loss={"max-mean": 1, "gram": 1}, method="gatys")
    assert np.abs(np.asarray(other.result(timeout=60).image, dtype=float) - moved).max() > 0


def test_one_that_cannot_be_used_fails_the_job_with_its_reason(farm: Farm, pictures: Path) -> None:
    """given entry points without their class, or with a wrong one; if jobs ask for them; I expect the reason."""
    pair = {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), **SMALL}
    with pytest.raises(JobFailed, match="the style loss 'vanished' failed to load"):
        farm.submit(**pair, style_loss="vanished").result(timeout=60)
    with pytest.raises(JobFailed, match=r"the style loss 'leaving' failed to load .SystemExit: 7"):
        farm.submit(**pair, style_loss="leaving").result(timeout=60)
    with pytest.raises(JobFailed, match="the method 'halfway' cannot be used"):
        farm.submit(**pair, method="halfway").result(timeout=60)
    with pytest.raises(JobFailed, match=r"terms are .'total', 'total'.*distinct names, total first"):
        farm.submit(**pair, method="two-totals").result(timeout=60)


def test_the_doctor_lists_them(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """given such a package; if the doctor looks; I expect what works, what does not and why, and a taken name."""
    monkeypatch.setattr("stylefarm.worker.monitoring.doctor.CHECKS", {"plugins": CHECKS["plugins"]})
    *most, twice = sorted(examine(farm.services), key=lambda finding: "twice-styles" in finding.words)
    found = {finding.words.split("'")[1]: finding for finding in most}
    others = {"vanished", "classless", "leaving", "gram", "halfway", "two-totals"}
    assert set(found) == {"max-mean", "sign-descent", *others}
    assert twice.health is Health.WARNING
    assert "'sign-descent' of twice-styles 1.0 is not used: other-styles 2.1 has the name" in twice.words

    def says(name: str, health: Health, sentence: str) -> Finding:
        finding = found[name]
        assert finding.health is health
        assert sentence in finding.words
        return finding

    says("max-mean", Health.FINE, "of other-styles 2.1")
    says("sign-descent", Health.FINE, "the method 'sign-descent' of other-styles 2.1")
    assert says("vanished", Health.WARNING, "no attribute 'Vanished'").remedy == "upgrade or uninstall other-styles 2.1"
    says("halfway", Health.WARNING, "cannot be used")
    says("classless", Health.WARNING, "names no class: write module:Class")
    says("leaving", Health.WARNING, "cannot be used (7)")
    says("gram", Health.WARNING, "the name is built in")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_curves_of_different_terms_are_one_table(farm: Farm, pictures: Path, tmp_path: Path, suffix: str) -> None:
    """Given a sweep over methods with terms of their own, if its losses are exported, I expect a column for each."""
    pair = {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), **SMALL, "iterations": 1}
    sweep = farm.sweep(matrix={"method": ["sign-descent", "gatys"]}, base=pair)
    sweep.wait(timeout=60)
    path = export_losses(sweep, tmp_path / f"losses{suffix}")
    frame = pandas.read_csv(path) if suffix == ".csv" else pandas.read_parquet(path)
    columns = [name for name in frame.columns if "steepness" in name or ("style" in name and "axis" not in name)]
    assert len(columns) == 2
    assert frame[columns].notna().sum().tolist() == [2, 2]
