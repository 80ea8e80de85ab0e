"""Which tasks go into the next bundle of a line, with which cure, and which are given up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from reruns import CLUSTER, a_study, again, done, failed_all, known, predicate, the_next
from results import ABundle

from specc.collate.finding.read import read
from specc.collate.values import ResultsInvalid
from specc.problems import ExitCode, SpecInvalid
from specc.rerun.describe import rerun_json, rerun_text
from specc.rerun.live import live_shards
from specc.rerun.pipeline import Rerun
from specc_runtime.contract.leases import OWNER

OOM = "on_failure: {oom_host: {task.memory: x2, attempts: 3}}\n"
TIMEOUT = "on_failure: {timeout: {task.time_limit: x1.5, attempts: 2}}\n"
GIB = 2**30


def fates(found: Rerun) -> dict[str, tuple[str, str]]:
    return {
        f"size {choice.task.row.axes['size']}": (choice.fate, choice.cause)
        for choice in found.choices
    }


def one_failed(bundle: ABundle, category: str, **fields: object) -> None:
    """Complete the first two tasks and let the third fail."""
    launch = bundle.run().launch()
    done(launch, bundle.tasks[0])
    done(launch, bundle.tasks[1])
    launch.fail(bundle.tasks[2], category, **fields)
    launch.end()


def test_exactly_what_failed_is_missing_or_invalid_goes_in_under_its_ids(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, "on_failure: {transient: {attempts: 3}}\n")
    launch = bundle.run().launch()
    done(launch, bundle.tasks[0])
    done(launch, bundle.tasks[1])
    launch.end()
    with launch.records.open("r+b") as file:
        file.seek(launch.records.stat().st_size - 20)
        file.write(b"9")
    found = again(bundle.path)
    assert fates(found) == {
        "size 1": ("done", "completed"),
        "size 2": ("again", "invalid"),
        "size 4": ("again", "missing"),
    }
    child = the_next(found)
    assert [t["task_id"] for t in child.tasks] == [t["task_id"] for t in bundle.tasks[1:]]
    assert [t["index"] for t in child.tasks] == [1, 2]
    assert predicate(child.path)["parent_bundle_id"] == bundle.bundle_id
    assert child.conditions == bundle.conditions


def test_a_factor_cures_the_task_and_what_its_job_asks_for(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, CLUSTER, OOM)
    one_failed(bundle, "oom_host")
    child = the_next(again(bundle.path))
    made = predicate(child.path)
    assert made["shapes"][0]["task"]["memory_bytes"] == 128 * GIB
    assert "#SBATCH --mem=131072M\n" in (child.path / "job.sbatch").read_text()
    assert made["cures"] == {
        bundle.tasks[2]["task_id"]: {
            "task.memory": [64 * GIB, 128 * GIB],
            "category": "oom_host",
            "condition_id": bundle.conditions["1-cpu"],
        }
    }


def test_only_the_shape_of_the_cured_task_changes(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, OOM)
    launch = bundle.run().launch()
    launch.fail(bundle.tasks[0], "oom_host")
    launch.end()
    child = the_next(again(bundle.path))
    memory = {
        shape["name"]: shape["task"]["memory_bytes"] // GIB
        for shape in predicate(child.path)["shapes"]
    }
    assert [memory[task["shape"]] for task in child.tasks] == [128, 64, 64]


def test_a_size_replaces_what_the_task_had(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, "on_failure: {oom_host: {task.memory: 100GiB}}\n")
    one_failed(bundle, "oom_host")
    child = the_next(again(bundle.path))
    assert predicate(child.path)["shapes"][0]["task"]["memory_bytes"] == 100 * GIB


def test_a_longer_time_limit_has_room_in_its_job(tmp_path: Path) -> None:
    task = "task: {estimate: 5min, time_limit: 50min}\njob: {time_limit: 1h}\n"
    bundle = a_study(tmp_path, CLUSTER, TIMEOUT, task=task)
    one_failed(bundle, "timeout")
    shape = predicate(the_next(again(bundle.path)).path)["shapes"][0]
    assert shape["task"]["time_limit_s"] == 75 * 60
    # it took at least as long as the old limit
    assert shape["task"]["estimate_s"] == 50 * 60
    # 75 min and a twentieth to start and stop
    assert shape["job"]["time_limit_s"] == 79 * 60


def test_cures_compound_over_generations(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, CLUSTER, OOM)
    one_failed(bundle, "oom_host")
    child = the_next(again(bundle.path))
    failed_all(child, "oom_host")
    grandchild = the_next(again(bundle.path, child.path))
    made = predicate(grandchild.path)
    assert made["shapes"][0]["task"]["memory_bytes"] == 256 * GIB
    assert made["parent_bundle_id"] == child.bundle_id
    (cure,) = made["cures"].values()
    assert cure["task.memory"] == [64 * GIB, 256 * GIB]
    assert cure["condition_id"] == bundle.conditions["1-cpu"]
    assert [task["attempts"] for task in grandchild.tasks] == [2]


def test_a_cure_that_was_never_tried_is_not_applied_twice(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, CLUSTER, OOM)
    failed_all(bundle, "oom_host")
    child = the_next(again(bundle.path))
    launch = child.run().launch()
    done(launch, child.tasks[0])
    launch.end()
    grandchild = the_next(again(bundle.path, child.path))
    made = predicate(grandchild.path)
    assert {shape["task"]["memory_bytes"] // GIB for shape in made["shapes"]} == {128}
    assert len(made["cures"]) == 2


def test_attempts_are_counted_over_the_line_and_then_given_up(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, TIMEOUT)
    one_failed(bundle, "timeout")
    child = the_next(again(bundle.path))
    failed_all(child, "timeout")
    found = again(bundle.path, child.path)
    assert (found.bundle, fates(found)["size 4"]) == (None, ("given_up", "timeout"))
    assert "1 x timeout: 2 of 2 attempts used" in rerun_text(found)
    once_more = the_next(again(bundle.path, child.path, again=True))
    # 10 min x 1.5 x 1.5
    assert predicate(once_more.path)["shapes"][0]["task"]["time_limit_s"] == 1350


def test_a_failure_without_a_cure_is_given_up_until_it_is_asked_for(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_failed(bundle, "program")
    found = again(bundle.path)
    assert fates(found)["size 4"] == ("given_up", "program")
    assert "no cure for program in on_failure" in rerun_text(found)
    assert found.path is None
    assert [t["index"] for t in the_next(again(bundle.path, again=True)).tasks] == [2]


@pytest.mark.parametrize("category", ["cancelled", "preempted", "disk"])
def test_what_was_stopped_runs_again_without_a_rule(tmp_path: Path, category: str) -> None:
    bundle = a_study(tmp_path)
    one_failed(bundle, category)
    found = again(bundle.path)
    assert fates(found)["size 4"] == ("again", category)
    assert "attempts" not in the_next(found).tasks[0]


def test_a_node_that_failed_is_no_reason_to_give_up(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_failed(bundle, "node", transient=True)
    assert fates(again(bundle.path))["size 4"] == ("again", "node")


def test_transient_failures_use_up_the_attempts_that_a_rule_states(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, "on_failure: {transient: {attempts: 1}}\n")
    one_failed(bundle, "node", transient=True)
    assert fates(again(bundle.path))["size 4"] == ("given_up", "node")


def test_a_cure_beyond_the_cluster_s_limit_is_an_error_with_both_figures(tmp_path: Path) -> None:
    task = "task: {memory: 256GiB, estimate: 1min}\njob: {time_limit: 1h}\n"
    bundle = a_study(tmp_path, CLUSTER, OOM, task=task)
    launch = bundle.run().launch()
    launch.fail(bundle.tasks[0], "oom_host")
    launch.end()
    with pytest.raises(SpecInvalid) as stopped:
        again(bundle.path)
    (problem,) = stopped.value.problems
    assert problem.code == "E320"
    assert problem.message == (
        "oom_host asks for task.memory 512GiB, limits.task.memory of meluxina is 480GiB;"
        f" tasks: {bundle.tasks[0]['task_id']}"
    )
    assert stopped.value.exit_code == ExitCode.BAD_SPEC
    found = again(bundle.path, give_up_capped=True)
    assert fates(found)["size 1"] == ("given_up", "oom_host")
    assert [t["index"] for t in the_next(found).tasks] == [1, 2]


def test_the_partition_caps_a_cure_as_well(tmp_path: Path) -> None:
    task = "task: {estimate: 50min, time_limit: 100min}\njob: {time_limit: 2h}\n"
    bundle = a_study(tmp_path, CLUSTER, TIMEOUT, task=task)
    one_failed(bundle, "timeout")
    with pytest.raises(SpecInvalid) as stopped:
        again(bundle.path)
    assert stopped.value.problems[0].message.startswith(
        "timeout asks for task.time_limit 02:30:00,"
        " but partition cpu of meluxina ends jobs after 02:00:00; tasks: "
    )


def test_a_factor_of_what_was_never_stated_is_given_up(tmp_path: Path) -> None:
    bundle = a_study(tmp_path, OOM, task="task: {estimate: 1min}\n")
    one_failed(bundle, "oom_host")
    found = again(bundle.path)
    assert fates(found)["size 4"] == ("given_up", "oom_host")
    assert "the spec states no task.memory" in rerun_text(found)


def test_nothing_to_do_is_said_and_no_bundle_made(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        done(launch, task)
    launch.end()
    found = again(bundle.path)
    assert rerun_text(found).startswith("nothing to run again: 3 of 3 tasks")
    assert rerun_json(found)["bundle"] is None
    assert list(bundle.path.parent.iterdir()) == [bundle.path]


def test_what_the_author_left_out_stays_out_and_what_the_run_put_off_goes_in(
    tmp_path: Path,
) -> None:
    bundle = a_study(tmp_path, only={"size": (1, 2)})
    launch = bundle.run().launch()
    done(launch, bundle.tasks[0])
    launch.event("task_not_run", task_id=bundle.tasks[1]["task_id"], reason="no server came up")
    launch.end()
    found = again(bundle.path)
    assert fates(found) == {"size 1": ("done", "completed"), "size 2": ("again", "missing")}


def test_equal_results_give_equal_bytes_anywhere(tmp_path: Path) -> None:
    bundle = a_study(tmp_path / "one", OOM)
    one_failed(bundle, "oom_host")
    other = tmp_path / "two" / "elsewhere" / bundle.path.name
    shutil.copytree(bundle.path, other)
    (tmp_path / "one" / "study.yaml").unlink()
    here, there = the_next(again(bundle.path)), the_next(again(other))
    assert here.bundle_id == there.bundle_id
    assert here.path != there.path
    resolved = "spec.resolved.yaml"
    assert (here.path / resolved).read_bytes() == (bundle.path / resolved).read_bytes()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    bundle.run().launch().end()
    found = again(bundle.path, dry_run=True)
    assert (found.path, len(rerun_json(found)["tasks"])) == (None, 3)
    assert list(bundle.path.parent.iterdir()) == [bundle.path]


def test_the_child_says_which_results_it_rests_on(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_failed(bundle, "cancelled")
    about = json.loads((the_next(again(bundle.path)).path / "compile.json").read_text())
    (origin,) = about["results"]
    assert (origin["bundle_id"], origin["run_id"]) == (bundle.bundle_id, "r1")
    assert len(origin["journals_sha256"]) == 64


def test_several_runs_want_a_choice(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    for run_id in ("r1", "r2"):
        launch = bundle.run(run_id).launch()
        done(launch, bundle.tasks[0])
        launch.end()
    with pytest.raises(ResultsInvalid, match="there are several runs: r1, r2"):
        again(bundle.path)
    found = again(bundle.path, run_id="r2")
    assert "SPECC_RUN=r2 ./submit.sh" in rerun_text(found)


def test_a_bundle_that_was_never_run_has_nothing_to_run_again(tmp_path: Path) -> None:
    with pytest.raises(ResultsInvalid, match="there are no results yet"):
        again(a_study(tmp_path).path)


def test_a_child_that_waits_to_be_run_is_not_compiled_again(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_failed(bundle, "cancelled")
    child = the_next(again(bundle.path))
    with pytest.raises(ResultsInvalid, match=f"{child.bundle_id} continues the line and has no"):
        again(bundle.path, child.path)


def test_the_parent_is_found_beside_a_child(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    one_failed(bundle, "cancelled")
    child = the_next(again(bundle.path))
    failed_all(child, "preempted")
    found = again(child.path)
    assert fates(found)["size 1"] == ("done", "completed")
    assert known(the_next(found).path).tasks[0]["axes"] == {"size": 4}


def test_a_shard_at_work_is_left_alone(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    done(launch, bundle.tasks[0])
    launch.start(bundle.tasks[1])
    lease = launch.path.parent / "lease" / "000001"
    lease.mkdir(parents=True)
    stat = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
    owner = {
        "host": os.uname().nodename,
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "pid_space": str(Path("/proc/self/ns/pid").readlink()),
        "pid": os.getpid(),
        "start_ticks": stat[19],
    }
    (lease / OWNER).write_text(json.dumps(owner))
    found = again(bundle.path)
    assert (found.bundle, fates(found)["size 4"]) == (None, ("running", "running"))
    assert len(the_next(again(bundle.path, include_running=True)).tasks) == 2


def test_a_heartbeat_that_goes_on_elsewhere_keeps_a_shard_at_work(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    launch = bundle.run().launch()
    launch.start(bundle.tasks[1])
    lease = launch.path.parent / "lease" / "000001"
    lease.mkdir(parents=True)
    (lease / OWNER).write_text(json.dumps({"host": "another", "boot_id": "x", "pid": 1}))
    runs = read([bundle.path]).runs
    assert live_shards(runs, watch_s=0.7) == set()
    script = f"n=0; while :; do n=$((n + 1)); echo $n >'{lease}/heartbeat'; sleep 0.1; done"
    with subprocess.Popen(["sh", "-c", script]) as beats:
        try:
            while not (lease / "heartbeat").exists():
                assert beats.poll() is None
            assert live_shards(runs, watch_s=30.0) == {(bundle.bundle_id, "1-cpu-0000")}
        finally:
            beats.kill()
    (lease / "released").touch()
    assert live_shards(runs, watch_s=0.0) == set()
