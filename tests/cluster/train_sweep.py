"""Train the smoke sweep on a Slurm of its own, and write docs/sweep-results.md: `make sweep`.

python tests/cluster/train_sweep.py FOLDER [--small] [--page-only] [--page FILE]
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from slurm import a_slurm, missing_programs
from sweep import kept, train
from sweep_page import PAGE, collated, page

_HOURS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("folder", type=Path, help="where runs, report and data set go")
    parser.add_argument("--small", action="store_true", help="24 points instead of 216")
    parser.add_argument("--page-only", action="store_true", help="collate anew what was run here")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if not options.page_only:
        missing = missing_programs()
        if missing:
            raise SystemExit(f"no Slurm here ({', '.join(missing)}); sudo make test-deps")
        for made_before in ("run", "report", "data"):
            shutil.rmtree(folder / made_before, ignore_errors=True)
        with a_slurm(nodes=4) as slurm:
            train(slurm, folder / "run", full=not options.small, seconds=3600 * _HOURS, say=_say)
    made = kept(folder / "run")
    found = collated(made, folder)
    options.page.write_text(page(made, folder, found), encoding="utf-8")
    _say(f"report: {folder}/report/report.html, data set: {folder}/data, page: {options.page}")
    complete = (found["completed"], found["failed"], found["missing"])
    if complete != (made.tasks - 1, 1, 0):
        raise SystemExit(f"completed, failed, missing: {complete}; only one should have failed")


def _say(what: str) -> None:
    print(time.strftime("%H:%M:%S"), what, flush=True)


if __name__ == "__main__":
    main()
