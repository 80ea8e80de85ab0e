"""The shipped sweep on a night with a broken node: from a pilot to a report of all 48 points."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from jobs import SPECC, awaited, events, launch, shell, states, submitted
from slurm import Slurm, wait_until
from stopping import start_again

SPECS = Path(__file__).parents[2] / "specs"


class Night:
    """A user's folder, and what is asked for there."""

    def __init__(self, slurm: Slurm, folder: Path) -> None:
        self.slurm = slurm
        self.folder = folder
        self.spec = folder / "command-sweep.yaml"
        shutil.copytree(SPECS / "sweep", folder / "sweep")
        text = (SPECS / "command-sweep.yaml").read_text(encoding="utf-8")
        # a copy, and no clone: nothing here is under git
        text = text.replace("{path: sweep}", "{path: sweep, select: all}")
        text = text.replace("--seconds, 3]", "--seconds, 2]")
        self.spec.write_text(f"{text}cluster: night\n", encoding="utf-8")

    def specc(self, *words: str | Path) -> Any:
        ended = shell(self.slurm, SPECC, *words, "--json", cwd=self.folder)
        assert ended.returncode == 0, ended.stderr + ended.stdout
        return json.loads(ended.stdout)

    def write_profile(self) -> None:
        """Let the cluster tell of itself, by the probe of any bundle."""
        any_bundle = self.specc("pilot", SPECS / "command-sweep.yaml", "--out=first")["bundle"]
        probe = self.folder / "probe.txt"
        probe.write_text(shell(self.slurm, f"{any_bundle}/probe.sh", cwd=self.folder).stdout)
        ended = shell(
            self.slurm, SPECC, "cluster", "profile", "--name=night", "--from", probe,
            cwd=self.folder,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        (self.folder / "clusters").mkdir()
        (self.folder / "clusters" / "night.yaml").write_text(ended.stdout, encoding="utf-8")


def test_all_points_are_measured_and_the_report_names_what_happened(
    slurm: Slurm, tmp_path: Path
) -> None:
    night = Night(slurm, tmp_path)
    night.write_profile()
    pilot = Path(night.specc("pilot", night.spec)["bundle"])
    for job in submitted(slurm, tmp_path / pilot):
        assert {one.state for one in awaited(slurm, job, seconds=60).values()} == {"COMPLETED"}
    assert night.specc("pilot", night.spec, "--from", pilot, "--apply")["answer"] == "GO"

    bundle = tmp_path / night.specc("compile", night.spec)["bundle"]
    light, heavy = submitted(slurm, bundle)
    for shard in ("1-cpu-0002", *(f"2-cpu-{number:04d}" for number in range(4))):
        assert wait_until(lambda shard=shard: _works(bundle, shard), 30), shard
    slurm.ask("scancel", f"{light}_2")
    died = launch(bundle, "2-cpu-0000")["slurm"]["SLURM_JOB_NODELIST"]
    slurm.kill_node(died)
    try:
        back = sorted(n for n, state in states(slurm, heavy).items() if state == "PENDING")
        assert 0 in back
        assert awaited(slurm, light, seconds=60)[2].state == "CANCELLED"

        found = night.specc("rerun", bundle)
        fates = {(task["fate"], task["cause"]) for task in found["tasks"]}
        # what the node took along waits in the queue and comes back by itself
        assert fates == {("again", "cancelled"), ("again", "missing"), ("running", "running")} or (
            fates == {("again", "cancelled"), ("running", "running")}
        )
        child = Path(found["bundle"])
        (again,) = submitted(slurm, child)
        assert {one.state for one in awaited(slurm, again, seconds=60).values()} == {"COMPLETED"}
        for index in back:
            start_again(slurm, heavy, index, lost=died)
        assert {one.state for one in awaited(slurm, heavy, seconds=90).values()} == {"COMPLETED"}
    finally:
        slurm.start_node(died)

    night.specc("collate", bundle, child, "--out", "report")
    summary = json.loads((tmp_path / "report" / "summary.json").read_text(encoding="utf-8"))
    counts = summary["completeness"]
    assert (counts["expected"], counts["completed"], counts["duplicate"]) == (48, 48, 0)
    told = {(one["category"], one["axes"]["problem"]) for one in summary["interruptions"]}
    assert told == {("cancelled", "integral"), ("node", "plate")}
    assert all(one["completed_by"] for one in summary["interruptions"])
    (blamed,) = {
        one["message"].rpartition(": ")[2]
        for one in summary["interruptions"]
        if one["category"] == "node"
    }
    assert blamed == f"{died} (killed by a test)"
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "48 of 48 tasks completed." in page
    assert 'id="table-interruptions"' in page


def _works(bundle: Path, shard: str) -> bool:
    return any(event["event"] == "task_started" for event in events(bundle, shard))
