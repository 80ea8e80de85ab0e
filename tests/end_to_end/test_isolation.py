"""What lies about on a machine does not reach a run, and a run leaves no mark on the bundle."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from path import SPEC, compiled, records, specc
from wheelhouse import TOY, node
from wheelhouse import compiled as compiled_toys

BAD = "raise SystemExit('a foreign {name} was imported')\n"
WITH_CODE = SPEC.replace("settings:", "code: {path: code, select: all}\nsettings:").replace(
    'echo "{\\"total\\": $((left + right))}"', 'python3 "$SPECC_BUNDLE/code/main.py"'
)


def planted(home: Path) -> dict[str, str]:
    """Put bad modules wherever Python looks by itself; return variables that lead to more."""
    version = "{}.{}".format(*sys.version_info[:2])
    user = home / ".local" / "lib" / f"python{version}" / "site-packages"
    for folder in (home, user, home / "path"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("json", "argparse", "sitecustomize", "usercustomize"):
            (folder / f"{name}.py").write_text(BAD.format(name=name))
    return {
        "PYTHONPATH": str(home / "path"),
        "PYTHONSTARTUP": str(home / "json.py"),
        "PYTHONUSERBASE": str(home / ".local"),
        "HOME": str(home),
    }


def run_in(folder: Path, bundle: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(bundle / "job.sbatch"), "--here"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_planted_modules_reach_a_site_python_as_little(tmp_path: Path) -> None:
    home = tmp_path / "home"
    bundle = compiled(tmp_path / "study")
    ended = run_in(home, bundle, {**os.environ, **planted(home)})
    assert ended.returncode == 0, ended.stderr
    assert len(records(bundle, "metric")) == 6


def test_planted_modules_reach_no_pinned_environment(tmp_path: Path) -> None:
    home = tmp_path / "home"
    bundle = compiled_toys(tmp_path / "study", TOY)
    ended = run_in(home, bundle, {**node(tmp_path), **planted(home)})
    assert ended.returncode == 0, ended.stderr
    assert [row["value"] for row in records(bundle, "metric")] == [42] * 4


@pytest.mark.parametrize("when", ["desk", "bare"])
def test_a_run_leaves_the_bundle_as_it_was(tmp_path: Path, when: str) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "helper.py").write_text("import os\ntotal = int(os.environ['left'])\n")
    (code / "main.py").write_text("import helper\nprint('{\"total\": %d}' % helper.total)\n")
    bundle = compiled(tmp_path, WITH_CODE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ended = run_in(tmp_path, bundle, kept if when == "bare" else dict(os.environ))
    assert ended.returncode == 0, ended.stderr
    assert {row["value"] for row in records(bundle, "metric")} == {1, 2, 3}
    assert specc("verify", bundle, env=kept).returncode == 0
    assert list(bundle.rglob("__pycache__")) == []
