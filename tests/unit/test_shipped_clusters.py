"""What is said of cluster profiles: where each figure comes from, and which were never measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from specc import resources
from specc.frontend import parse_spec
from specc.model import Json

ROOT = Path(__file__).parents[2]
CHOSEN = {"limits", "description"}


def fields(schema: Json) -> Iterator[str]:
    """Yield the names of all values a profile may hold, mappings and lists opened."""
    for name, each in schema["properties"].items():
        inner = each.get("items") if "properties" in each.get("items", {}) else each
        if name not in CHOSEN and "properties" in inner:
            yield from fields(inner)
        else:
            yield name


@pytest.mark.parametrize("name", sorted(set(fields(resources.schema("cluster"))) - CHOSEN))
def test_the_documentation_says_which_command_yields_each_field(name: str) -> None:
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", (ROOT / "docs/cluster.md").read_text(), re.M)
    named = [command for field, command in rows if re.search(rf"[`.\]]{name}`", field)]
    assert len(named) == 1
    assert "`" in named[0]


def test_profile_whose_figures_nobody_measured_says_how_to_check_them(tmp_path: Path) -> None:
    spec = tmp_path / "a.yaml"
    head = "schema_version: 1\nname: a\nkind: command\nsettings: {argv: [x]}\n"
    spec.write_text(head + "cluster: meluxina\n", "utf-8")
    profile = parse_spec(spec).profile
    assert profile is not None
    said = profile["description"]
    assert "No figure here was measured" in said
    assert "`sinfo`" in said
    assert "`scontrol show partition`" in said
