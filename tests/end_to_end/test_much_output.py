"""Programs that print much, or on and on: no number is lost, and nobody waits without end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from path import SPEC, compiled, records, run_script

ONE = SPEC.replace("left: [1, 2, 3], right: [10, 20]", "left: [1], right: [10]")


def _spec(*lines: str) -> str:
    return ONE.replace("script: |\n", "script: |\n" + "".join(f"    {line}\n" for line in lines))


def test_a_last_number_survives_a_pool_that_is_slow_to_take_the_output(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, _spec("sleep 1", "head -c 100000 /dev/zero | tr '\\0' '\\n'"))
    process = subprocess.Popen(["bash", "job.sbatch", "--here"], cwd=bundle)
    end = time.monotonic() + 20
    while not (found := list(bundle.glob("results/r1/*/launch-001/launch.json"))):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.4)
    pool = json.loads(found[0].read_text())["pid"]
    os.kill(pool, signal.SIGSTOP)
    time.sleep(4)
    os.kill(pool, signal.SIGCONT)
    assert process.wait(timeout=60) == 0
    assert [row["value"] for row in records(bundle, "metric")] == [11.0]


def test_a_descendant_that_prints_on_and_on_is_not_waited_for(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, _spec("setsid yes '{\"total\": 11}' &", "sleep 0.2"))
    began = time.monotonic()
    assert run_script(bundle).returncode == 0
    assert time.monotonic() - began < 25
    assert {row["value"] for row in records(bundle, "metric")} == {11.0}


def test_programs_that_never_pause_meet_their_time_limit(tmp_path: Path) -> None:
    text = _spec("yes & yes & exec yes").replace("time_limit: 30s", "time_limit: 2s")
    bundle = compiled(
        tmp_path, text.replace("from: json_lines", "from: json_lines, required: false")
    )
    began = time.monotonic()
    assert run_script(bundle, SPECC_GRACE_S="1").returncode == 1
    assert time.monotonic() - began < 25
