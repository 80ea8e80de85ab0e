"""What collate works on at a time, and the memory that it keeps for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from threading import Event

import pytest

from specc.collate.records.ahead import worked_ahead


def test_results_come_in_the_order_of_the_things():
    second_done = Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(60)
        if number == 1:
            second_done.set()
        return number * 10

    assert list(worked_ahead(work, range(4), threads=2)) == [0, 10, 20, 30]


def test_no_more_things_are_taken_than_are_worked_on():
    taken = []

    def things() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    results = worked_ahead(lambda number: number, things(), threads=2)
    assert [next(results), next(results)] == [0, 1]
    assert taken == [0, 1, 2, 3]


def test_what_goes_wrong_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError):
        list(worked_ahead(lambda number: 1 // number, [1, 0], threads=2))


def test_the_setting_of_the_allocator_is_seen_by_nothing_that_collate_starts():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; from specc.collate.memory import keep_memory; keep_memory();"
            "print('polars' in sys.modules, '_RJEM_MALLOC_CONF' in os.environ)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "True False\n"
