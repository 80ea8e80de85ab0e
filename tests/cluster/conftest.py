"""One Slurm for all tests of this folder that run in one process.

Where Slurm is not installed the tests are skipped, and say so; in CI they fail.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slurm import Slurm, a_slurm, needs_slurm


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    needs_slurm()
    with a_slurm(nodes=4) as running:
        yield running
