"""specc compare on real runs of one bundle: two quiet ones, and one beside busy neighbours.

What a machine does beside the tests can't be chosen, so the first two are asked about a slowdown
by a factor of five, and of the third only that it never passes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from path import compiled, run_script, specc

SPEC = """\
schema_version: 1
name: fixed-work
kind: command
repetitions: {n: 4, order: random, seed: 1}
settings:
  argv:
    - python3
    - -c
    - |
      import json, time
      start, total = time.perf_counter(), 0
      for number in range(1_000_000):
          total += number * number
      print(json.dumps({"seconds": time.perf_counter() - start}))
  metrics:
    seconds: {from: json_lines, unit: s, better: lower, definition: wall time of the loop}
analysis: {gates: [{metric: seconds, lt: 60}]}
task: {cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 60s}
job: {time_limit: 10min}
"""
FIVEFOLD = "schema_version: 1\nmetrics: [{metric: seconds, alarm: 400, tolerate: 400}]\n"


@contextmanager
def busy_neighbours() -> Iterator[None]:
    """Keep every CPU busy twice over with other processes."""
    loop = [sys.executable, "-c", "while True: pass"]
    neighbours = [subprocess.Popen(loop) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for one in neighbours:
            one.kill()
            one.wait()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the runs r1 and r2, and r3 beside neighbours."""
    made = compiled(tmp_path_factory.mktemp("compared"), SPEC)
    for run in ("r1", "r2"):
        assert run_script(made, SPECC_RUN=run).returncode == 0
    with busy_neighbours():
        assert run_script(made, SPECC_RUN="r3").returncode == 0
    return made


@pytest.fixture(scope="module")
def fivefold(bundle: Path) -> Path:
    path = bundle.parent / "gate.yaml"
    path.write_text(FIVEFOLD, encoding="utf-8")
    return path


def test_two_runs_of_one_bundle_do_not_fail(bundle: Path, fivefold: Path) -> None:
    ended = specc("compare", f"{bundle}:r1", bundle / "results" / "r2", "--gate", fivefold)
    assert ended.returncode in (0, 5), ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[0] in ("PASS", "INCONCLUSIVE")


def test_a_run_beside_busy_neighbours_never_passes(bundle: Path) -> None:
    ended = specc("compare", f"{bundle}:r1", f"{bundle}:r3")
    assert ended.returncode in (1, 5), ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[0] in ("FAIL", "INCONCLUSIVE")


def test_a_run_is_not_held_against_itself(bundle: Path) -> None:
    ended = specc("compare", f"{bundle}:r1", bundle / "results" / "r1")
    assert ended.returncode == 6
    assert "both sides are the same run, which shows nothing: r1" in ended.stderr


def test_a_comparison_leaves_what_ci_reads(bundle: Path, fivefold: Path, tmp_path: Path) -> None:
    runs = [bundle / "results" / name for name in ("r1", "r2")]
    ended = specc("compare", *runs, "--gate", fivefold, "--out", tmp_path, "--json")
    comparison = json.loads(ended.stdout)["comparison"]
    assert {0: "PASS", 5: "INCONCLUSIVE"}[ended.returncode] == comparison["gate"]
    assert json.loads((tmp_path / "comparison.json").read_text()) == comparison
    (suite,) = Xml.parse(tmp_path / "junit.xml").getroot()
    assert [case.attrib["name"] for case in suite] == ["all cells", "the only point"]
    plots = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert plots == ["compare_seconds_value.png", "compare_seconds_value.svg"]
    assert "<h1 " in (tmp_path / "comparison.html").read_text()
    assert (tmp_path / "comparison.md").read_text().startswith(f"# {comparison['gate']}\n")


def test_several_runs_must_be_told_apart(bundle: Path) -> None:
    ended = specc("compare", bundle, bundle)
    assert ended.returncode == 2
    assert "holds several runs: r1, r2, r3" in ended.stderr


def test_another_study_is_not_comparable(bundle: Path, tmp_path: Path) -> None:
    other = compiled(tmp_path, SPEC.replace("1_000_000", "1_000").replace("n: 4", "n: 2"))
    assert run_script(other).returncode == 0
    ended = specc("compare", f"{bundle}:r1", other, "--out", tmp_path / "out")
    assert ended.returncode == 6
    assert "spec: " in ended.stderr
    assert "--across spec" in ended.stderr
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["comparable"] is False
    assert specc("compare", f"{bundle}:r1", other, "--across", "spec").returncode in (0, 1, 5)


def test_collate_holds_a_run_against_a_baseline(
    bundle: Path, fivefold: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    current = bundle / "results" / "r2"
    ended = specc(
        "collate", current, "--out", out, "--baseline", f"{bundle}:r1", "--gate", fivefold
    )
    assert ended.returncode in (0, 5), ended.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["comparison"]["baseline"]["run"] == "r1"
    assert summary["comparison"]["current"]["run"] == "r2"
    (gate,) = summary["gates"]
    assert gate["verdict"] in ("PASS", "INCONCLUSIVE")
    assert gate["text"].startswith("seconds < 60 s: of 1 cell ")
    assert (out / "junit.xml").is_file()


def test_a_bundle_with_three_runs_has_them_as_a_series(bundle: Path, tmp_path: Path) -> None:
    # the spec has a gate, and the neighbours of r3 may keep it from a PASS
    assert specc("collate", bundle, "--out", tmp_path / "report").returncode in (0, 1, 5)
    series = json.loads((tmp_path / "report" / "summary.json").read_text())["series"]
    assert [len(one["runs"]) for one in series if one["metric"] == "seconds"] == [3]


def test_a_gate_of_the_spec_decides_how_collate_ends(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, SPEC.replace("1_000_000", "1_000").replace("lt: 60", "ge: 60"))
    assert run_script(bundle).returncode == 0
    ended = specc("collate", bundle, "--out", tmp_path / "report")
    # 5 only where the tests' own neighbours were noticed
    told = {1: "FAIL", 5: "INCONCLUSIVE"}[ended.returncode]
    assert f"{told}  seconds ≥ 60 s" in ended.stdout
    assert (tmp_path / "report" / "report.html").is_file()
