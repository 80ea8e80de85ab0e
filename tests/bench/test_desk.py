"""The desk: start-up, compile, verify."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from measure import SPECC, command_spec, cost


def test_help(benchmark, figure) -> None:
    costs = []
    benchmark.pedantic(lambda: costs.append(cost(SPECC, "--help")), rounds=9, warmup_rounds=1)
    best = min(costs, key=lambda each: each.wall_s)
    figure("`specc --help`", f"{best.wall_s:.2f} s ({best.cpu_s:.2f} s CPU)", "<= 0.15 s")


@pytest.mark.parametrize(
    ("points", "goal"), [(216, "<= 0.5 s"), (1000, ""), (10_000, "<= 2 s, <= 120 MiB")]
)
def test_compile(benchmark, figure, tmp_path: Path, points: int, goal: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        command_spec(points, argv='[/bin/echo, "${n}"]')
        .replace("kind: command", "kind: command\ncluster: meluxina")
        .replace("job: {", "job: {partition: cpu, ")
    )
    costs = []
    rounds = iter(range(100))

    def run() -> None:
        costs.append(cost(SPECC, "compile", spec, "--out", tmp_path / str(next(rounds))))

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    best = min(costs, key=lambda each: each.wall_s)
    [bundle] = (tmp_path / "0").iterdir()
    files = sum(path.is_file() for path in bundle.rglob("*"))
    figure(
        f"compile {points:,} points, profile checked",
        f"{best.wall_s:.2f} s ({best.cpu_s:.2f} s CPU), {best.rss_mib:.0f} MiB, {files} files",
        goal,
    )


def test_verify_against_sha256sum(benchmark, figure, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    with blob.open("wb") as file:
        for number in range(256):
            file.write(number.to_bytes(4, "little") * (1 << 18))
    spec = tmp_path / "spec.yaml"
    spec.write_text(command_spec(1) + "inputs: [{name: blob, path: blob, licence: none}]\n")
    out = tmp_path / "out"
    told = subprocess.run(
        [SPECC, "compile", spec, "--out", out, "--json"], capture_output=True, check=True
    ).stdout
    bundle = Path(json.loads(told)["bundle"])
    benchmark.pedantic(cost, args=(SPECC, "verify", bundle), rounds=3, warmup_rounds=1)
    ours = benchmark.stats.stats.min
    theirs = min(
        cost("sha256sum", "-c", "--quiet", "manifest-sha256.txt", cwd=bundle).wall_s
        for _ in range(3)
    )
    figure(
        "verify 256 MiB in one file, as a speed against `sha256sum -c`",
        f"{theirs / ours:.2f} x ({ours:.2f} s)",
        ">= 0.8 x",
    )
