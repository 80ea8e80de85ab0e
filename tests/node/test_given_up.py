"""What a launch takes up again, and what it gives up: attempts are counted over all launches."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bundles
import pytest

RECORD = "attempt.record('metric', n=1)"
GPU_FAULT = "raise TaskError('gpu', 'the device fell off the bus')"
WAITS = "time.sleep(60)"


def fails_until(flag: Path) -> str:
    return f"assert os.path.exists({str(flag)!r})"


def tries(bundle: Path, index: int = 0) -> list[tuple[int, str]]:
    """Number and outcome of each attempt of a task."""
    attempts = bundles.state(bundle).tasks[bundles.task_id(index)].attempts
    return [(attempt.attempt, attempt.outcome) for attempt in attempts]


def with_attempts(bundle: Path, used: int) -> Path:
    """Let the task table say that bundles before this one used up attempts of each task."""
    table = bundle / "tasks.jsonl"
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    table.write_text("".join(json.dumps({**row, "attempts": used}) + "\n" for row in rows))
    told: Mapping[str, Any] = json.loads((bundle / "manifest.json").read_text())
    for name in ("manifest.json", "manifest-sha256.txt"):
        (bundle / name).unlink()
    bundles.seal(bundle, told["predicate"])
    return bundle


def test_a_failed_task_is_given_up_and_the_code_stays_1(home: Path) -> None:
    flag = home / "flag"
    bundle = bundles.make_bundle(home / "b", [fails_until(flag), RECORD])
    assert bundles.run(bundle).returncode == 1
    flag.touch()
    again = bundles.run(bundle)
    assert (again.returncode, tries(bundle)) == (1, [(1, "failed")])
    assert "1 task has used up the attempts that on_failure allows" in again.stderr
    last = bundles.events(bundle, 2)[-1]
    assert (last["exit_code"], last["reason"]) == (1, "1 task has failed before")
    assert (last["counts"]["completed"], last["counts"]["failed"]) == (1, 1)


def test_again_gives_it_one_more_attempt(home: Path) -> None:
    flag = home / "flag"
    bundle = bundles.make_bundle(home / "b", [fails_until(flag), RECORD])
    bundles.run(bundle)
    assert bundles.run(bundle, SPECC_AGAIN="1").returncode == 1
    flag.touch()
    assert bundles.run(bundle, SPECC_AGAIN="1").returncode == 0
    assert tries(bundle) == [(1, "failed"), (2, "failed"), (3, "completed")]


def test_a_task_that_is_asked_for_by_name_is_tried_again(home: Path) -> None:
    flag = home / "flag"
    bundle = bundles.make_bundle(home / "b", [fails_until(flag), RECORD])
    bundles.run(bundle)
    flag.touch()
    assert bundles.run(bundle, "--task", bundles.task_id(0)).returncode == 0


def test_within_one_job_a_task_gets_its_one_more_attempt_once(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", ["raise ValueError"])
    bundles.run(bundle, SLURM_JOB_ID="6")
    for restart in ("0", "1"):
        bundles.run(bundle, SPECC_AGAIN="1", SLURM_JOB_ID="7", SLURM_RESTART_COUNT=restart)
    assert tries(bundle) == [(1, "failed"), (2, "failed")]


def test_a_stopped_task_is_taken_up_and_loses_no_attempt(home: Path) -> None:
    code = f"{WAITS} if attempt.number < 3 else None"
    bundle = bundles.make_bundle(home / "b", [code])
    for number in (1, 2):
        process = bundles.start(bundle)
        journal = bundles.launch_folder(bundle, number) / "events.jsonl"
        bundles.wait_for(lambda path=journal: path.exists() and "task_started" in path.read_text())
        assert bundles.end(process)[0] == 75
    assert bundles.run(bundle).returncode == 0
    assert tries(bundle) == [(1, "failed"), (2, "failed"), (3, "completed")]


@pytest.mark.parametrize(("used", "in_all"), [(0, 3), (1, 2), (2, 1), (7, 1)])
def test_attempts_of_earlier_bundles_count(home: Path, used: int, in_all: int) -> None:
    predicate = {"on_failure": {"transient": {"attempts": 3}}}
    bundle = bundles.make_bundle(home / "b", [GPU_FAULT], predicate=predicate)
    assert bundles.run(with_attempts(bundle, used)).returncode == 1
    assert tries(bundle) == [(number, "failed") for number in range(1, in_all + 1)]
    # the next launch finds them used up
    assert bundles.run(bundle).returncode == 1
    assert len(tries(bundle)) == in_all


def test_a_failed_task_does_not_keep_the_others_from_being_taken_up(home: Path) -> None:
    code = f"{WAITS} if attempt.number == 1 else None"
    bundle = bundles.make_bundle(home / "b", ["raise ValueError", code, RECORD])
    process = bundles.start(bundle)
    journal = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: journal.exists() and journal.read_text().count('"task_started"') == 2)
    assert bundles.end(process)[0] == 75
    assert bundles.run(bundle).returncode == 1
    assert bundles.states(bundle) == ["failed", "completed", "completed"]


@pytest.mark.parametrize(
    ("rule", "tried"), [({"attempts": 3}, 3), ({"attempts": 3, "task.memory": "x2"}, 1)]
)
def test_a_rule_of_attempts_alone_is_followed_in_the_run(
    home: Path, rule: Mapping[str, Any], tried: int
) -> None:
    predicate = {"on_failure": {"program": rule}}
    bundle = bundles.make_bundle(home / "b", ["raise ValueError"], predicate=predicate)
    assert bundles.run(bundle).returncode == 1
    assert tries(bundle) == [(number, "failed") for number in range(1, tried + 1)]


@pytest.mark.parametrize(
    ("state", "takes_up"),
    [("OUT_OF_MEMORY", 0), ("TIMEOUT", 0), ("NODE_FAIL", 1), ("BOOT_FAIL", 1)],
)
def test_what_slurm_said_of_a_job_decides_about_the_task_that_it_cut_off(
    home: Path, state: str, takes_up: int
) -> None:
    code = f"{WAITS} if attempt.number == 1 else None"
    bundle = bundles.make_bundle(home / "b", [code])
    process = bundles.start(bundle, SLURM_JOB_ID="17")
    journal = bundles.launch_folder(bundle) / "events.jsonl"
    bundles.wait_for(lambda: journal.exists() and "task_started" in journal.read_text())
    assert bundles.end(process, signal.SIGKILL)[0] == -signal.SIGKILL
    words = bundle / "results" / "r1" / "slurm"
    words.mkdir()
    (words / "17.sacct.txt").write_text(f"JobID|State|ExitCode\n17|{state}|0:125\n")
    ended = bundles.run(bundle)
    assert ended.returncode == 1 - takes_up
    assert len(tries(bundle)) == 1 + takes_up
    assert ("used up the attempts" in ended.stderr) is not bool(takes_up)
