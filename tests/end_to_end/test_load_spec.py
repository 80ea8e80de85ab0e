"""The shipped load sweep, with short runs: from its spec to the curve in summary.json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from path import run_script, specc, specc_json

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The one load curve that collate finds in two short runs of each level."""
    folder = tmp_path_factory.mktemp("load")
    shutil.copytree(SPECS / "load", folder / "load", ignore=shutil.ignore_patterns("__pycache__"))
    text = (SPECS / "command-load.yaml").read_text(encoding="utf-8")
    for long, short in (
        ("n: 5,", "n: 2,"),
        ("seconds: 2.5", "seconds: 0.8"),
        ("path: load}", "path: load, select: all}"),
    ):
        assert text.count(long) == 1
        text = text.replace(long, short)
    (folder / "load.yaml").write_text(text, encoding="utf-8")
    made = Path(specc_json("compile", folder / "load.yaml", "--out", folder / "made")["bundle"])
    ended = run_script(made)
    assert ended.returncode == 0, ended.stderr
    collated = specc("collate", made, "--out", folder / "report")
    assert collated.returncode == 0, collated.stderr
    summary = json.loads((folder / "report" / "summary.json").read_text(encoding="utf-8"))
    for name in ("load_throughput_k01.png", "load_tail_k01.svg"):
        assert (folder / "report" / "plots" / name).stat().st_size > 1000
    [found] = summary["load"]
    return dict(found)


def test_every_level_is_a_point_of_the_curve(curve: dict[str, Any]) -> None:
    assert [point["level"] for point in curve["points"]] == [1, 2, 4, 8, 16, 32]


def test_no_level_breaks_littles_law(curve: dict[str, Any]) -> None:
    ratios = [point["little"]["ratio"] for point in curve["points"]]
    assert ratios == pytest.approx([1.0] * 6, abs=0.1)


def test_no_request_failed(curve: dict[str, Any]) -> None:
    assert [point["errors"] for point in curve["points"]] == [0] * 6


def test_the_services_limit_is_seen(curve: dict[str, Any]) -> None:
    # four requests at a time, 10 ms each: never more than 400 a second, whatever the load
    rates = [point["throughput"]["value"] for point in curve["points"]]
    assert rates[0] < 110
    assert max(rates) < 450
    assert rates[-1] < 8 * rates[0]


def test_the_clients_own_cost_is_evidence_for_or_against_it(curve: dict[str, Any]) -> None:
    evidence = curve["bottleneck"]["evidence"]
    assert [text for text in evidence if text.startswith("Client CPU busy")]
