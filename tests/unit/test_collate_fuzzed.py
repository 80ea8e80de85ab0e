"""Results with damage that nobody thought of: collate names it and never falls over."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from results import ABundle, a_bundle, metric, process

from specc.collate.pipeline import collate_data


def a_run(root: Path) -> ABundle:
    bundle = a_bundle(
        root,
        points=[{"n": 1}, {"n": 2}],
        repetitions=2,
        shape_of=lambda axes: f"{axes['n']}-cpu",
    )
    run = bundle.run()
    for shape in ("1-cpu", "2-cpu"):
        launch = run.launch(shape)
        for task in bundle.tasks:
            if task["shape"] == shape:
                launch.complete(task, [metric("time_s", 1.0 + task["index"]), process()])
        launch.end()
        (launch.path / "hardware.jsonl").write_text(
            '{"t_ns": 1, "cpu_util_pct": 5.0, "gpus": []}\n'
        )
    (run.path / "jobs.tsv").write_text("job.sbatch\t12\n")
    (run.path / "slurm").mkdir()
    (run.path / "slurm/12.sacct.txt").write_text("JobID|State|ExitCode\n12_0|COMPLETED|0:0\n")
    return bundle


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(bytes(data))


def cut(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def remove(path: Path, chance: random.Random) -> None:
    del chance
    path.unlink()


def double(path: Path, chance: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    path.write_bytes(b"".join(lines))


def swap(path: Path, chance: random.Random) -> None:
    other = chance.choice([each for each in path.parent.iterdir() if each.is_file()])
    data = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(data)


def become_folder(path: Path, chance: random.Random) -> None:
    del chance
    path.unlink()
    path.mkdir()


def retype(path: Path, chance: random.Random) -> None:
    old = chance.choice([b"1", b'"r1"', b"null", b"[]", b"0", b'"1-cpu"', b"{}"])
    new = chance.choice([b"-1", b'"x"', b"null", b"{}", b"1e999", b"99999999999999999999", b"NaN"])
    path.write_bytes(path.read_bytes().replace(old, new, chance.randint(1, 3)))


def rename(path: Path, chance: random.Random) -> None:
    target = path.parent.with_name(chance.choice(["launch-002", "1-cpu-0001", "copy", "launch-x"]))
    if not target.exists():
        shutil.move(path.parent, target)


HARM: tuple[Callable[[Path, random.Random], None], ...] = (
    flip, cut, remove, double, swap, become_folder, retype, rename,
)  # fmt: skip


@pytest.mark.parametrize("harm", HARM)
def test_no_harm_to_results_ends_a_collate(tmp_path: Path, harm: object) -> None:
    assert callable(harm)
    bundle = a_run(tmp_path)
    results = bundle.path / "results"
    shutil.copytree(results, tmp_path / "whole")
    for seed in range(12):
        shutil.rmtree(results)
        shutil.copytree(tmp_path / "whole", results)
        chance = random.Random(seed)
        files = sorted(path for path in results.rglob("*") if path.is_file())
        harm(chance.choice(files), chance)
        done = collate_data([bundle.path], tmp_path / "out").completeness
        assert done["expected"] >= 4, seed
        assert done["completed"] <= done["expected"], seed
