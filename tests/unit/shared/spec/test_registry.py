"""Registries: built-in names, those of other packages, and what is said of unknown ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.builtin import LOSS_ENTRIES, LOSSES, METHODS, OPTIMIZERS, auto_weight
from stylefarm.shared.spec.registry import load_target
from stylefarm.shared.spec.spec import parse_spec


@pytest.mark.parametrize("target", [*LOSSES.builtin.values(), *METHODS.builtin.values()])
def test_every_builtin_target_is_a_class(target: str) -> None:
    """given the table of built-in names; if each is imported; I expect a class."""
    assert isinstance(load_target(target), type)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_a_class(name: str) -> None:
    """given the table of optimizers; if each is imported; I expect a class."""
    assert isinstance(load_target(OPTIMIZERS[name].target), type)


def test_a_name_that_nobody_provides_is_said_in_a_sentence() -> None:
    """given names that no package provides; if a spec asks for them; I expect the nearest name, or all of them."""
    with pytest.raises(InvalidSpec, match="no style loss 'gramm': did you mean 'gram'"):
        parse_spec({"content": "a", "style": "b", "style_loss": "gramm"})
    with pytest.raises(InvalidSpec, match="no method 'xyz'; known are gatys"):
        parse_spec({"content": "a", "style": "b", "method": "xyz"})


def test_a_loss_that_nobody_measured_has_a_weight() -> None:
    """given a loss of another package; if its weight is auto; I expect one."""
    assert auto_weight("wasserstein") == LOSS_ENTRIES["wasserstein"].auto_weight
    assert auto_weight("somebody's") > 0


def test_a_package_that_fails_to_import_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """given a package whose import fails; if its loss is loaded; I expect its name and the reason."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[stylefarm.losses]\nbroken = broken_losses:Loss\n")
    (tmp_path / "broken_losses.py").write_text("raise RuntimeError('no such luck')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "broken" in LOSSES
    assert [(p.name, p.distribution) for p in LOSSES.plugins()] == [("broken", "broken 1.0")]
    with pytest.raises(InvalidSpec, match=r"the style loss .broken. failed to load .RuntimeError: no such luck"):
        LOSSES.load("broken")
