"""The examples in the engine's docstrings, run as they stand there."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import torch

from stylefarm.worker import engine


def test_the_examples_of_the_engine_are_right() -> None:
    """given every module of the engine; if the examples of its docstrings are run; I expect what they show."""
    names = [module.name for module in pkgutil.walk_packages(engine.__path__, f"{engine.__name__}.")]
    attempted = 0
    for name in names:
        module = importlib.import_module(name)
        # Examples that draw at random hold for any numbers; a fixed seed keeps a failure reproducible.
        torch.manual_seed(0)
        result = doctest.testmod(module, extraglobs={"torch": torch}, optionflags=doctest.ELLIPSIS)
        assert result.failed == 0, name
        attempted += result.attempted
    assert attempted > 60
