"""Let jobs end in every way that Slurm has a word for, and keep what Slurm then says of them.

Run by hand: `python tests/cluster/record_texts.py tests/unit/slurm_texts`. Each job is an array of
two elements; element 0 completes, element 1 meets its fate.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from slurm import Slurm, a_slurm, wait_until

from specc_runtime.contract.slurm_text import SACCT_FIELDS

LASTS = '[ $SLURM_ARRAY_TASK_ID = 0 ] || [ -n "$SLURM_RESTART_COUNT" ] || srun sleep 600'
CANCELS = "PartitionName=cancels Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=CANCEL"
NODES = {"node-fail": "127.0.0.3", "node-fail-requeued": "127.0.0.4"}
PREEMPTED = {"preempted": "cancels", "preempted-requeued": "lowest"}
SCRIPTS = {
    "completed": "srun true",
    "failed": "[ $SLURM_ARRAY_TASK_ID = 0 ] || srun sh -c 'exit 3'",
    "signalled": "[ $SLURM_ARRAY_TASK_ID = 0 ] || srun sh -c 'kill -9 $$'",
    "killed-script": "[ $SLURM_ARRAY_TASK_ID = 0 ] || kill -9 $$",
    "submit-again": "[ $SLURM_ARRAY_TASK_ID = 0 ] || exit 75",
    **dict.fromkeys(("cancelled", "timeout", "requeued", "running", *NODES, *PREEMPTED), LASTS),
    "pending": "true",
}
OPTIONS = {
    "timeout": ["--time=1"],
    "pending": ["--hold"],
    "node-fail": ["--no-requeue"],
    "preempted": ["--no-requeue"],
}


class Recorder:
    """One cluster, its jobs, and the folder that takes the texts."""

    def __init__(self, slurm: Slurm, folder: Path) -> None:
        self.slurm = slurm
        self.folder = folder
        self.jobs: dict[str, str] = {}

    def submit(self, fate: str) -> None:
        options = [*OPTIONS.get(fate, []), "--mem=100", "-c1"]
        if not any(option.endswith("requeue") for option in options):
            options.append("--requeue")
        if fate in NODES:
            options.append(f"--nodelist={NODES[fate]}")
        partition = PREEMPTED.get(fate, "main")
        self.jobs[fate] = self.slurm.ask(
            "sbatch", "--parsable", "--array=0-1", f"--partition={partition}", *options,
            f"--job-name={fate}", "--output=/dev/null", f"--wrap={SCRIPTS[fate]}",
        ).strip()  # fmt: skip

    def state(self, fate: str, element: int = 1) -> str:
        job = f"{self.jobs[fate]}_{element}"
        return self.slurm.ask("squeue", "-h", "-r", "-t", "all", "-j", job, "-o", "%T").strip()

    def until(self, fate: str, *states: str, seconds: float = 30) -> None:
        if not wait_until(lambda: self.state(fate) in states, seconds):
            raise SystemExit(f"{fate}: {self.state(fate)} after {seconds:g} s, not {states}")

    def now(self, fate: str) -> None:
        """Start a requeued element again, which Slurm would let wait for two minutes."""
        self.until(fate, "PENDING")
        self.record(f"{fate}-waiting", fate)
        job = f"{self.jobs[fate]}_1"
        self.slurm.ask("scontrol", "update", f"jobid={job}", "StartTime=now")
        self.until(fate, "COMPLETED")

    def record(self, name: str, fate: str) -> None:
        """Keep what sacct, squeue and scontrol say of a job at this moment."""
        job = self.jobs[fate]
        queue = ["squeue", "-h", "-r", "-t", "all", "-j", job, "-o"]
        if "PENDING" not in self.state(fate):
            # the accounting lags behind the controller
            ended = f"sacct -n -X -D -P -j {job}_1 -o State".split()
            known = self.state(fate)
            wait_until(lambda: known in self.slurm.ask(*ended, check=False), 20)
        self.keep(f"{name}.sacct", "sacct", "-P", "-D", "-j", job, "-o", SACCT_FIELDS)
        self.keep(f"{name}.squeue", *queue, "%i|%T|%r|%N|%P|%a")
        self.keep(f"{name}.scontrol", "scontrol", "-o", "show", "job", job)

    def keep(self, name: str, *command: str) -> None:
        ended = subprocess.run(
            command, env=self.slurm.environment, capture_output=True, text=True, check=False
        )
        text = ended.stdout + ended.stderr
        text = text.replace(str(self.slurm.folder), "/var/slurm").replace(str(Path.cwd()), "/home")
        (self.folder / f"{name}.txt").write_text(text, encoding="utf-8")


def meet_their_fates(recorder: Recorder) -> dict[str, Callable[[], None]]:
    """Return what must be done to a job, by its fate, once it runs."""
    slurm, jobs = recorder.slurm, recorder.jobs

    def preempt(fate: str) -> None:
        told = slurm.ask("squeue", "-h", "-j", f"{jobs[fate]}_1", "-o", "%N").strip()
        slurm.ask(
            "sbatch", "--partition=high", "--exclusive", f"--nodelist={told}", "--wrap=true",
            "--output=/dev/null",
        )  # fmt: skip

    return {
        "cancelled": lambda: void(slurm.ask("scancel", f"{jobs['cancelled']}_1")),
        "requeued": lambda: void(slurm.ask("scontrol", "requeue", f"{jobs['requeued']}_1")),
        **{fate: lambda node=node: slurm.kill_node(node) for fate, node in NODES.items()},  # type: ignore[misc]
        **{fate: lambda fate=fate: preempt(fate) for fate in PREEMPTED},  # type: ignore[misc]
    }


def void(_text: str) -> None:
    pass


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with a_slurm(accounting=True, lines=(CANCELS,), cpus=24) as slurm:
        recorder = Recorder(slurm, folder)
        for fate in [fate for fate in SCRIPTS if fate not in PREEMPTED]:
            recorder.submit(fate)
        acts = meet_their_fates(recorder)
        for fate in [fate for fate in SCRIPTS if SCRIPTS[fate] == LASTS and fate not in PREEMPTED]:
            recorder.until(fate, "RUNNING")
            if fate in acts:
                acts[fate]()
        recorder.record("running", "running")
        recorder.record("pending", "pending")
        for fate in ("requeued", "node-fail-requeued"):
            if fate in NODES:
                slurm.start_node(NODES[fate])
            recorder.now(fate)
        slurm.start_node(NODES["node-fail"])
        recorder.until("timeout", "TIMEOUT", seconds=120)
        slurm.ask("scancel", recorder.jobs["running"])
        for fate in PREEMPTED:
            recorder.submit(fate)
            recorder.until(fate, "RUNNING")
            acts[fate]()
        recorder.until("preempted", "PREEMPTED", seconds=60)
        recorder.now("preempted-requeued")
        for fate in [fate for fate in SCRIPTS if fate not in ("running", "pending")]:
            recorder.record(fate, fate)
        recorder.jobs["no-such-job"] = "4711"
        for how, *command in (
            ["sacct", "sacct", "-P", "-D", "-j", "4711", "-o", SACCT_FIELDS],
            ["squeue", "squeue", "-h", "-r", "-t", "all", "-j", "4711", "-o", "%i|%T|%r|%N|%P|%a"],
            ["scontrol", "scontrol", "-o", "show", "job", "4711"],
        ):
            recorder.keep(f"no-such-job.{how}", *command)
    with a_slurm(nodes=1) as slurm:
        Recorder(slurm, folder).keep("no-accounting.sacct", "sacct", "-P", "-D", "-j", "1")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
