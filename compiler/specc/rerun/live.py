"""Tell which shards a launch is still at work on, so that no task is run twice.

Slurm's queue is asked where there is one. A holder on this machine is looked at; of any other the
heartbeat is watched for two beats. Results that were copied away don't beat: what runs elsewhere
can't be seen from here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from specc.collate.finding.read import Run
from specc.watching.jobs import find_jobs
from specc.watching.life import lives_here
from specc.watching.queue import ask_queue
from specc_runtime.contract.leases import read_holder
from specc_runtime.contract.runs import LaunchState
from specc_runtime.contract.slurm import recorded_jobs

WATCH_S = 11.0
"""A little over two beats of a lease (`lease.BEAT_S` of the node, 5 s)."""
_STEP_S = 0.5
_RECORD_S = 90.0


def live_shards(
    runs: Iterable[Run], *, known: Collection[tuple[str, str]] = (), watch_s: float = WATCH_S
) -> set[tuple[str, str]]:
    """Return (bundle id, shard) of every shard whose last launch still lives.

    known: need not be looked at, whatever comes of it.
    """
    live: set[tuple[str, str]] = set()
    watched: dict[tuple[str, str], tuple[Path, bytes]] = {}
    for run in runs:
        for shard in _open_shards(run):
            holder = read_holder(run.path, shard)
            if holder is None or holder.released:
                continue
            here = lives_here(holder)
            key = (run.source.bundle_id, shard)
            if key in known:
                continue
            if here:
                live.add(key)
            elif here is None and (path := _heartbeat(run.path, shard)) is not None:
                watched[key] = (path, _read(path))
    end = time.monotonic() + watch_s
    while watched and time.monotonic() < end:
        time.sleep(_STEP_S)
        for key, (path, seen) in list(watched.items()):
            if _read(path) != seen:
                live.add(key)
                del watched[key]
    return live


def queued_shards(runs: Sequence[Run]) -> set[tuple[str, str]]:
    """Return (bundle id, shard) of every shard whose job runs or waits, as the queue here says.

    One call of squeue; without one, or without its answer, nothing is known.
    """
    jobs = [find_jobs(Path(run.path), run.source.manifest["shapes"]) for run in runs]
    queue = ask_queue(job for each in jobs for job in each.ids)
    return {
        (run.source.bundle_id, shard)
        for run, of_run in zip(runs, jobs, strict=True)
        for shard in {row.shard for row in run.source.tasks if row.shard is not None}
        if of_run.in_queue(shard, _launches(run, shard), queue)
    }


def record_words(runs: Iterable[Run]) -> bool:
    """Let each bundle's own status.sh write down what Slurm says of its jobs; False where none can.

    Slurm forgets, and what it says decides over what a task may try again. Of a copy nothing is
    asked: its job numbers may be those of others here.
    """
    if shutil.which("squeue") is None:
        return False
    asked = False
    for run in runs:
        script = run.source.path / "status.sh"
        results = Path(run.path).parent
        if not script.is_file() or not os.access(run.path, os.W_OK) or not _submitted_here(run):
            continue
        own = results == run.source.path / "results"
        place = {} if own else {"SPECC_RESULTS": str(results.parent)}
        command = ["sh", str(script), "--record", run.run_id]
        asked = _said(command, {"SPECC_RESULTS": "", **place}) is not None or asked
    return asked


def _submitted_here(run: Run) -> bool:
    """Tell whether Slurm knows one of a run's jobs, and that it was submitted in this bundle."""
    jobs = ",".join(job for _, job in recorded_jobs(run.path))
    said = jobs and _said(["squeue", "-h", "-t", "all", "-j", jobs, "-o", "%Z"], {})
    folders = {Path(line) for line in (said or "").splitlines() if line.startswith("/")}
    return any(each.is_dir() and each.samefile(run.source.path) for each in folders)


def _said(command: list[str], more: dict[str, str]) -> str | None:
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_RECORD_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout


def _launches(run: Run, shard: str) -> list[LaunchState]:
    return [launch for launch in run.launches if launch.folder.shard_id == shard]


def _open_shards(run: Run) -> list[str]:
    """Return the shards whose last launch has not said its end."""
    last = {launch.folder.shard_id: launch for launch in run.launches}
    return [shard for shard, launch in last.items() if launch.ended is None]


def _heartbeat(run: str, shard: str) -> Path | None:
    numbers = [p for p in Path(run, shard, "lease").glob("*") if p.name.isdigit()]
    newest = max(numbers, key=lambda path: int(path.name), default=None)
    return None if newest is None else newest / "heartbeat"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
