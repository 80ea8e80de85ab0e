"""Several tasks on a GPU and a node: who gets which entry and CPUs, and what GPUs that fail do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bundles
import gpus
import pytest

from specc_runtime.slots.devices import mig_entries
from specc_runtime.slots.slots import cpus_given, make_slots

MIG = "MIG-11111111-2222-3333-4444-555555555555"


def slots_of(share: float, number: int, listed: str, **task: Any) -> list[str | None]:
    shape = {"slots": number, "task": {"gpus": share, "cpus": 1, **task}}
    return [slot.gpu for slot in make_slots(shape, {"CUDA_VISIBLE_DEVICES": listed})]


def test_halves_of_two_gpus_are_four_slots_spread_over_both() -> None:
    assert slots_of(0.5, 4, "3,5") == ["3", "5", "3", "5"]


def test_a_task_never_takes_parts_of_two_gpus() -> None:
    assert slots_of(0.4, 9, "0,1") == ["0", "1", "0", "1"]


def test_fewer_tasks_than_would_fit_are_spread_all_the_same() -> None:
    assert slots_of(0.25, 4, "0,1") == ["0", "1", "0", "1"]


def test_entries_are_handed_on_as_they_were_found() -> None:
    assert slots_of(0.5, 4, f"GPU-abc,{MIG}") == ["GPU-abc", MIG, "GPU-abc", MIG]


def test_processes_of_one_task_get_a_gpu_each() -> None:
    shape = {"slots": 2, "task": {"gpus": 1, "cpus": 1, "processes_per_node": 2}}
    slots = make_slots(shape, {"CUDA_VISIBLE_DEVICES": "4,5,6,7"})
    assert [slot.process_gpus for slot in slots] == [("4", "5"), ("6", "7")]
    assert [slot.gpu for slot in slots] == ["4,5", "6,7"]


def test_processes_that_share_are_on_the_same_gpu() -> None:
    shape = {"slots": 2, "task": {"gpus": 0.5, "cpus": 1, "processes_per_node": 2}}
    slots = make_slots(shape, {"CUDA_VISIBLE_DEVICES": "4,5"})
    assert [slot.process_gpus for slot in slots] == [("4", "4"), ("5", "5")]


def test_slices_stand_for_a_gpu_that_is_cut() -> None:
    listing = (
        "GPU 0: NVIDIA H100 (UUID: GPU-aa)\n"
        "  MIG 1g.10gb     Device  0: (UUID: MIG-11)\n"
        "  MIG 1g.10gb     Device  1: (UUID: MIG-22)\n"
        "GPU 1: NVIDIA H100 (UUID: GPU-bb)\n"
    )
    assert mig_entries(listing) == ["MIG-11", "MIG-22", "GPU-bb"]
    assert mig_entries("GPU 0: NVIDIA H100 (UUID: GPU-aa)\n") == []


def test_cpus_of_a_node_that_slurm_did_not_bind_are_not_pinned() -> None:
    here = len(os.sched_getaffinity(0))
    assert cpus_given({}) is True
    assert cpus_given({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": str(here)}) is True
    assert cpus_given({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": str(here - 1)}) is False


def test_cpus_come_from_the_set_that_was_given(home: Path) -> None:
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        pytest.skip("needs two CPUs")
    seen = "cpus=sorted(os.sched_getaffinity(0)), threads=os.environ['OMP_NUM_THREADS']"
    code = f"attempt.record('metric', {seen})"
    bundle = bundles.make_bundle(home / "b", [code])
    command = ["taskset", "-c", str(mine[-1]), *bundles.command(bundle)]
    assert bundles.run_command(bundle, command).returncode == 0
    (rows,) = bundles.rows(bundle).values()
    assert (rows[1]["cpus"], rows[1]["threads"]) == ([mine[-1]], "1")


TOGETHER = """
import pathlib
here = pathlib.Path(attempt.keep("here")).parents[2]
(here / f"here-{attempt.task.index}").touch()
end = time.monotonic() + 10
while len(list(here.glob("here-*"))) < WANTED and time.monotonic() < end:
    time.sleep(0.01)
attempt.record("metric", met=len(list(here.glob("here-*"))), gpu=os.environ["CUDA_VISIBLE_DEVICES"])
"""


def test_four_tasks_run_at_once_on_two_gpus(home: Path) -> None:
    codes = [TOGETHER.replace("WANTED", "4")] * 4
    bundle = bundles.make_bundle(home / "b", codes, slots=4, task=gpus.shared())
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="2,7").returncode == 0
    rows = bundles.rows(bundle)
    assert [row[1]["met"] for row in rows.values()] == [4, 4, 4, 4]
    assert sorted(row[1]["gpu"] for row in rows.values()) == ["2", "2", "7", "7"]
    # each names those that ran when it started; the later of two names the earlier
    named = {tid: set(row[0]["neighbours"]) for tid, row in rows.items()}
    pairs = {frozenset((one, other)) for one in named for other in named[one]}
    assert len(pairs) == 6


def test_a_killed_worker_frees_its_gpu(home: Path) -> None:
    codes = [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "attempt.record('metric', gpu=os.environ['CUDA_VISIBLE_DEVICES'])",
    ]
    bundle = bundles.make_bundle(home / "b", codes, task={"gpus": 1})
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="GPU-abc").returncode == 1
    assert bundles.states(bundle) == ["failed", "completed"]
    assert bundles.rows(bundle)[bundles.task_id(1)][1]["gpu"] == "GPU-abc"


FAULT = """
class Broken(Exception):
    error_code = 700
raise TaskError("gpu", "an illegal memory access", evidence={"device_error": 700})
"""
MET = TOGETHER.replace("WANTED", "2")
# under MPS a fault ends every client of the GPU; the neighbour here ends a moment earlier
CULPRIT = f"""
if attempt.number == 1:
    exec({MET!r})
    end = time.monotonic() + 20
    try:
        while not (here / "pid").is_symlink() and time.monotonic() < end:
            time.sleep(0.01)
        while time.monotonic() < end:
            os.kill(int(os.readlink(here / "pid")), 0)
            time.sleep(0.01)
    except ProcessLookupError:
        pass
    exec({FAULT!r})
"""
VICTIM = f"""
if attempt.number == 1:
    exec({MET!r})
    os.symlink(str(os.getpid()), here / "pid")
    os._exit(7)
"""


def failures(bundle: Path, launch: int = 1) -> list[dict[str, Any]]:
    return [e for e in bundles.events(bundle, launch) if e["event"] == "task_failed"]


def test_a_fault_is_put_to_the_client_that_had_it_and_its_neighbour_is_tried_alone(
    home: Path,
) -> None:
    codes = [CULPRIT, f"{VICTIM}\ntime.sleep(0.2)"]
    bundle = bundles.make_bundle(home / "b", codes, slots=2, task=gpus.shared())
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0").returncode == 0
    by_task = {e["task_id"]: e for e in failures(bundle)}
    assert by_task[bundles.task_id(0)]["category"] == "gpu"
    assert by_task[bundles.task_id(1)]["category"] == "gpu_neighbour"
    assert by_task[bundles.task_id(1)]["evidence"]["neighbour_fault"] == bundles.task_id(0)
    again = [e for e in bundles.events(bundle) if e["event"] == "task_started"][2:]
    assert [e["neighbours"] for e in again] == [[], []]


def test_being_a_neighbour_uses_up_no_attempt(home: Path) -> None:
    # two attempts are allowed; this task is a victim first, and then fails by itself once
    codes = [CULPRIT, f"{VICTIM}\nif attempt.number == 2:\n    raise TaskError('node', 'once')"]
    bundle = bundles.make_bundle(home / "b", codes, slots=2, task=gpus.shared())
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0").returncode == 0
    assert bundles.states(bundle) == ["completed", "completed"]


def test_a_failure_beside_no_fault_stays_what_it_is(home: Path) -> None:
    bundle = bundles.make_bundle(
        home / "b", ["time.sleep(0.3)", "os._exit(7)"], slots=2, task=gpus.shared()
    )
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0").returncode == 1
    assert bundles.failure(bundle)["category"] == "program"


ON_BAD = f"if os.environ['CUDA_VISIBLE_DEVICES'] == '1':\n    exec({FAULT!r})\ntime.sleep(0.1)"


def test_a_gpu_that_fails_twice_is_set_aside_and_the_other_does_the_rest(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [ON_BAD] * 8, slots=2, task={"gpus": 1})
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0,1").returncode == 0
    events = bundles.events(bundle)
    aside = [i for i, e in enumerate(events) if e["event"] == "gpu_set_aside"]
    assert [(events[i]["gpu"], events[i]["reason"]) for i in aside] == [
        ("1", "2 tasks failed on it by themselves")
    ]
    later = [e["gpu"] for e in events[aside[0] :] if e["event"] == "task_started"]
    assert set(later) == {"0"}
    assert len(failures(bundle)) == 2


def test_a_task_that_failed_on_one_gpu_is_tried_on_another(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [ON_BAD] * 2, slots=2, task={"gpus": 1})
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0,1").returncode == 0
    assert bundles.states(bundle) == ["completed", "completed"]


def test_a_task_that_fails_on_every_gpu_costs_none_of_them(home: Path) -> None:
    poison = f"exec({FAULT!r})"
    bundle = bundles.make_bundle(
        home / "b", [poison, *["time.sleep(0.3)"] * 3], slots=2, task={"gpus": 1}
    )
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0,1").returncode == 1
    assert bundles.states(bundle) == ["failed", "completed", "completed", "completed"]
    assert not [e for e in bundles.events(bundle) if e["event"] == "gpu_set_aside"]


def test_without_a_gpu_left_the_rest_is_put_off_to_a_launch_that_has_all_again(home: Path) -> None:
    broken = "import pathlib\nif not pathlib.Path(attempt.bundle, 'results', 'mended').exists():\n"
    code = broken + f"    exec({FAULT!r})"
    bundle = bundles.make_bundle(home / "b", [code] * 4, task={"gpus": 1})
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0").returncode == 75
    left = [e["reason"] for e in bundles.events(bundle) if e["event"] == "task_not_run"]
    assert set(left) == {"not started: every GPU of this launch is set aside"}
    (bundle / "results" / "mended").touch()
    assert bundles.run(bundle, CUDA_VISIBLE_DEVICES="0").returncode == 0
    assert bundles.states(bundle) == ["completed"] * 4


def test_a_gpu_whose_memory_others_hold_is_left_alone(home: Path) -> None:
    code = "attempt.record('metric', gpu=os.environ['CUDA_VISIBLE_DEVICES'])"
    task = {"gpus": 1, "gpu_memory_bytes": 40 << 30}
    bundle = bundles.make_bundle(home / "b", [code] * 2, slots=2, task=task)
    path = gpus.programs(home / "bin", nvidia_smi="fake_nvidia_smi")
    done = bundles.run(bundle, PATH=path, CUDA_VISIBLE_DEVICES="0,1", FAKE_GPU_USED="0,60000")
    assert done.returncode == 0, done.stderr
    assert [rows[1]["gpu"] for rows in bundles.rows(bundle).values()] == ["0", "0"]
    (aside,) = [e for e in bundles.events(bundle) if e["event"] == "gpu_set_aside"]
    assert aside["gpu"] == "1"
    assert aside["reason"] == "21.4 GiB of 80.0 GiB are free, a task needs 40.0 GiB"


def test_more_tasks_than_a_gpus_memory_holds_are_warned_of(home: Path) -> None:
    task = gpus.shared(0.25, gpu_memory_bytes=30 << 30)
    bundle = bundles.make_bundle(home / "b", ["pass"], slots=4, task=task)
    path = gpus.programs(home / "bin", nvidia_smi="fake_nvidia_smi")
    bundles.run(bundle, PATH=path, CUDA_VISIBLE_DEVICES="0")
    log = (bundles.launch_folder(bundle) / "log.jsonl").read_text()
    assert "GPU 0: 4 tasks of 30.0 GiB are to share it, but 80.0 GiB are free" in log


def test_the_end_of_an_attempt_names_all_that_ran_beside_it(home: Path) -> None:
    codes = [TOGETHER.replace("WANTED", "3")] * 3
    bundle = bundles.make_bundle(home / "b", codes, slots=3)
    bundles.run(bundle)
    ends = [e for e in bundles.events(bundle) if e["event"] == "task_completed"]
    everyone = {bundles.task_id(index) for index in range(3)}
    assert [set(e["beside"]) for e in ends] == [everyone - {e["task_id"]} for e in ends]
