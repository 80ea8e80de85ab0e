"""Collate the data of a study of requests, and print how long it took and how much memory: a
process of its own, so that the memory is its own."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parents[1] / "unit"))

from specc.collate.memory import keep_memory

NAMES = ("p50", "p90", "p95", "p99", "p99.9")


def _by_run(out: Path) -> Iterator[tuple[str, list[float]]]:
    """Yield task ids with the percentiles that the summary has of each run."""
    for cell in json.loads((out / "summary.json").read_text())["cells"]:
        statistics = cell["metrics"]["latency_s"]["statistics"]
        for number, task in enumerate(cell["tasks"]):
            yield task, [statistics[name]["run_values"][number] for name in NAMES]


def main() -> None:
    keep_memory()  # as the command does, before anything else loads polars
    from many_requests import KNOWN

    from specc.collate.pipeline import collate_data
    from specc.kinds import KINDS

    bundle, out, *options = sys.argv[1:]
    KINDS.update(KNOWN)
    steps: list[tuple[str, float]] = []
    started = time.perf_counter()
    said = lambda what: steps.append((what, round(time.perf_counter() - started, 2)))  # noqa: E731
    collate_data([Path(bundle)], Path(out), rehash="--rehash" in options, progress=said)
    wall_s = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "wall_s": wall_s,
        "until_analysed_s": next(at for what, at in steps if what == "writing tables"),
        "peak_mib": used.ru_maxrss / 1024,
        "cpu_s": used.ru_utime + used.ru_stime,
        "runs": dict(_by_run(Path(out))),
    }
    if "--steps" in options:
        told["steps"] = steps
    print(json.dumps(told))


if __name__ == "__main__":
    main()
