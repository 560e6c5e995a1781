"""Loss plots as files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from examples.embedded import embedded_settings
from stylefarm import Farm, InvalidRequest, Sweep, write_losses
from tests.made_up import made_up


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        yield made_up(farm, {"content": ["cat.png", "<b>.png"], "seed": [1, 2]}, name="four <b> jobs")


def test_curves_as_a_page(sweep: Sweep, tmp_path: Path) -> None:
    """Given four jobs, I expect a page with all four and Plotly's script once; of one job its terms; no markup."""
    whole = write_losses(sweep, tmp_path / "sweep.html").read_text(encoding="utf-8")
    assert whole.count("plotly.js v") == 1
    assert "four &lt;b&gt; jobs" in whole
    drawing = whole[whole.rindex("Plotly.newPlot") :]
    assert drawing.count('"mode":"lines"') == 4
    assert "seed 2" in drawing
    assert "<b>" not in drawing
    assert '"type":"log"' in drawing
    of_one = write_losses(sweep.jobs()[0], tmp_path / "job.html", log=False).read_text(encoding="utf-8")
    terms = of_one[of_one.rindex("Plotly.newPlot") :]
    assert all(f'"name":"{term}"' in terms for term in ("total", "content", "style", "tv"))


def test_curves_as_pictures(sweep: Sweep, tmp_path: Path) -> None:
    """Given jobs, I expect a PNG and an SVG; fewer curves where a slice is asked for."""
    with Image.open(write_losses(sweep, tmp_path / "sweep.png", overlay=True)) as image:
        assert image.format == "PNG"
    one = write_losses(sweep, tmp_path / "one.svg", where={"seed": ["1"]}).read_text(encoding="utf-8")
    assert one.startswith("<?xml")
    assert len(one) < len(write_losses(sweep, tmp_path / "all.svg").read_text(encoding="utf-8"))


def test_without_plotly_a_sentence_says_so(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no Plotly, if a page is asked for, I expect what to install, and no file."""
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'stylefarm\[plots\]'"):
        write_losses(sweep, tmp_path / "sweep.html")
    with pytest.raises(InvalidRequest, match="no format of a plot"):
        write_losses(sweep, tmp_path / "sweep.gif")
    assert not list(tmp_path.glob("sweep*"))
