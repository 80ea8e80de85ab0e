"""The environments of the shipped specs hold what the node's rooms of their kinds import."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
BROUGHT_ALONG = {"tokenizers"}  # by transformers
ROOMS = ROOT / "runtime" / "specc_runtime" / "kinds"


def _specs() -> dict[str, tuple[str, list[str]]]:
    """Return kind and requirements of each spec that has an environment built for it."""
    found = {}
    for path in sorted((ROOT / "specs").glob("*.yaml")):
        spec = YAML(typ="safe").load(path)
        if requirements := (spec.get("environment") or {}).get("requirements"):
            found[path.name] = (spec["kind"], requirements)
    return found


def _imported(kind: str) -> set[str]:
    """Return the packages that importing any module of a kind's room needs."""
    names: set[str] = set()
    for path in (ROOMS / kind).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
    return names - sys.stdlib_module_names


@pytest.mark.parametrize("name", _specs())
def test_environment_of_a_shipped_spec_has_what_its_kind_imports(name: str) -> None:
    kind, requirements = _specs()[name]
    stated = {re.split(r"[^\w-]", one)[0] for one in requirements}
    assert _imported(kind) - BROUGHT_ALONG <= stated


def test_training_imports_torch_and_safetensors() -> None:
    assert _imported("training") == {"torch", "safetensors"}
