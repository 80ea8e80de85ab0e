"""Kinds that the pool imports before it forks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from specc_runtime.kinds import KINDS, PRELOADED

RUNTIME = Path(__file__).parents[2] / "runtime"


@pytest.mark.parametrize("kind", sorted(PRELOADED))
def test_a_preloaded_kind_needs_the_standard_library_alone(kind: str) -> None:
    """Without site-packages, and without threads that a fork would leave behind."""
    code = (
        f"import sys, threading; sys.path.insert(0, {str(RUNTIME)!r});"
        f"import specc_runtime.{KINDS[kind]}; print(threading.active_count())"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "1\n"), ended.stderr
