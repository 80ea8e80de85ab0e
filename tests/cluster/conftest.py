"""One Slurm for all tests of this folder that run in one process.

Where Slurm is not installed the tests are skipped, and say so; in CI they fail.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm import Slurm, a_slurm, needs_slurm

# the toy wheels that bundles with an environment of their own are made of
sys.path.append(str(Path(__file__).parents[1] / "end_to_end"))


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    needs_slurm()
    with a_slurm(nodes=4) as running:
        yield running
