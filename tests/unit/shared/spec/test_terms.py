"""How a job is to be done: what is taken, what is refused, and which queues a worker listens to."""

from __future__ import annotations

import pytest

from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.shared.spec.terms import parse_terms, split_terms
from stylefarm.worker.cli.queues import Choices, read_devices, read_labels
from stylefarm.worker.host.pin import VISIBLE, Slot

CPU, GPU = Slot("cpu0", {VISIBLE: ""}), Slot("gpu0", {VISIBLE: "GPU-a"})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("priority", 10, "less than or equal to 9"),
        ("priority", "high", "valid integer"),
        ("device", "tpu", "'auto', 'cpu' or 'gpu'"),
        ("label", "No Good", "must be small letters, digits, - and _"),
        ("prioritty", 3, "did you mean 'priority'"),
    ],
)
def test_wrong_terms_are_refused_in_a_sentence(field: str, value: object, message: str) -> None:
    """Given a term that is wrong, I expect a sentence that names it."""
    with pytest.raises(InvalidSpec, match=message) as refused:
        parse_terms({field: value})
    assert field in str(refused.value)
    assert "\n" not in str(refused.value)


def test_terms_are_told_from_the_spec() -> None:
    """Given fields of both kinds, I expect them apart."""
    assert split_terms({"priority": 3, "size": 64}) == ({"priority": 3}, {"size": 64})


@pytest.mark.parametrize(
    ("choices", "slot", "queues"),
    [
        (Choices(), CPU, ["stylefarm.auto", "stylefarm.cpu"]),
        (Choices(), GPU, ["stylefarm.auto", "stylefarm.gpu"]),
        (Choices(("gpu", "cpu")), GPU, ["stylefarm.gpu"]),
        (Choices(("gpu",), ("night",)), GPU, ["stylefarm.gpu", "stylefarm.gpu.night"]),
    ],
)
def test_a_slot_listens_to_what_it_can_render(choices: Choices, slot: Slot, queues: list[str]) -> None:
    """Given options and a slot, I expect the queues of jobs that it can render and was asked to."""
    assert choices.queues(slot) == queues


def test_options_that_leave_nothing_are_refused() -> None:
    """Given queues or labels that are none, or that leave a slot nothing to do, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="would take no jobs"):
        Choices(("gpu",)).queues(CPU)
    with pytest.raises(InvalidRequest, match="no queue is called 'gpus'"):
        read_devices(None, None, "auto,gpus")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="the label 'Night' is none"):
        read_labels(None, None, "Night")  # type: ignore[arg-type]
