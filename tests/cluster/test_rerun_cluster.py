"""The way back: a node dies, an element is cancelled, and the next bundle does what is missing."""

from __future__ import annotations

import json
from pathlib import Path

from jobs import SUMS, awaited, compiled, events, launch, shell, specc, submitted
from slurm import Slurm, wait_until

AWAY = "--exclude=127.0.0.1,127.0.0.2"
"""Nodes of tests that run beside this one."""
STUDY = SUMS.replace("task: {", "inputs: [{name: data, path: data.txt}]\ntask: {").replace(
    "    echo", '    cat "$SPECC_INPUT_DATA" >&2\n    echo'
)


def test_a_dead_node_and_a_cancelled_element_are_healed_by_the_next_bundle(
    slurm: Slurm, tmp_path: Path
) -> None:
    (tmp_path / "data.txt").write_text("hello\n")
    bundle = compiled(tmp_path, STUDY)
    gate = tmp_path / "gate"
    (job,) = submitted(slurm, bundle, "--", AWAY, "--no-requeue", GATE=str(gate))
    assert wait_until(lambda: all(_started(bundle, number) for number in (1, 2)), 30)
    shell(slurm, "scancel", f"{job}_2", cwd=bundle)
    assert wait_until(lambda: slurm.elements(job)[2].state == "CANCELLED", 30)
    died = launch(bundle, "1-cpu-0001")["slurm"]["SLURM_JOB_NODELIST"]
    slurm.kill_node(died)
    try:
        assert {n: e.state for n, e in awaited(slurm, job, seconds=60).items()} == {
            0: "COMPLETED",
            1: "NODE_FAIL",
            2: "CANCELLED",
        }
        # writes down what Slurm says of the jobs, while it still knows
        assert shell(slurm, "./status.sh", cwd=bundle).returncode == 0
        found = json.loads(specc("rerun", bundle, "--json"))
        assert {t["axes"]["left"]: (t["fate"], t["cause"]) for t in found["tasks"]} == {
            2: ("again", "node"),
            3: ("again", "cancelled"),
        }
        child = Path(found["bundle"])
        gate.touch()
        # the parent was copied under another name, so the thin bundle is told where it is
        (again,) = submitted(slurm, child, "--", AWAY, SPECC_PARENT=str(bundle))
        assert {e.state for e in awaited(slurm, again, seconds=60).values()} == {"COMPLETED"}
    finally:
        slurm.start_node(died)
    made = json.loads(specc("collate", bundle, child, "--out", tmp_path / "report", "--json"))
    counts = made["completeness"]
    assert (counts["expected"], counts["completed"], counts["duplicate"]) == (3, 3, 0)


def _started(bundle: Path, number: int) -> bool:
    return any(e["event"] == "task_started" for e in events(bundle, f"1-cpu-{number:04d}"))
