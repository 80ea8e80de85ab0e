"""Measure specc itself. Figures go to docs/benchmarks.md; only counts, shares of a core and ratios
within one run can fail: wall times depend on the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
Figure = Callable[[str, str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    # a run of some of the measurements must not replace the page
    parser.addoption("--write-figures", action="store_true", help="write docs/benchmarks.md")
    parser.addoption("--add-figures", action="store_true", help="put these into it, keep the rest")
    parser.addoption("--show-figures", action="store_true", help="print the figures at the end")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.bench)


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Iterator[Figure]:
    """Note down a figure: what was measured, how much it is, and what it should be."""
    rows: list[tuple[str, str, str]] = []
    yield lambda what, found, goal: rows.append((what, found, goal))
    if pytestconfig.getoption("write_figures", default=False):
        PAGE.write_text(_page(rows), encoding="utf-8")
    if pytestconfig.getoption("add_figures", default=False):
        PAGE.write_text(_with(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    if pytestconfig.getoption("show_figures", default=False):
        print("", *(f"{what}: {found}" for what, found, _ in rows), sep="\n")


def _page(rows: list[tuple[str, str, str]]) -> str:
    lines = [
        "# What specc itself costs",
        "",
        "Written by `make bench`. Wall times depend on the machine and on what else it does, so",
        "nothing is gated on them.",
        "",
        f"Machine: {_processor()}, {len(os.sched_getaffinity(0))} cores, Python "
        f"{platform.python_version()}, load average {os.getloadavg()[0]:.1f} at the end.",
        "",
        "| what | measured | goal |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, rows)]) + "\n"


def _row(row: tuple[str, str, str]) -> str:
    return f"| {' | '.join(row)} |"


def _with(page: str, rows: list[tuple[str, str, str]]) -> str:
    """Return a page with these rows in the place of those of the same name, or behind all."""
    lines = page.splitlines()
    for row in rows:
        named = (at for at, line in enumerate(lines) if line.startswith(f"| {row[0]} |"))
        at = next(named, len(lines))
        lines[at : at + 1] = [_row(row)]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
