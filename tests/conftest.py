"""What every test may rely on: no variable of the person who runs them reaches specc."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SPECC_", "SLURM_", "SBATCH_")) or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
