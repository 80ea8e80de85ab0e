"""The shipped spec of ranks that meet, run here and collated; and one of which a rank fails."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from path import specc, specc_json

SPEC = Path(__file__).parents[2] / "specs" / "command-ranks.yaml"
FAILING = """\
schema_version: 1
name: failing
kind: command
settings:
  script: |
    if [ "$RANK" = 1 ]; then echo "out of luck" >&2; exit 7; fi
    sleep 60
task: {processes_per_node: 3, cpus: 1, estimate: 1s, time_limit: 50s}
job: {time_limit: 5min}
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    made = specc_json("compile", SPEC, "--out", folder)
    ran = specc("run", made["bundle"])
    assert ran.returncode == 0, ran.stderr + ran.stdout
    done = specc("collate", made["bundle"], "--out", folder / "report")
    assert done.returncode == 0, done.stderr
    return folder / "report" / "tables"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_metric_of_the_first_rank_stands_once_and_one_of_all_ranks_for_each(tables: Path) -> None:
    found = rows(tables / "metrics.csv")
    totals = {(row["rank"], row["value"]) for row in found if row["metric"] == "total"}
    assert totals == {("0", "10.0")}
    timed = [row["rank"] for row in found if row["metric"] == "all_reduce_s"]
    # 4 tasks of 20 rounds
    assert {rank: timed.count(rank) for rank in timed} == dict.fromkeys("0123", 80)


def test_the_table_of_ranks_has_their_places_and_clocks(tables: Path) -> None:
    found = [row for row in rows(tables / "ranks.csv") if row["phase"] == "start"]
    assert len(found) == 16
    assert {(row["rank"], row["node_rank"], row["local_rank"]) for row in found} == {
        ("0", "0", "0"), ("1", "0", "1"), ("2", "1", "0"), ("3", "1", "1"),
    }  # fmt: skip
    assert {row["emulated"] for row in found} == {"true"}
    for row in found:
        assert abs(int(row["clock_offset_ns"])) <= int(row["clock_uncertainty_ns"])


def test_a_program_that_fails_in_one_rank_fails_the_task(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(FAILING, encoding="utf-8")
    bundle = Path(specc_json("compile", spec, "--out", tmp_path)["bundle"])
    assert specc("run", bundle).returncode == 1
    text = next(bundle.glob("results/r1/*/launch-001/events.jsonl")).read_text(encoding="utf-8")
    assert "rank 1 of 3 on " in text
    assert "the program ended with exit code 7" in text
    assert '"exit_code":7' in text
