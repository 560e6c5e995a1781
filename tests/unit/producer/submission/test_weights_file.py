"""The network of a file of weights, told without torch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylefarm.producer.submission.weights_file import TELLING_NAMES, network_of
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.networks import Architecture
from stylefarm.worker.engine.networks.conversion import convert
from stylefarm.worker.engine.networks.weights import expected_tensors, read_weights
from tests.weights_files import keras_arrays, squeezenet_state, state_dict, write_keras, write_torch

NETWORKS: tuple[Architecture, ...] = ("vgg19", "vgg16", "squeezenet")


def of(architecture: Architecture) -> dict[str, torch.Tensor]:
    return dict(squeezenet_state() if architecture == "squeezenet" else state_dict(architecture))


def of_old_torch(path: Path, architecture: Architecture) -> None:
    torch.save(of(architecture), path, _use_new_zipfile_serialization=False)


def of_the_farm(path: Path, architecture: Architecture) -> None:
    write_torch(path, of(architecture))
    path.write_bytes(convert(read_weights(path))[1])


WRITERS: dict[str, Callable[[Path, Architecture], object]] = {
    "torch": lambda path, architecture: write_torch(path, of(architecture)),
    "old torch": of_old_torch,
    "safetensors": lambda path, architecture: safetensors.torch.save_file(of(architecture), path),
    "the farm": of_the_farm,
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("architecture", NETWORKS)
def test_each_format_tells_its_network(tmp_path: Path, kind: str, architecture: Architecture) -> None:
    """Given a network in each format that it is found in, I expect its name."""
    WRITERS[kind](tmp_path / "w", architecture)
    assert network_of(tmp_path / "w") == architecture


def test_a_file_of_keras_is_squeezenet_s(tmp_path: Path) -> None:
    """Given SqueezeNet as Keras keeps it, I expect SqueezeNet."""
    assert network_of(write_keras(tmp_path / "w", keras_arrays(squeezenet_state()))) == "squeezenet"


def test_the_telling_names_are_of_one_network_each() -> None:
    """Given the tensors of all networks, I expect each telling name in one of them."""
    for architecture, name in TELLING_NAMES.items():
        assert [other for other in NETWORKS if name in expected_tensors(other)] == [architecture]


@pytest.mark.parametrize("text", ["no weights", "{", ""])
def test_what_is_no_file_of_weights_is_refused(tmp_path: Path, text: str) -> None:
    """Given a file of something else, I expect a sentence."""
    (tmp_path / "w").write_text(text)
    with pytest.raises(InvalidRequest, match="w is no file of weights: give one that"):
        network_of(tmp_path / "w")


@pytest.mark.parametrize(
    "header", [b'{"a": ' + b"[" * 200_000, b"{", b'{"__metadata__": {"stylefarm": "[]"}}', b'{"__metadata__": 3}']
)
def test_a_strange_header_tells_nothing(tmp_path: Path, header: bytes) -> None:
    """Given a header of safetensors that is damaged, or says nothing of a network, I expect no answer."""
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header)
    assert network_of(tmp_path / "w") is None


def test_metadata_go_before_names(tmp_path: Path) -> None:
    """Given metadata of the farm that name a network, I expect that one."""
    header = json.dumps({"__metadata__": {"stylefarm": json.dumps({"architecture": "vgg16"})}}).encode()
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header)
    assert network_of(tmp_path / "w") == "vgg16"


def test_code_in_a_pickle_does_not_run(tmp_path: Path) -> None:
    """Given pickles that run a command where they are unpickled, I expect none run, and the name found."""

    class Command:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'trapped'}",)

    for is_zip in (True, False):
        state = {"features.3.squeeze.weight": Command()}
        torch.save(state, tmp_path / "w", _use_new_zipfile_serialization=is_zip)
        assert network_of(tmp_path / "w") == "squeezenet"
    assert not (tmp_path / "trapped").exists()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_but_our_own_errors_comes_out(tmp_path: Path, data: st.DataObject) -> None:
    """Given a ZIP of torch.save with some bytes changed and some cut off, I expect an answer or a sentence."""
    whole = write_torch(tmp_path / "whole", {"features.3.squeeze.weight": torch.zeros(2)}).read_bytes()
    changed = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(changed) - 1), st.integers(0, 255)))):
        changed[place] = value
    (tmp_path / "w").write_bytes(changed)
    with suppress(InvalidRequest):
        assert network_of(tmp_path / "w") in (None, "squeezenet")
