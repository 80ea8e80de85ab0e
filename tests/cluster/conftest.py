"""One Slurm for all tests of this folder that run in one process.

Where Slurm is not installed the tests are skipped, and say so; in CI they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from slurm import Slurm, a_slurm, missing_programs


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    missing = missing_programs()
    if missing:
        what = f"no Slurm here ({', '.join(missing)}); to install it: sudo make test-deps"
        if os.environ.get("CI") == "true":
            pytest.fail(what)
        pytest.skip(what)
    with a_slurm(nodes=4) as running:
        yield running
