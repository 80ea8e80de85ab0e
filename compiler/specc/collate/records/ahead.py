"""Work on some things at a time, and take the results in their order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

THREADS = min(4, len(os.sched_getaffinity(0)) + 1)
"""Pieces or batches worked on at a time, each in some 200 MiB. One more than there are CPUs: where
one waits for the file or for Python, none stands idle."""
_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")


def worked_ahead(
    work: Callable[[_Thing], _Made], things: Iterable[_Thing], *, threads: int = THREADS
) -> Iterator[_Made]:
    """Yield what `work` makes of each; at most one more than `threads` wait to be taken.

    things: taken in the thread of the caller, when there is room.
    """
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[_Made]] = deque()
        left = iter(things)
        while True:
            for thing in islice(left, threads + 1 - len(ahead)):
                ahead.append(pool.submit(work, thing))
            if not ahead:
                return
            yield ahead.popleft().result()
