"""Threads side by side, each with a worker of its own, in place of torch's threads inside it.

Operations on small tensors gain little from being shared out, and NumPy's gain nothing: whole
pieces of a job side by side use the processor better. The results are the same.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def in_lanes(
    make_worker: Callable[[threading.Event], Callable[[Unit], Result]],
    units: Sequence[Unit],
    *,
    lanes: int,
) -> Iterator[tuple[Unit, Result]]:
    """Yield each unit with what a worker makes of it, in order.

    No gradients are kept. The lanes share torch's threads out among themselves, and torch has all
    of them again afterwards.

    Args:
        make_worker: called once in each lane; its worker must not share what it changes. The
            event is set when nobody waits for results any more: a worker whose units take long
            looks at it and raises, so that a signal ends the run soon.
        units: pieces of the job.
        lanes: how many are done at the same time; with one it all happens in the calling thread.

    Example:
        >>> list(in_lanes(lambda left: abs, [-3, 2], lanes=2))
        [(-3, 3), (2, 2)]
    """
    left = threading.Event()
    if lanes < 2:
        with torch.no_grad():
            worker = make_worker(left)
        for unit in units:
            with torch.no_grad():
                result = worker(unit)
            yield unit, result
        return
    threads, own = torch.get_num_threads(), threading.local()

    @torch.no_grad()
    def work(unit: Unit) -> Result:
        if not hasattr(own, "worker"):
            torch.set_num_threads(max(1, threads // lanes))
            own.worker = make_worker(left)
        found: Result = own.worker(unit)
        return found

    pool = ThreadPoolExecutor(lanes)
    try:
        yield from zip(units, pool.map(work, units), strict=True)
    finally:
        left.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
