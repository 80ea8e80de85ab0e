"""A sweep of short trainings in a bundle, against bare loops over the same points.

Bare: two processes that import torch once and call the same training code for one point after
another, with all callbacks, and write nothing. Rounds are paired, so that a machine that slows
down slows all sides. What other work does to wall times it hardly does to CPU times: they are
always held to the limit, wall times only on a machine that does nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from measure import SPECC

sys.path.append(str(Path(__file__).resolve().parents[1] / "cluster"))
from sweep import digits

from specc.analysis.signs import percent

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "specs" / "training-smoke.yaml"
CHOSEN = ("--only", "weight_decay=1e-4", "--only", "seed=0", "--only-reason", "a measurement")
TASKS = 12
WORKERS = 2
ROUNDS = 3
LEAST = 0.85
BARE = """
import json, sys, time
from pathlib import Path
import torch
from specc_runtime.kinds.training.callbacks import table
from specc_runtime.kinds.training.loop import Trainer
from specc_runtime.ml import image_data
import torch._dynamo  # as the first optimiser does
file, tasks = Path(sys.argv[1]), json.loads(sys.argv[2])
torch.set_num_threads(1)
started = time.process_time()
print("ready", flush=True)
for settings in tasks:
    images = image_data.load(file, settings["data"], torch.device("cpu"))
    callbacks = table.build(settings)
    trainer = Trainer(settings, images, torch.device("cpu"), callbacks, lambda *_, **__: None)
    for epoch in range(settings["epochs"]):
        trainer.epoch(epoch)
print(time.process_time() - started)
"""
# the same command line for a kind that asks for no warm parent
COLD = """
from specc.kinds.training import plan
plan.fixtures = lambda settings: ()
from specc.cli import main
main()
"""


@dataclass(frozen=True)
class Speed:
    """Of one run of all tasks."""

    tasks_s: float
    """From the first task's start to the last one's end [s]."""
    whole_s: float
    """With what comes before and after [s]."""
    tasks_cpu_s: float
    """Of the tasks alone: no imports of torch, no pool."""
    whole_cpu_s: float
    """Of all processes, from start to end."""


def bare(file: Path, tasks: list[dict]) -> Speed:
    """Train all tasks in WORKERS plain processes."""
    started, used = time.perf_counter(), _cpu_s()
    command = [sys.executable, "-c", BARE, file]
    shares = [json.dumps([task["settings"] for task in tasks[n::WORKERS]]) for n in range(WORKERS)]
    with contextlib.ExitStack() as stack:
        loops = [
            stack.enter_context(subprocess.Popen([*command, share], stdout=subprocess.PIPE))
            for share in shares
        ]
        for loop in loops:
            assert loop.stdout
            assert loop.stdout.readline() == b"ready\n"
        ready = time.perf_counter()
        tasks_cpu_s = sum(float(loop.stdout.read()) for loop in loops if loop.stdout)
        assert [loop.wait() for loop in loops] == [0] * WORKERS
    ended = time.perf_counter()
    return Speed(ended - ready, ended - started, tasks_cpu_s, _cpu_s() - used)


def packed(bundle: Path, number: int) -> Speed:
    """Run a bundle's job script on this machine."""
    started, used = time.perf_counter(), _cpu_s()
    subprocess.run(
        ["bash", "job.sbatch", "--here", "--run", f"n{number}"],
        cwd=bundle, check=True, capture_output=True,
    )  # fmt: skip
    whole_s, cpu_s = time.perf_counter() - started, _cpu_s() - used
    (journal,) = bundle.glob(f"results/n{number}/*/launch-001/events.jsonl")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    started_ns = [event["t_ns"] for event in events if event["event"] == "task_started"]
    done = [event for event in events if event["event"] == "task_completed"]
    assert len(done) == TASKS
    tasks_s = (max(event["t_ns"] for event in done) - min(started_ns)) / 1e9
    used_s = sum(event["usage"]["user_s"] + event["usage"]["system_s"] for event in done)
    return Speed(tasks_s, whole_s, used_s, cpu_s)


def _cpu_s() -> float:
    """Return what all children that ended have used, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compiled(folder: Path, *how: str | Path) -> Path:
    """Compile TASKS points of the smoke sweep for this interpreter."""
    folder.mkdir()
    text = SPEC.read_text(encoding="utf-8").partition("\nenvironment:")[0]
    text = re.sub(r"inputs:\n.*?\n\n", "inputs: [{name: digits, path: d.gz}]\n\n", text, flags=re.S)
    (folder / "spec.yaml").write_text(
        f"{text}\nenvironment: {{mode: inherit}}\n"
        f"cluster: {{name: here, python: '{sys.executable}', partitions: [{{name: main, nodes: 1,"
        f" cores_per_node: {WORKERS}, default: true}}]}}\n"
    )
    digits(folder / "d.gz", rows=1797)
    told = subprocess.run(
        [*how, "compile", folder / "spec.yaml", *CHOSEN, "--out", folder / "build", "--json"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    return Path(json.loads(told)["bundle"])


def test_a_packed_sweep_keeps_up_with_bare_loops(benchmark, figure, tmp_path: Path) -> None:
    warm = compiled(tmp_path / "warm", SPECC)
    cold = compiled(tmp_path / "cold", sys.executable, "-c", COLD)
    tasks = [json.loads(line) for line in (warm / "tasks.jsonl").read_text().splitlines()]
    tasks = [task for task in tasks if task.get("shard") is not None]
    assert len(tasks) == TASKS
    (file,) = (path for path in (warm / "inputs").rglob("*") if path.is_file())

    def alternate() -> tuple[list[Speed], list[Speed], Speed]:
        plain, ours = [], []
        for number in range(ROUNDS):
            plain.append(bare(file, tasks))
            ours.append(packed(warm, number))
        return plain, ours, packed(cold, 0)

    plain, ours, alone = benchmark.pedantic(alternate, rounds=1)
    walls = sorted(a.tasks_s / b.tasks_s for a, b in zip(plain, ours, strict=True))
    used = sorted(a.tasks_cpu_s / b.tasks_cpu_s for a, b in zip(plain, ours, strict=True))
    wall, cpu = statistics.median(walls), statistics.median(used)
    loop_s = statistics.median(one.tasks_s for one in plain)
    loop_cpu_s = statistics.median(one.tasks_cpu_s for one in plain)
    figure(
        f"throughput of {TASKS} short trainings in {WORKERS} slots, against bare loops",
        f"{percent(wall)} ({percent(walls[0])} to {percent(walls[-1])})"
        f" of {TASKS / loop_s:.2f} tasks/s",
        ">= 85 %",
    )
    figure(
        "the same by the CPU time of a task",
        f"{percent(cpu)} ({percent(used[0])} to {percent(used[-1])})"
        f" of {TASKS / loop_cpu_s:.2f} per CPU second",
        ">= 85 %",
    )
    figure(
        "the same without a warm parent, by wall and by CPU time",
        f"{percent(loop_s / alone.tasks_s)}, {percent(loop_cpu_s / alone.tasks_cpu_s)}",
        "",
    )
    figure(
        "start and end of such a job, torch's imports included",
        f"{statistics.median(one.whole_s - one.tasks_s for one in ours):.1f} s, "
        f"{statistics.median(one.whole_cpu_s - one.tasks_cpu_s for one in ours):.1f} s CPU, once",
        "",
    )
    assert cpu >= LEAST
    assert wall >= LEAST or not os.environ.get("SPECC_BENCH_QUIET")
