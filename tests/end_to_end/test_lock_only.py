"""`specc lock --only` resolves the environments that the chosen points use, and no other."""

from __future__ import annotations

import json
from pathlib import Path

from path import SPEC, specc, specc_json
from wheelhouse import desk

TWO = """\
environment:
  small: {requirements: [toy]}
  large: {requirements: [no-such-package-here]}
when:
  - {if: {left: 1}, set: {environment: small}}
  - {if: {left: {ne: 1}}, set: {environment: large}}
"""


def test_only_the_environments_of_the_chosen_points_are_locked(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC + TWO)
    env = desk(tmp_path)
    assert specc("lock", spec, env=env).returncode == 3
    made = specc_json("lock", spec, "--only", "left=1", env=env)
    locked = json.loads(Path(made["lock"]).read_text())
    assert list(locked["environments"]) == ["small"]
    bundle = specc_json("compile", spec, "--only", "left=1", "--out", tmp_path / "b", env=env)
    assert (Path(bundle["bundle"]) / "wheels" / "toy-1.0-py3-none-any.whl").exists()


def test_a_wrong_only_option_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert specc("lock", tmp_path / "spec.yaml", "--only", "left").returncode == 2
