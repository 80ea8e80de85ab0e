"""Run the probe on this machine: the same script that every bundle carries."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from specc.stages.render import probe_script


def run_probe() -> str | None:
    """Return what the probe printed here; None where there is no Slurm to ask."""
    if shutil.which("sbatch") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "probe.sh"
        script.write_text(probe_script(), encoding="utf-8")
        ended = subprocess.run(
            ["sh", str(script)], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    return ended.stdout.decode("utf-8", errors="replace")
