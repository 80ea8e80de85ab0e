"""Kill processes of a run at random, again and again, and hold what is left against a ledger.

The victims are real: programs, attempts, pools, steps, batch scripts and nodes of the test's own
Slurm. The ledger is written by the programs themselves, so it knows what really ran.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jobs import ENDED, shell
from slurm import Slurm

from specc_runtime.contract.runs import RunState, fold
from specc_runtime.contract.segments import read_segment
from specc_runtime.contract.tasks import TaskRow, read_tasks

SPEC = """\
schema_version: 1
name: soak
kind: command
matrix:
  axes: {{number: {{range: [1, {tasks}]}}}}
settings:
  script: |
    echo "start $SPECC_TASK_ID $number" >> "$LEDGER"
    sleep 0.3
    echo "end $SPECC_TASK_ID $number" >> "$LEDGER"
    echo "{{\\"square\\": $((number * number))}}"
  metrics:
    square: {{from: json_lines, unit: "1", better: higher, definition: the square of the number}}
on_failure:
  unknown: {{attempts: 20}}
  program: {{attempts: 20}}
  transient: {{attempts: 20}}
  oom_host: {{attempts: 20}}  # a machine short of memory strikes too, and attempts first of all
task: {{cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 1min}}
job: {{cpus_per_node: 2, time_limit: 10min, max_running: {elements}}}
"""
_GHOST_S = 15.0
KINDS = ("program", "attempt", "pool", "step", "script", "node", "requeue", "cancel")
"""What is struck: a process of that role, a whole node, or a job by its owner's command."""


@dataclass
class Soak:
    """Runs under fire, one after the other. `strike` until enough, then `finish`."""

    slurm: Slurm
    bundle: Path
    ledger: Path
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    jobs: list[str] = field(default_factory=list)
    runs: int = 1
    ghosts: int = 0
    """Jobs that Slurm called running though nothing of them was left; they had to be cancelled."""
    complaints: list[str] = field(default_factory=list)
    """What was wrong with the runs so far; empty when nothing was."""

    def __post_init__(self) -> None:
        self.rows: tuple[TaskRow, ...] = read_tasks(self.bundle)
        self._chance = random.Random(self.seed)
        self._completed: set[str] = set()
        self._last_sign = time.monotonic()

    @property
    def run(self) -> Path:
        return self.bundle / "results" / f"r{self.runs}"

    def start(self) -> None:
        self._submit()

    def strike(self) -> None:
        """Hit one victim of a random kind, and look whether anything completed was lost."""
        time.sleep(self._chance.uniform(0.05, 0.5))
        if self._complete():
            self._judge()
            self.runs, self._completed = self.runs + 1, set()
            self._submit("--fresh")
        self._keep_going()
        kind = self._chance.choice(KINDS)
        if kind == "node":
            hit = self._fell_a_node()
        elif kind in ("requeue", "cancel"):
            hit = self._order(kind)
        else:
            hit = self._kill(kind)
        self.kills[kind] += hit
        self.look()

    def finish(self, *, seconds: float) -> bool:
        """Let the run end in peace; True when every task is completed in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._complete():
                self._judge()
                return True
            self._keep_going()
            time.sleep(0.3)
        return False

    def look(self) -> RunState:
        """Read the run as a user would, while it goes on."""
        state = fold(self.run, self.rows)
        completed = {task.task_id for task in state.tasks.values() if task.state == "completed"}
        lost = sorted(self._completed - completed)
        self.complaints += [f"{task} was completed, then it was not" for task in lost]
        self._completed |= completed
        return state

    def situation(self) -> str:
        """Say where a run hangs, for whoever reads of a failure."""
        told = self.slurm.ask("scontrol", "-o", "show", "job")
        jobs = [line for line in told.splitlines() if "JobState=COMPLETED" not in line]
        nodes = self.slurm.ask("sinfo", "-N", "-h", "-p", "main", "-o", "%N %T %E")
        state = self.look()
        failures = [
            f"{task.task_id} attempt {attempt.attempt} in {attempt.launch}: {attempt.failure}"
            for task in state.tasks.values()
            for attempt in task.attempts
            if task.state != "completed"
        ]
        return "\n".join([str(state.counts()), *failures, nodes, *jobs[-4:]])

    def _complete(self) -> bool:
        return self.look().counts() == {"completed": len(self.rows)} and not self._queue()

    def _judge(self) -> None:
        """Hold a finished run against the ledger."""
        run, said, wrong = fold(self.run, self.rows, ended=True), self._said(), self.complaints
        ends = Counter(line.split()[1] for line in self._ledger() if line.startswith("end "))
        for row in self.rows:
            task = run.tasks[row.task_id]
            lines = b"".join(read_segment(run.path, part) for part in task.segments).splitlines()
            values = [r["value"] for r in map(json.loads, lines) if r["type"] == "metric"]
            if values != [row.axes["number"] ** 2]:
                wrong.append(f"{row.task_id} measured {values}, not {row.axes['number']} squared")
            told = said[row.task_id]
            if told != 1 + len(task.duplicates):
                wrong.append(f"{row.task_id}: {told} ends in the journals, {task.duplicates} seen")
            if ends[row.task_id] < told:
                real = ends[row.task_id]
                wrong.append(f"{row.task_id}: {told} ends in the journals, {real} real")
        self.ledger.unlink()

    def _queue(self) -> list[tuple[str, str]]:
        """Return (element, state) of all that Slurm has not ended."""
        told = self.slurm.ask("squeue", "-h", "-r", "-o", "%i %j %T").splitlines()
        mine = (line.split() for line in told)
        return [
            (i, state) for i, name, state in mine if name.startswith("soak-") and state not in ENDED
        ]

    def _keep_going(self) -> None:
        """Do what a user does: start waiting elements, and resume once all have ended."""
        queued = self._queue()
        running = [element for element, state in queued if state == "RUNNING"]
        for element, state in queued:
            if state == "PENDING":
                # this Slurm lets a requeued job wait for two minutes
                start = ("scontrol", "update", f"jobid={element}", "StartTime=now")
                self.slurm.ask(*start, check=False)
        if not queued:
            self._submit("--resume")
        if not running or self._processes()["pool"]:
            self._last_sign = time.monotonic()
        elif time.monotonic() - self._last_sign > _GHOST_S:
            # srun may wait for ever for a step whose manager was killed, though its work is over
            self.slurm.ask("scancel", *running)
            self.ghosts += len(running)

    def _submit(self, *options: str) -> None:
        words = ("./submit.sh", *options)
        ended = shell(self.slurm, *words, cwd=self.bundle, LEDGER=str(self.ledger))
        assert ended.returncode == 0, ended.stderr + ended.stdout
        self.jobs += re.findall(r": job (\d+)", ended.stdout)

    def _order(self, kind: str) -> int:
        running = [element for element, state in self._queue() if state == "RUNNING"]
        if not running:
            return 0
        words = ["scancel"] if kind == "cancel" else ["scontrol", "requeue"]
        self.slurm.ask(*words, self._chance.choice(running), check=False)
        return 1

    def _fell_a_node(self) -> int:
        node = self._chance.choice(self.slurm.nodes)
        self.slurm.kill_node(node)
        self.slurm.start_node(node)
        return 1

    def _kill(self, kind: str) -> int:
        victims = self._processes()[kind]
        if not victims:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self._chance.choice(victims), signal.SIGKILL)
        return 1

    def _processes(self) -> dict[str, list[int]]:
        """Return the processes of this run by their role."""
        found: dict[str, list[int]] = {kind: [] for kind in KINDS}
        parents, words = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    stat = (entry / "stat").read_text()
                    words[int(entry.name)] = (
                        (entry / "cmdline").read_bytes().decode("utf-8", "replace")
                    )
                    parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        # the batch script's own is left alone: without it this Slurm takes the job for running on
        steps = {f"slurmstepd: [{job}.0]" for job in self._job_numbers()}
        runtime = f"{self.bundle}/runtime/specc_runtime/__main__.py"
        for pid, line in words.items():
            if line.rstrip("\0 ") in steps:
                found["step"].append(pid)
            elif runtime in line and "srun" not in line.split("\0")[0]:
                inner = runtime in words.get(parents[pid], "")
                found["attempt" if inner else "pool"].append(pid)
            elif ".specc-script" in line and runtime in words.get(parents[pid], ""):
                found["program"].append(pid)
            elif line.startswith("/bin/bash\0") and f"{self.slurm.folder}/spool" in line:
                found["script"].append(pid)
        return found

    def _job_numbers(self) -> list[str]:
        told = self.slurm.ask("squeue", "-h", "-r", "-t", "R", "-o", "%A %j").splitlines()
        return [line.split()[0] for line in told if line.endswith(" soak-1-cpu")]

    def _said(self) -> Counter[str]:
        """Count the completions of each task in all journals, read by the plainest means."""
        said: Counter[str] = Counter()
        for journal in self.run.glob("*/launch-*/events.jsonl"):
            for line in journal.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n") and '"task_completed"' in line:
                    said[json.loads(line)["task_id"]] += 1
        return said

    def _ledger(self) -> list[str]:
        return self.ledger.read_text(encoding="utf-8").splitlines()
