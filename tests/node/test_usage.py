"""What an attempt used of its node, as its last line in the journal says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundles
import pytest

MIB = 2**20
BUSY = """
end = time.process_time() + 0.3
while time.process_time() < end: pass
"""
LARGE = "held = b'x' * 150_000_000\n"


def usage(bundle: Path, event: str) -> dict[str, Any]:
    (found,) = [line for line in bundles.events(bundle) if line["event"] == event]
    told: dict[str, Any] = found["usage"]
    return told


def test_completed_attempt_tells_its_peak_memory(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [LARGE])
    bundles.run(bundle)
    assert 150_000_000 < usage(bundle, "task_completed")["max_rss_bytes"] < 250_000_000


def test_cpu_time_is_that_of_the_attempt(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [BUSY])
    bundles.run(bundle)
    told = usage(bundle, "task_completed")
    assert 0.3 <= told["user_s"] + told["system_s"] < 2


def test_programs_that_an_attempt_starts_are_counted(home: Path) -> None:
    code = f"import subprocess\nsubprocess.run([sys.executable, '-c', {LARGE!r}], check=True)"
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle)
    assert usage(bundle, "task_completed")["max_rss_bytes"] > 150_000_000


@pytest.mark.parametrize("end", ["raise ValueError('bad')", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_attempt_that_failed_tells_it_as_well(home: Path, end: str) -> None:
    bundle = bundles.make_bundle(home / "b", [LARGE + end])
    bundles.run(bundle)
    assert usage(bundle, "task_failed")["max_rss_bytes"] > 150_000_000


def test_attempt_of_a_warm_parent_tells_it_as_well(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [LARGE], warm=["json"])
    bundles.run(bundle)
    assert usage(bundle, "task_completed")["max_rss_bytes"] > 150_000_000


def test_each_attempt_has_its_own_usage(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [LARGE, "pass"])
    bundles.run(bundle)
    lines = [line for line in bundles.events(bundle) if line["event"] == "task_completed"]
    large, small = (line["usage"]["max_rss_bytes"] for line in lines)
    assert small < 100 * MIB < large


def test_reader_hands_it_on(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["pass"])
    bundles.run(bundle)
    (task,) = bundles.state(bundle).tasks.values()
    assert task.attempts[0].usage == usage(bundle, "task_completed")
