"""Work side by side: the same results in the same order, and torch's threads as before."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from pacbayes.runtime.lanes import in_lanes


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("lanes", [1, 2, 3, 7])
def test_results_come_in_order(lanes: int) -> None:
    units = [5, 1, 4, 1, 3]
    found = list(in_lanes(lambda left: lambda unit: unit**2, units, lanes=lanes))
    assert found == [(5, 25), (1, 1), (4, 16), (1, 1), (3, 9)]


def test_each_lane_has_a_worker_of_its_own(four_threads: None) -> None:
    meeting = threading.Barrier(2, timeout=30)

    def worker(left: threading.Event) -> Callable[[int], tuple[int, int]]:
        mine = threading.get_ident()

        def work(unit: int) -> tuple[int, int]:
            meeting.wait()  # nobody goes on before the other lane has a unit, too
            assert mine == threading.get_ident()
            return mine, torch.get_num_threads()

        return work

    found = [result for _, result in in_lanes(worker, range(6), lanes=2)]
    assert len({thread for thread, _ in found}) == 2
    assert {threads for _, threads in found} == {2}
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("lanes", [1, 2])
def test_no_gradients_are_kept(lanes: int) -> None:
    weight = torch.ones((), requires_grad=True)
    found = list(in_lanes(lambda left: lambda unit: unit * weight, [2.0], lanes=lanes))
    assert not found[0][1].requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("lanes", [1, 2])
def test_what_a_worker_raises_comes_out(lanes: int, four_threads: None) -> None:
    done: list[int] = []

    def work(unit: int) -> int:
        if unit == 1:
            raise ZeroDivisionError("unit 1")
        done.append(unit)
        return unit

    with pytest.raises(ZeroDivisionError, match="unit 1"):
        list(in_lanes(lambda left: work, range(1000), lanes=lanes))
    assert len(done) < 999
    assert torch.get_num_threads() == 4


def test_what_making_a_worker_raises_comes_out() -> None:
    def worker(left: threading.Event) -> Callable[[int], int]:
        raise ZeroDivisionError("no worker")

    with pytest.raises(ZeroDivisionError, match="no worker"):
        list(in_lanes(worker, range(3), lanes=2))


def test_leaving_early_leaves_torchs_threads_as_they_were(four_threads: None) -> None:
    results = in_lanes(lambda left: lambda unit: unit, range(50), lanes=2)
    assert next(results) == (0, 0)
    results.close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == 4


def test_workers_hear_that_nobody_waits_any_more() -> None:
    """Each unit but the first ends by the event alone; the first waits until another has begun."""
    heard: list[int] = []
    begun = threading.Event()

    def worker(left: threading.Event) -> Callable[[int], int]:
        def work(unit: int) -> int:
            if unit == 0:
                assert begun.wait(timeout=30)
            else:
                begun.set()
                heard.append(unit if left.wait(timeout=30) else -1)
            return unit

        return work

    results = in_lanes(worker, range(50), lanes=2)
    assert next(results) == (0, 0)
    results.close()  # type: ignore[attr-defined]
    assert heard
    assert -1 not in heard
