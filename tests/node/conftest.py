"""How the node's own processes are measured.

Bundles are run by real interpreters (`python -I -B -X utf8 …/__main__.py`). `coverage run -m
pytest` measures them too, with `patch = ["subprocess", "_exit", "execv"]` in pyproject.toml:
isolated mode ignores PYTHON* variables but not the .pth file that coverage puts beside itself,
forks leave through os._exit, and [tool.coverage.paths] folds a bundle's copy of the runtime into
this one.
What is killed by SIGKILL is not measured.
"""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for a bundle whose name is hard on scripts."""
    folder = tmp_path / "a bündle here"
    folder.mkdir()
    return folder
