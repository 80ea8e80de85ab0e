"""What status.sh keeps of Slurm's words. The commands of Slurm are stood in for by scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from specc.stages import render
from specc_runtime.contract.slurm import read_words
from specc_runtime.contract.slurm_text import SACCT_FIELDS

TEXTS = Path(__file__).parent / "slurm_texts"
GONE = "slurm_load_jobs error: Invalid job id specified"


class Cluster:
    """A bundle with one submitted run, and a Slurm that answers with given texts."""

    def __init__(self, folder: Path, *jobs: int) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.bundle = folder / "a bündle"
        self.run = self.bundle / "results" / "r1"
        self.run.mkdir(parents=True)
        (self.bundle / "manifest.json").write_text("{}")
        (self.run / "jobs.tsv").write_text("".join(f"job.sbatch\t{job}\n" for job in jobs))
        text = render._fill("status.sh", name="study", sacct_fields=SACCT_FIELDS)
        (self.bundle / "status.sh").write_text(text)
        for command in ("sacct", "scontrol", "squeue"):
            self.answers(command, "")

    def answers(self, command: str, text: str) -> Cluster:
        """Let a command print a text and note its arguments; an empty text is a refusal."""
        (self.bin / f"{command}.txt").write_text(text)
        asked = f'echo "$*" >>"{self.bin}/{command}.asked"\n'
        answer = f'cat "{self.bin}/{command}.txt"\n' if text else f'echo "{GONE}" >&2; exit 1\n'
        path = self.bin / command
        path.write_text("#!/bin/sh\n" + asked + answer)
        path.chmod(0o755)
        return self

    def asked(self, command: str) -> list[str]:
        path = self.bin / f"{command}.asked"
        return path.read_text().splitlines() if path.exists() else []

    def record(self) -> dict[str, str]:
        """Run `status.sh --record`; return the kept files."""
        done = subprocess.run(
            [shutil.which("dash") or "sh", str(self.bundle / "status.sh"), "--record"],
            env={"PATH": f"{self.bin}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        folder = self.run / "slurm"
        return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def recorded(name: str, how: str) -> str:
    return (TEXTS / f"{name}.{how}.txt").read_text()


def test_accounting_is_asked_once_for_all_jobs(tmp_path: Path) -> None:
    texts = [recorded(name, "sacct") for name in ("cancelled", "timeout")]
    both = texts[0] + texts[1].partition("\n")[2]
    cluster = Cluster(tmp_path, 6, 7).answers("sacct", both)
    assert cluster.record() == {"6.sacct.txt": texts[0], "7.sacct.txt": texts[1]}
    assert cluster.asked("sacct") == [f"-P -D -j 6,7 -o {SACCT_FIELDS}"]
    assert cluster.asked("scontrol") == []


def test_job_of_another_number_is_not_mistaken_for_it(tmp_path: Path) -> None:
    head = "JobID|State"
    cluster = Cluster(tmp_path, 7, 70).answers("sacct", f"{head}\n70_1|FAILED\n7_[0-1]|PENDING\n")
    assert cluster.record() == {
        "7.sacct.txt": f"{head}\n7_[0-1]|PENDING\n",
        "70.sacct.txt": f"{head}\n70_1|FAILED\n",
    }


@pytest.mark.parametrize("accounting", ["", recorded("no-such-job", "sacct")])
def test_without_accounting_the_scheduler_is_asked(tmp_path: Path, accounting: str) -> None:
    cluster = Cluster(tmp_path, 10).answers("sacct", accounting)
    cluster.answers("scontrol", recorded("node-fail", "scontrol"))
    assert list(cluster.record()) == ["10.scontrol.txt"]
    said = read_words(cluster.run).of_element("10_1")
    assert said is not None
    assert said.category == "node"


def test_queue_is_the_last_to_be_asked(tmp_path: Path) -> None:
    text = recorded("timeout", "squeue")
    assert Cluster(tmp_path, 7).answers("squeue", text).record() == {"7.squeue.txt": text}


def test_what_slurm_has_forgotten_is_kept(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 5).answers("squeue", "5_0|FAILED|None|n1|main|me\n")
    cluster.record()
    cluster.answers("squeue", "5_1|RUNNING|None|n1|main|me\n")
    kept = "5_0|FAILED|None|n1|main|me\n5_1|RUNNING|None|n1|main|me\n"
    assert cluster.record() == {"5.squeue.txt": kept}
    cluster.answers("squeue", "")
    assert cluster.record() == {"5.squeue.txt": kept}


def test_every_start_of_a_requeued_job_is_kept(tmp_path: Path) -> None:
    first = "JobId=5 JobName=a JobState=RUNNING Restarts=0 RunTime=00:01\n"
    second = "JobId=5 JobName=a JobState=RUNNING Restarts=1 RunTime=00:02\n"
    cluster = Cluster(tmp_path, 5).answers("scontrol", first)
    cluster.record()
    cluster.answers("scontrol", second)
    assert cluster.record() == {"5.scontrol.txt": first + second}
    later = second.replace("RUNNING", "COMPLETED")
    cluster.answers("scontrol", later)
    assert cluster.record() == {"5.scontrol.txt": first + later}


def test_file_is_left_alone_when_there_is_nothing_new(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 7).answers("sacct", recorded("timeout", "sacct"))
    cluster.record()
    path = cluster.run / "slurm" / "7.sacct.txt"
    before = path.stat()
    cluster.record()
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_silence_leaves_no_words(tmp_path: Path) -> None:
    assert Cluster(tmp_path, 7).record() == {}


def test_nodes_that_are_down_are_kept_for_each_time(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, 12)
    first = "n7|down*|2026-11-22T07:08:45|Not responding\n"
    cluster.answers("sinfo", f"n6|idle|Unknown|none\n{first}{first}n8|drained|Unknown|repair\n")
    assert cluster.record()["nodes.txt"] == first
    again = first.replace("07:08:45", "09:00:00")
    cluster.answers("sinfo", again)
    assert cluster.record()["nodes.txt"] == first + again
    cluster.answers("sinfo", "n7|idle|Unknown|none\n")
    assert cluster.record()["nodes.txt"] == first + again
