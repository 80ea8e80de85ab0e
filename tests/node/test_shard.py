"""A shard from its start to its exit code: what stands in its folder afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import bundles
import pytest

from specc_runtime.contract.launches import list_launches, read_launch
from specc_runtime.contract.progress import read_progress, totals
from specc_runtime.contract.verify import verify

RECORD = "attempt.record('metric', metric='x', value=1.5)"


def test_all_tasks_complete_and_the_code_is_0(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD] * 5, slots=2)
    done = bundles.run(bundle)
    assert done.returncode == 0, done.stderr
    assert bundles.states(bundle) == ["completed"] * 5


def test_rows_carry_task_attempt_and_clock(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    bundles.run(bundle)
    first, second = bundles.rows(bundle)[bundles.task_id(0)]
    assert (first["type"], first["slot"], first["neighbours"]) == ("attempt", 0, [])
    assert (second["type"], second["value"], second["attempt"]) == ("metric", 1.5, 1)
    assert first["t_ns"] <= second["t_ns"]


def test_second_launch_runs_nothing_again(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD] * 2)
    bundles.run(bundle)
    assert bundles.run(bundle).returncode == 0
    names = [event["event"] for event in bundles.events(bundle, launch=2)]
    assert names == ["launch_started", "task_reused", "task_reused", "launch_ended"]


def test_bundle_still_verifies_after_a_run(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    bundles.run(bundle)
    assert verify(bundle).clean


def test_one_shard_runs_only_its_own_tasks(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD] * 4, shards=2)
    assert bundles.run(bundle, "--shard", "1").returncode == 0
    assert bundles.states(bundle) == ["missing", "completed", "missing", "completed"]


def test_one_task_runs_alone(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD] * 3)
    assert bundles.run(bundle, "--task", bundles.task_id(1)).returncode == 0
    assert bundles.states(bundle) == ["missing", "completed", "missing"]


def test_task_is_printed_and_not_run(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    done = bundles.run(bundle, "--task", bundles.task_id(0)[:6], "--print")
    told = json.loads(done.stdout)
    assert told["axes"] == {"index": 0}
    assert told["runs_in"]["slot"]["cpus"] == 1
    assert told["runs_in"]["variables"]["OMP_NUM_THREADS"] == "1"
    assert not (bundle / "results").exists()


def test_a_task_tried_in_a_run_of_its_own_leaves_the_real_one_alone(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD] * 2)
    bundles.run(bundle)
    before = sorted(path for path in (bundle / "results/r1").rglob("*"))
    assert bundles.run(bundle, "--task", bundles.task_id(0), SPECC_RUN="debug").returncode == 0
    assert sorted(path for path in (bundle / "results/r1").rglob("*")) == before
    tried = bundles.state(bundle, "debug").tasks[bundles.task_id(0)]
    assert (tried.state, len(tried.attempts)) == ("completed", 1)


def test_shell_has_the_variables_of_the_task(home: Path) -> None:
    shell = home / "shell"
    shell.write_text('#!/bin/sh\necho "$SPECC_TASK_ID $HF_HUB_OFFLINE $OMP_NUM_THREADS"\n')
    shell.chmod(0o755)
    bundle = bundles.make_bundle(home / "b", [RECORD])
    done = bundles.run(bundle, "--task", bundles.task_id(0), "--shell", SHELL=str(shell))
    assert done.stdout == f"{bundles.task_id(0)} 1 1\n"


def test_launch_json_says_where_and_with_what(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    bundles.run(bundle, SLURM_JOB_ID="17", SLURM_JWT="secret", SLURM_JOB_END_TIME="99999999999")
    info = read_launch(list_launches(bundle / "results" / "r1")[0])
    assert info is not None
    assert info["slurm"]["SLURM_JOB_ID"] == "17"
    assert "secret" not in json.dumps(info)
    assert info["environment"]["mode"] == "inherit"
    assert info["bundle_verified"] == "full"
    assert info["network"] == "not isolated"


def test_progress_ends_at_100_percent(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD] * 2)
    done = bundles.run(bundle)
    progress = read_progress(bundles.launch_folder(bundle))
    assert progress is not None
    assert (progress["completed"], progress["percent"], progress["eta_s"]) == (2, 100.0, 0.0)
    assert "[2/2] 100 %" in done.stderr
    assert totals([bundles.state(bundle)]).percent == 100.0


def test_progress_as_json_lines(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    done = bundles.run(bundle, SPECC_PROGRESS="json")
    last = json.loads(done.stderr.splitlines()[-1])["progress"]
    assert (last["shard"], last["completed"]) == ("1-cpu-0000", 1)


def test_results_can_stand_elsewhere(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    bundles.run(bundle, SPECC_RESULTS=str(home / "scratch"), SPECC_RUN="again")
    found = bundles.find_runs(home / "scratch")
    assert [run.run_id for run in found] == ["again"]
    assert Path(found[0].path).parts[-2] == found[0].bundle_id
    assert not (bundle / "results").exists()


def test_cpus_and_threads_are_those_of_the_task(home: Path) -> None:
    code = (
        "attempt.record('metric', threads=os.environ['OMP_NUM_THREADS'],"
        " cpus=len(os.sched_getaffinity(0)), gpu=os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle, CUDA_VISIBLE_DEVICES="3")
    row = bundles.rows(bundle)[bundles.task_id(0)][1]
    assert (row["threads"], row["cpus"], row["gpu"]) == ("1", 1, "")


def test_slot_takes_the_entries_of_the_inherited_list(home: Path) -> None:
    code = (
        "attempt.record('metric', seen=os.environ['CUDA_VISIBLE_DEVICES'], gpu=attempt.gpu)\n"
        "time.sleep(0.3)"
    )
    bundle = bundles.make_bundle(home / "b", [code] * 2, slots=2, task={"gpus": 1})
    bundles.run(bundle, CUDA_VISIBLE_DEVICES="GPU-aa,MIG-bb")
    rows = [rows[1] for rows in bundles.rows(bundle).values()]
    assert sorted(row["seen"] for row in rows) == ["GPU-aa", "MIG-bb"]
    assert all(row["seen"] == row["gpu"] for row in rows)


def test_without_a_gpu_the_tasks_are_not_run(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD], task={"gpus": 1})
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="").returncode == 1
    task = bundles.state(bundle).tasks[bundles.task_id(0)]
    assert (task.state, task.reason) == ("not_run", "no CUDA device: a task needs 1, here are 0")


def test_kept_files_are_listed_with_their_hash(home: Path) -> None:
    code = "attempt.keep('a/x.txt').write_text('abc')\nattempt.keep('never')"
    bundle = bundles.make_bundle(home / "b", [code])
    bundles.run(bundle)
    done = bundles.state(bundle).tasks[bundles.task_id(0)].done
    assert done is not None
    assert [dict(a) for a in done.artefacts] == [
        {
            "path": f"tasks/{bundles.task_id(0)}/a/x.txt",
            "bytes": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
    ]


@pytest.mark.parametrize(
    ("which", "says"),
    [
        (("--shard", "7"), "no shard 7; shape 1-cpu has 1"),
        (("--task", "ffff"), "0 tasks have an id that starts with 'ffff'"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(
    home: Path, which: tuple[str, ...], says: str
) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    done = bundles.run(bundle, *which)
    assert (done.returncode, done.stderr) == (2, f"specc: {says}\n")


def test_bad_run_name_is_a_usage_error(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    done = bundles.run(bundle, SPECC_RUN="../x")
    assert done.returncode == 2
    assert "SPECC_RUN='../x'" in done.stderr
