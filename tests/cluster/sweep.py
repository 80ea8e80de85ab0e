"""The smoke sweep on the test Slurm: packed, workers killed on the way, one run that diverges.

The small form trains 24 points on digits of our own making; the full one all 216 on the real ones,
which `specc lock` fetches.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs import ENDED, PLACE, specc, states, submitted
from slurm import Slurm, wait_until

SPEC = Path(__file__).parents[2] / "specs" / "training-smoke.yaml"
KILLS = 3
POISON = {"variant": "base", "lr": 0.2, "weight_decay": 1e-4, "seed": 0}
_SMALL = ("--only", "weight_decay=1e-4", "--only", "seed=0", "--only", "seed=1")
_HERE = """
environment: {{mode: inherit}}
when:
  - if: {poison}
    set: {{settings.lr: 1000000}}
cluster:
  name: here
  python: "{python}"
  partitions: [{{name: main, nodes: 4, cores_per_node: 8, default: true}}]
"""


@dataclass
class Sweep:
    """A sweep from its spec to the data set."""

    slurm: Slurm
    folder: Path
    full: bool
    killed: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Task id -> axes of the runs whose process was killed."""

    def compiled(self) -> Path:
        """Return the bundle, copied to a place that is hard on scripts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        spec = self.folder / "sweep.yaml"
        spec.write_text(_text(self.folder, full=self.full), encoding="utf-8")
        chosen: tuple[str, ...] = ()
        if self.full:
            specc("lock", spec)
        else:
            chosen = (*_SMALL, "--only-reason", "the short form")
        made = specc("compile", spec, *chosen, "--out", self.folder / "build", "--json")
        bundle = self.folder / PLACE
        shutil.copytree(json.loads(made)["bundle"], bundle)
        return bundle

    def run(self, bundle: Path, *, seconds: float) -> None:
        """Submit, kill KILLS workers while they train, and wait for the end."""
        axes = {row["task_id"]: row["axes"] for row in _lines(bundle / "tasks.jsonl")}
        (job,) = submitted(self.slurm, bundle)
        end = time.monotonic() + seconds
        while len(self.killed) < KILLS and time.monotonic() < end:
            found = wait_until(lambda: self._victim(bundle, axes), 60)
            assert found, f"no worker to kill; {states(self.slurm, job)}"
        self.wait(job, seconds=end - time.monotonic())

    def wait(self, job: str, *, seconds: float) -> None:
        """Wait until a job has ended, however it did: failed tasks make it fail."""
        ended = wait_until(
            lambda: all(one in ENDED for one in states(self.slurm, job).values()), seconds
        )
        assert ended, f"job {job} after {seconds:g} s: {states(self.slurm, job)}"

    def _victim(self, bundle: Path, axes: dict[str, dict[str, Any]]) -> bool:
        """Kill a worker that has begun to train, if there is one."""
        running: dict[str, int] = {}
        trained = set()
        for journal in bundle.glob("results/r1/*/launch-*/events.jsonl"):
            for event in _lines(journal):
                if event["event"] == "task_started":
                    running[event["task_id"]] = event["pid"]
                elif event["event"] == "task_checkpoint":
                    trained.add(event["task_id"])
                elif event["event"] in ("task_completed", "task_failed"):
                    running.pop(event["task_id"], None)
        chosen = [t for t in running if t not in self.killed and axes[t] != POISON]
        for task in random.Random(len(self.killed)).sample(chosen, len(chosen)):
            try:
                os.kill(running[task], signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended by itself in the meantime
            self.killed[task] = axes[task]
            return True
        return False


def _text(folder: Path, *, full: bool) -> str:
    text = SPEC.read_text(encoding="utf-8").partition("\nenvironment:")[0]
    if not full:
        digits(folder / "digits.csv.gz")
        inputs = "inputs: [{name: digits, path: digits.csv.gz}]\n\n"
        text = re.sub(r"inputs:\n.*?\n\n", inputs, text, flags=re.S)
        for old, new in (
            ("epochs: 8", "epochs: 3"),
            ("batch_size: 32", "batch_size: 8"),
            ("curvature_steps: 50", "curvature_steps: 16"),
            ("alpha_early: [1, 4]", "alpha_early: [1, 3]"),
        ):
            assert old in text, old
            text = text.replace(old, new)
    poison = json.dumps(POISON)
    return text + _HERE.format(poison=poison, python=sys.executable)


def digits(path: Path, rows: int = 160) -> None:
    """Write rows of 64 grey values and a class, which a bright row of the image shows."""
    chance = random.Random(1)
    lines = []
    for number in range(rows):
        label = number % 10
        image = [chance.randrange(5) for _ in range(64)]
        for at in range(8):
            image[8 * (label % 8) + at] += 8 if label < 8 else 3
        lines.append(",".join(map(str, [*image, label])))
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
