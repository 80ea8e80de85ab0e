"""Collate the data of a study of requests, and print how long it took and how much memory: a
process of its own, so that the memory is its own."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parents[1] / "unit"))

from many_requests import KNOWN

from specc.collate.pipeline import collate_data
from specc.kinds import KINDS


def main() -> None:
    bundle, out, *options = sys.argv[1:]
    KINDS.update(KNOWN)
    steps: list[tuple[str, float]] = []
    started = time.perf_counter()
    said = lambda what: steps.append((what, round(time.perf_counter() - started, 2)))  # noqa: E731
    done = collate_data([Path(bundle)], Path(out), rehash="--rehash" in options, progress=said)
    wall_s = time.perf_counter() - started
    cells = {
        str(cell["axes"]["concurrency"]): cell["metrics"]["latency_s"]["distribution"]
        for cell in done.summary["cells"]
    }
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"wall_s": wall_s, "peak_mib": peak_mib, "cells": cells}
    if "--steps" in options:
        told["steps"] = steps
    print(json.dumps(told))


if __name__ == "__main__":
    main()
