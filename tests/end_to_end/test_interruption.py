"""Ctrl-C and SIGTERM, from the first line of the job script to the last task."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from path import SPEC, SPECC, compiled, specc_json

SLOW = SPEC.replace("script: |\n", "script: |\n    sleep 0.7; sleep 987.5 & wait; \n")


def started(bundle: Path) -> bool:
    return any(
        "task_started" in path.read_text()
        for path in bundle.glob("results/r1/*/launch-*/events.jsonl")
    )


def wait_until_started(bundle: Path) -> None:
    deadline = time.monotonic() + 30
    while not started(bundle):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)


def sleepers() -> list[str]:
    """Programs of the tasks that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if words == b"sleep\x00987.5\x00":
            found.append(path.parent.name)
    return found


def last_event(bundle: Path) -> dict[str, object]:
    (journal,) = bundle.glob("results/r1/*/launch-*/events.jsonl")
    loaded: dict[str, object] = json.loads(journal.read_text().splitlines()[-1])
    return loaded


def test_ctrl_c_stops_a_run_its_script_and_its_tasks(tmp_path: Path) -> None:
    """A terminal sends the signal to the whole group at once."""
    bundle = compiled(tmp_path, SLOW)
    process = subprocess.Popen(
        [SPECC, "run", bundle], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_until_started(bundle)
    assert len(sleepers()) == 1
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert sleepers() == []
    end = last_event(bundle)
    assert (end["event"], end["exit_code"]) == ("launch_ended", 130)
    assert specc_json("status", bundle)["running"] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_the_job_script_ends_in_order_as_early_as_it_can(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """The signal comes while the script checks the bundle with coreutils, here slow ones."""
    bundle = compiled(tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    stub = tools / "sha256sum"
    stub.write_text(
        '#!/bin/sh\necho here >"$0.called"\n/bin/sleep 1\nexec /usr/bin/sha256sum "$@"\n'
    )
    stub.chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        ["bash", "job.sbatch", "--here"], cwd=bundle, env=env, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while not (tools / "sha256sum.called").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(30) == code
    assert not (bundle / "results").exists()
