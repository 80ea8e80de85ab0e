"""What a command must not load: start-up time is kept by structure, not by a stopwatch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from house import NODE, ROOT, modules

HEAVY = ("polars", "altair", "torch", "flask", "vl_convert", "transformers", "typst", "pptx")


def _loaded(*arguments: str) -> set[str]:
    code = (
        "import sys, atexit\n"
        "tops = lambda: {name.partition('.')[0] for name in sys.modules}\n"
        "atexit.register(lambda: print('\\n', *tops()))\n"
        f"sys.argv = ['specc', *{arguments!r}]\n"
        "from specc.cli import main\nmain()"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.splitlines()[-1].split())


def test_help_loads_nothing_heavy() -> None:
    unwanted = {*HEAVY, "jsonschema", "ruamel", "jinja2", "rich"}
    assert _loaded("--help") & unwanted == set()


def test_validate_loads_no_tables_plots_or_models() -> None:
    assert _loaded("validate", "specs/command-python.yaml") & set(HEAVY) == set()


def test_the_node_core_starts_with_the_standard_library_alone(tmp_path: Path) -> None:
    core = [
        name
        for name, path in modules().items()
        if path.is_relative_to(NODE)
        and path.name not in ("__init__.py", "__main__.py")
        and not {"ml", "kinds"} & set(path.relative_to(NODE).parts)
    ]
    code = f"import sys; sys.path.insert(0, {str(NODE.parent)!r})\n" + "\n".join(
        f"import {name}" for name in core
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
