"""The documents keep their promises: links lead somewhere, and marked examples really run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from house import ROOT, shown, tracked
from specc.cli import VERBS
from specc.problems import ExitCode

MARKDOWN = [path for path in tracked() if path.suffix == ".md"]
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_BLOCK = re.compile(r"<!-- runnable -->\n```console\n(.*?)```", re.DOTALL)


def _blocks() -> list[tuple[str, str]]:
    return [
        (shown(path), block)
        for path in MARKDOWN
        for block in _BLOCK.findall(path.read_text(encoding="utf-8"))
    ]


def test_every_relative_link_leads_to_a_file() -> None:
    broken = []
    for path in MARKDOWN:
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in _LINK.findall(text):
            target = link.partition("#")[0]
            if target and ":" not in target and not (path.parent / target).exists():
                broken.append(f"{shown(path)} -> {link}")
    assert broken == []


def test_the_readme_has_examples_that_run() -> None:
    assert any(name == "README.md" for name, _ in _blocks())


@pytest.mark.parametrize(("name", "block"), _blocks())
def test_a_marked_example_runs(name: str, block: str, tmp_path: Path) -> None:
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    assert commands
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, f"{name}:\n{ended.stdout}{ended.stderr}"


def test_the_readme_names_every_command() -> None:
    table = (ROOT / "README.md").read_text("utf-8").partition("## Commands\n")[2].partition("\n## ")
    verbs = {verb.__name__.rstrip("_") for verb in VERBS} | {"cluster"}
    named = set(re.findall(r"`([a-z]+)`", table[0].partition("`specc VERB")[0]))
    assert named == verbs


def test_the_readme_names_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert [int(code) for code in codes] == [int(code) for code in ExitCode]


def test_the_page_of_dependencies_names_every_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *project["dependency-groups"]["dev"],
    ]
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    names = {re.split(r"[\[<>=~ ]", one)[0] for one in listed}
    assert sorted(name for name in names if name not in page) == []
