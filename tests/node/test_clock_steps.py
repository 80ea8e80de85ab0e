"""A wall clock that steps back by an hour while tasks run: nothing is decided by it.

The clock is the one that the bundle's own interpreter reads; the machine's is left alone.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import bundles

# once the file is there it is an hour earlier
_STEP = """\
import os, time

_time, _time_ns = time.time, time.time_ns
_step = lambda: 3600 if os.path.exists({flag!r}) else 0
time.time = lambda: _time() - _step()
time.time_ns = lambda: _time_ns() - _step() * 10**9
"""
RECORD = "attempt.record('metric', n=1)"


def a_bundle(folder: Path, codes: list[str], **task: float) -> Path:
    """A bundle whose runtime reads a clock that steps when a task touches `stepped`."""
    name = "runtime/specc_runtime/__main__.py"
    text = (bundles.RUNTIME / "__main__.py").read_text()
    first = "from __future__ import annotations\n"
    assert first in text
    text = text.replace(first, first + _STEP.format(flag=str(folder.parent / "stepped")), 1)
    return bundles.make_bundle(folder, codes, task=task, files={name: text})


def touch(path: Path) -> str:
    return f"open({str(path)!r}, 'w').close()\n"


def test_a_step_back_of_the_clock_decides_nothing(home: Path) -> None:
    codes = [RECORD, touch(home / "stepped"), RECORD, "time.sleep(60)"]
    bundle = a_bundle(home / "b", codes, time_limit_s=2)
    began = time.monotonic()
    assert bundles.run(bundle).returncode == 1
    # the time limit was that of a monotonic clock
    assert time.monotonic() - began < 20
    assert bundles.states(bundle) == ["completed"] * 3 + ["failed"]
    failed = bundles.failure(bundle)
    assert failed["category"] == "timeout"
    assert 1.9 < failed["duration_s"] < 10
    lines = bundles.events(bundle)
    steps = [b["epoch_ns"] - a["epoch_ns"] for a, b in itertools.pairwise(lines)]
    assert min(steps) < -3590e9
    assert all(a["t_ns"] <= b["t_ns"] for a, b in itertools.pairwise(lines))


def test_launches_are_in_order_by_number_though_the_later_one_is_earlier(home: Path) -> None:
    flag = home / "flag"
    bundle = a_bundle(home / "b", [f"assert os.path.exists({str(flag)!r})", RECORD])
    assert bundles.run(bundle).returncode == 1
    flag.touch()
    (home / "stepped").touch()
    assert bundles.run(bundle, SPECC_AGAIN="1").returncode == 0
    attempts = bundles.state(bundle).tasks[bundles.task_id(0)].attempts
    assert [(a.attempt, a.outcome) for a in attempts] == [(1, "failed"), (2, "completed")]
    assert attempts[0].started_epoch_ns > attempts[1].started_epoch_ns
    assert bundles.states(bundle) == ["completed", "completed"]


def test_a_deadline_is_kept_though_the_clock_says_there_is_an_hour_more(home: Path) -> None:
    bundle = a_bundle(home / "b", [touch(home / "stepped") + "time.sleep(60)"])
    began = time.monotonic()
    end = str(int(time.time()) + 12)
    done = bundles.run(bundle, SLURM_JOB_ID="5", SLURM_JOB_END_TIME=end, SPECC_GRACE_S="1")
    assert done.returncode == 75
    assert time.monotonic() - began < 12
    assert bundles.failure(bundle)["message"] == "stopped by deadline"
