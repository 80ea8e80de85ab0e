"""`specc verify`: is a bundle still what was compiled? With progress, and in words.

The comparison itself is the contract's, which the node uses as well.
"""

from __future__ import annotations

import threading
from pathlib import Path

from specc.problems import BundleInvalid
from specc.progress import Progress
from specc_runtime.contract.verify import Verdict, verify


def verify_bundle(bundle: Path, *, progress: Progress | None = None) -> Verdict:
    """Hash every file of a bundle and compare. Raises BundleInvalid when there is no bundle."""
    if not bundle.is_dir():
        raise BundleInvalid(f"{bundle} is not a folder", hint="name a bundle folder")
    if progress is None:
        return verify(bundle)
    lock = threading.Lock()

    def advance(count: int) -> None:
        with lock:
            progress.advance(count)

    total = sum(f.stat().st_size for f in bundle.rglob("*") if f.is_file())
    progress.start(f"verifying {bundle.name}", total)
    try:
        return verify(bundle, on_bytes=advance)
    finally:
        progress.finish()


def findings(verdict: Verdict) -> tuple[str, ...]:
    """Return one line for each file that is not as it was compiled."""
    lines = [f"changed  {path}" for path in verdict.changed]
    lines += [f"missing  {path}" for path in verdict.missing]
    lines += [f"extra    {path}" for path in verdict.extra]
    lines += [
        f"mode     {path}: {found:04o}, compiled as {stated:04o}"
        for path, stated, found in verdict.modes
    ]
    lines += [f"borrowed {path}: not as in {verdict.lender}" for path in verdict.borrowed_wrong]
    lines += [line for line in (verdict.no_lender, verdict.detail) if line]
    return tuple(lines)
