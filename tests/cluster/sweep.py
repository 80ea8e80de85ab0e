"""The smoke sweep on the test Slurm: packed, workers killed on the way, one run that diverges.

The small form trains 24 points on digits of our own making; the full one all 216 on the real ones,
which `specc lock` fetches. What was run stays in the folder, and can be read again.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import ENDED, PLACE, shell, specc, states, submitted
from slurm import Slurm, wait_until

SPEC = Path(__file__).parents[2] / "specs" / "training-smoke.yaml"
KILLS = 3
ROUNDS = 3
"""Bundles made for what is not done, at most: other work may take the machine's memory."""
POISON = {"variant": "base", "lr": 0.2, "weight_decay": 1e-4, "seed": 0}
_SMALL = ("--only", "weight_decay=1e-4", "--only", "seed=0", "--only", "seed=1")
_KEPT = "sweep.json"
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
Event = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """What was run, as it is kept in the folder of a sweep."""

    tasks: int
    bundles: tuple[Path, ...]
    """The first one, then those of `specc rerun`."""
    killed: dict[str, int]
    """Task id -> checkpoints it had when its process was killed."""
    seconds: tuple[float, ...]
    """From submission to the end of the job, for each bundle."""
    load: float
    """Average load of the machine at the end of the first bundle."""

    def write(self, folder: Path) -> None:
        kept = {**vars(self), "bundles": [str(one.resolve()) for one in self.bundles]}
        (folder / _KEPT).write_text(json.dumps(kept, indent=1), encoding="utf-8")


def kept(folder: Path) -> Trained:
    """Return what was run in a folder. Raises SystemExit where nothing was."""
    try:
        said = json.loads((folder / _KEPT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        complaint = f"{folder}: no sweep was run to its end here; to run one: make sweep"
        raise SystemExit(complaint) from None
    said["bundles"] = tuple(map(Path, said["bundles"]))
    said["seconds"] = tuple(said["seconds"])
    return Trained(**said)


def train(
    slurm: Slurm, folder: Path, *, full: bool, seconds: float, say: Callable[[str], None]
) -> Trained:
    """Run the sweep, and bundles for what is not done, until only the poisoned run is left.

    seconds: what all of it may take.
    """
    folder.mkdir(parents=True)
    end = time.monotonic() + seconds
    bundles, took, load = [_compiled(folder, full=full)], list[float](), 0.0
    axes = _to_run(bundles[0])
    run = _Run(slurm, axes, say)
    while True:
        bundle, started = bundles[-1], time.monotonic()
        parent = {"SPECC_PARENT": str(bundles[-2])} if len(bundles) > 1 else {}
        (job,) = submitted(slurm, bundle, **parent)
        say(f"job {job}: {len(_to_run(bundle))} tasks in {bundle}")
        if len(bundles) == 1:
            run.disturb(job, bundle, end)
        run.wait(job, bundle, end)
        took.append(time.monotonic() - started)
        load = load or os.getloadavg()[0]
        # writes down what Slurm says of the jobs, while it still knows
        assert shell(slurm, "./status.sh", cwd=bundle).returncode in (0, 1)
        if len(bundles) > 1 and (run.only_poison_left() or len(bundles) > ROUNDS):
            break
        again = ("--again",) if len(bundles) == 1 else ()
        found = json.loads(specc("rerun", bundle, *again, "--json"))
        bundles.append(Path(found["bundle"]))
    made = Trained(len(axes), tuple(bundles), run.killed, tuple(took), load)
    made.write(folder)
    return made


class _Run:
    """A sweep under way: what its tasks have come to, by their journals."""

    def __init__(
        self, slurm: Slurm, axes: dict[str, dict[str, Any]], say: Callable[[str], None]
    ) -> None:
        self.slurm, self.axes, self.say = slurm, axes, say
        self.killed: dict[str, int] = {}
        self.completed: set[str] = set()
        self._running: dict[str, int] = {}
        self._checkpoints: Counter[str] = Counter()
        self._read: dict[Path, int] = {}
        self._said = 0.0

    def disturb(self, job: str, bundle: Path, end: float) -> None:
        """Kill KILLS workers that have a checkpoint, evenly over the run."""
        while len(self.killed) < KILLS:
            due = len(self.axes) * (len(self.killed) + 1) // (KILLS + 2)
            self._until(lambda due=due: len(self.completed) >= due, 0.5, job, bundle, end)
            self._until(lambda: self._killed_one(bundle), 0.02, job, bundle, end)

    def wait(self, job: str, bundle: Path, end: float) -> None:
        """Wait until a job has ended, however it did: failed tasks make it fail."""
        self._until(lambda: self._ended(job), 1, job, bundle, end)
        self._look(bundle)

    def only_poison_left(self) -> bool:
        left = [axes for task, axes in self.axes.items() if task not in self.completed]
        return left == [POISON]

    def _until(
        self, true: Callable[[], bool], pause_s: float, job: str, bundle: Path, end: float
    ) -> None:
        asked = time.monotonic()
        self._look(bundle)
        while not true():
            if time.monotonic() > asked + 15:
                asked = time.monotonic()
                self.say(
                    f"job {job}: {len(self.completed)} of {len(self.axes)} done, "
                    f"{len(self.killed)} killed"
                )
                told = states(self.slurm, job)
                assert asked < end, f"job {job} is late: {told}"
                assert true() or not self._ended(job), f"job {job} has ended: {told}"
            time.sleep(pause_s)
            self._look(bundle)

    def _ended(self, job: str) -> bool:
        return all(one in ENDED for one in states(self.slurm, job).values())

    def _look(self, bundle: Path) -> None:
        """Read what journals have gained."""
        for path in sorted(bundle.glob("results/r1/*/launch-*/events.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                whole, newline, _ = file.read().rpartition(b"\n")
            self._read[path] = self._read.get(path, 0) + len(whole + newline)
            for line in whole.splitlines():
                self._take(json.loads(line))

    def _take(self, event: Event) -> None:
        task = event.get("task_id")
        if event["event"] == "task_started":
            self._running[task] = event["pid"]
        elif event["event"] == "task_checkpoint":
            self._checkpoints[task] += 1
        elif event["event"] in ("task_completed", "task_failed"):
            self._running.pop(task, None)
            if event["event"] == "task_completed":
                self.completed.add(task)

    def _killed_one(self, bundle: Path) -> bool:
        """Kill a worker that has a checkpoint, if there is one; False if it ended before that."""
        chosen = [
            task
            for task, pid in self._running.items()
            if pid and self._checkpoints[task] and self.axes[task] != POISON
        ]
        for task in random.Random(len(self.killed)).sample(chosen, len(chosen)):
            had, pid = self._checkpoints[task], self._running[task]
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

            def ended(task: str = task) -> bool:
                self._look(bundle)
                return task not in self._running

            assert wait_until(ended, 120), f"{task} was killed, and nobody says so"
            if task not in self.completed:
                self.killed[task] = had
                self.say(f"killed {task} after {had} epochs: {self.axes[task]}")
                return True
        return False


def events(bundle: Path) -> list[Event]:
    """Return the journals of a bundle's run, launch by launch."""
    paths = sorted(bundle.glob("results/r1/*/launch-*/events.jsonl"))
    return [event for path in paths for event in _lines(path)]


def _to_run(bundle: Path) -> dict[str, dict[str, Any]]:
    """Return the axes of the tasks that a bundle runs, by id."""
    rows = _lines(bundle / "tasks.jsonl")
    return {row["task_id"]: row["axes"] for row in rows if row.get("shard") is not None}


def _compiled(folder: Path, *, full: bool) -> Path:
    """Return the bundle, copied to a place that is hard on scripts."""
    spec = folder / "sweep.yaml"
    spec.write_text(_text(folder, full=full), encoding="utf-8")
    chosen: tuple[str, ...] = ()
    if full:
        specc("lock", spec)
    else:
        chosen = (*_SMALL, "--only-reason", "the short form")
    made = specc("compile", spec, *chosen, "--out", folder / "build", "--json")
    bundle = folder / PLACE
    shutil.copytree(json.loads(made)["bundle"], bundle)
    return bundle


def _text(folder: Path, *, full: bool) -> str:
    text = SPEC.read_text(encoding="utf-8").partition("\nenvironment:")[0]
    # a busy machine is slow, not hung
    changes = [("time_limit: 3min", "time_limit: 15min"), ("time_limit: 1h", "time_limit: 4h")]
    if not full:
        digits(folder / "digits.csv.gz")
        inputs = "inputs: [{name: digits, path: digits.csv.gz}]\n\n"
        text = re.sub(r"inputs:\n.*?\n\n", inputs, text, flags=re.S)
        changes += [
            ("epochs: 8", "epochs: 6"),
            ("batch_size: 32", "batch_size: 8"),
            ("curvature_steps: 50", "curvature_steps: 16"),
        ]
    for old, new in changes:
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


def _lines(path: Path) -> list[Event]:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
