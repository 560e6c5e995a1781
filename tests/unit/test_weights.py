"""Files of weights: what is taken out of them, and what damaged ones say."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FarmError, InvalidRequest
from worker.engine.weights import load_state

STATE = {"features.0.weight": torch.arange(8.0).reshape(2, 4), "features.0.bias": torch.ones(2)}
CLASSIFIER = {"classifier.0.weight": torch.zeros(3)}


def pickled(*, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save({**STATE, **CLASSIFIER}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


FILES = {
    "zip": pickled(zipped=True),
    "pickle": pickled(zipped=False),
    "safetensors": safetensors.torch.save({**STATE, **CLASSIFIER}),
}


@pytest.mark.parametrize("kind", FILES)
def test_only_the_features_are_kept(kind: str, tmp_path: Path) -> None:
    """Given a file with a classifier, if it is loaded, I expect the tensors of the features, and no others."""
    (tmp_path / "weights").write_bytes(FILES[kind])
    state = load_state(tmp_path / "weights")
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], value) for name, value in STATE.items())


@pytest.mark.parametrize("kind", FILES)
@given(data=st.data())
def test_a_file_that_is_cut_off_says_so(
    kind: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Given a file of weights, if it ends too early, I expect an InvalidRequest."""
    whole = FILES[kind]
    path = tmp_path_factory.getbasetemp() / f"cut-{kind}"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InvalidRequest, match="the file is damaged"):
        load_state(path)


@given(st.binary() | st.sampled_from([b"PK", b"\x80\x02"]).flatmap(lambda head: st.binary().map(head.__add__)))
def test_nothing_but_our_own_errors_comes_out(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Given a file of any bytes, also behind the first two of a pickle or a zip, I expect a FarmError, if any."""
    path = tmp_path_factory.getbasetemp() / "any-weights"
    path.write_bytes(content)
    try:
        load_state(path)
    except FarmError as error:
        assert isinstance(error, InvalidRequest)


def test_a_file_that_is_gone_is_no_traceback(tmp_path: Path) -> None:
    """Given no file at all, I expect an InvalidRequest that names the cause."""
    with pytest.raises(InvalidRequest, match="FileNotFoundError"):
        load_state(tmp_path / "none")
