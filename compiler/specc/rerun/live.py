"""Tell which shards a launch is still at work on, so that no task is run twice.

A holder on this machine is looked at; of any other the heartbeat is watched for two beats. Results
that were copied away don't beat: what runs elsewhere can't be seen from here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from specc.collate.read import Run
from specc.watching.life import lives_here
from specc_runtime.contract.leases import read_holder

WATCH_S = 11.0
"""A little over two beats of a lease (`lease.BEAT_S` of the node, 5 s)."""
_STEP_S = 0.5


def live_shards(runs: Iterable[Run], *, watch_s: float = WATCH_S) -> set[tuple[str, str]]:
    """Return (bundle id, shard) of every shard whose last launch still lives."""
    live: set[tuple[str, str]] = set()
    watched: dict[tuple[str, str], tuple[Path, bytes]] = {}
    for run in runs:
        for shard in _open_shards(run):
            holder = read_holder(run.path, shard)
            if holder is None or holder.released:
                continue
            here = lives_here(holder)
            key = (run.source.bundle_id, shard)
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
