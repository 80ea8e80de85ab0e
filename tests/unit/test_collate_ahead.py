"""What collate works on at a time, and the memory that it keeps for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from threading import Event

import pytest

from specc.collate.records.ahead import worked_ahead

SETTING = "_RJEM_MALLOC_CONF"


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


@pytest.mark.parametrize(
    ("given", "left"), [({}, "True None\n"), ({SETTING: "narenas:2"}, "True narenas:2\n")]
)
def test_what_collate_starts_sees_the_settings_of_the_user_alone(given: dict[str, str], left: str):
    others = {name: value for name, value in os.environ.items() if name != SETTING}
    asked = (
        "import os, sys; from specc.collate.memory import keep_memory; keep_memory();"
        f"print('polars' in sys.modules, os.environ.get({SETTING!r}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked],
        env={**others, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == left


def test_the_process_that_collates_looks_for_no_cycles():
    asked = (
        "import gc; from specc.collate.memory import keep_memory; keep_memory();"
        "print(gc.isenabled())"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
