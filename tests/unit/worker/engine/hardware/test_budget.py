"""How pictures are made to fit into memory, and what is kept between them."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.worker.engine.hardware.budget import USABLE, choose_plan, largest_edge
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.networks.memory_plan import Workload
from stylefarm.worker.engine.networks.vgg import convolutions
from stylefarm.worker.engine.networks.vgg_memory import VggMemory

LAYERS = frozenset({"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1"})

NETWORK = VggMemory(convolutions("vgg19")[:13], LAYERS, "winograd")


def work(height: int, width: int, *, needs_whole: bool = False) -> Workload:
    return Workload(height, width, frozenset({"relu4_2"}), 4, needs_whole=needs_whole)


@given(st.integers(16, 6000), st.integers(16, 6000), st.integers(10**8, 10**11))
def test_what_is_chosen_fits_and_nothing_faster_does(height: int, width: int, available: int) -> None:
    """given any picture and memory; if a way is chosen; I expect the first of all plans that fits."""
    wanted = work(height, width)
    chosen = choose_plan(NETWORK, wanted, available)
    plans = NETWORK.memory_plans(wanted)
    if chosen is None:
        assert all(plan.bytes > USABLE * available for plan in plans)
    else:
        assert chosen.bytes <= USABLE * available
        assert all(plan.bytes > USABLE * available for plan in plans[: plans.index(chosen)])


@given(st.integers(64, 6000), st.integers(64, 6000), st.integers(10**8, 10**10))
def test_the_largest_edge_fits_and_sixteen_more_do_not(height: int, width: int, available: int) -> None:
    """given a picture that does not fit; if the largest edge is asked for; I expect one that does, and only just."""
    wanted = work(height, width)
    edge = largest_edge(NETWORK, wanted, available)
    longest = max(height, width)

    def at(size: int) -> Workload:
        return work(max(1, round(height * size / longest)), max(1, round(width * size / longest)))

    if edge:
        assert choose_plan(NETWORK, at(edge), available) is not None
    if edge + 16 <= longest:
        assert choose_plan(NETWORK, at(edge + 16), available) is None


def test_a_loss_that_needs_the_whole_is_never_cut() -> None:
    """given a loss over samples; if little memory is left; I expect no strips."""
    assert choose_plan(NETWORK, work(2000, 2000), 3 << 30) is not None
    assert choose_plan(NETWORK, work(2000, 2000, needs_whole=True), 3 << 30) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=40))
def test_the_cache_holds_no_more_than_its_capacity(asked: list[tuple[int, int]]) -> None:
    """given a bounded cache; if tensors of all sizes are asked for; I expect it bounded, and never a wrong value."""
    cache = TargetCache(100)
    for key, size in asked:
        made = {"layer": torch.full((size,), key, dtype=torch.uint8)}
        found = cache.get((key, size), lambda made=made: made)  # type: ignore[misc]
        assert found["layer"].tolist() == [key] * size
        assert cache.held <= 100
    cache.clear()
    assert cache.held == 0


def test_what_was_read_is_not_read_again() -> None:
    """given a cache; if the same picture is asked for twice; I expect that it is read once."""
    cache = TargetCache(1000)
    first = cache.get("a", lambda: {"layer": torch.ones(3)})
    assert cache.get("a", lambda: {"layer": torch.zeros(3)}) is first
