"""The shipped spec with a server: compiled, run on this machine, collated."""

from __future__ import annotations

from pathlib import Path

import pytest
from path import records, run_script, specc, specc_json

SPEC = Path(__file__).parents[2] / "specs" / "command-server.yaml"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle, run once."""
    folder = tmp_path_factory.mktemp("served")
    made = Path(specc_json("compile", SPEC, "--out", folder)["bundle"])
    ended = run_script(made)
    assert ended.returncode == 0, ended.stderr
    return made


def test_every_task_was_answered_by_its_jobs_server(bundle: Path) -> None:
    rates = [r["value"] for r in records(bundle, "metric") if r["metric"] == "requests_per_s"]
    assert len(rates) == 9
    assert min(rates) > 0


def test_each_of_its_three_jobs_has_the_servers_log(bundle: Path) -> None:
    logs = sorted((bundle / "results" / "r1").glob("*/launch-001/fixture.api.log"))
    assert [path.read_text()[:9] for path in logs] == ["listening"] * 3


def test_collate_takes_it(bundle: Path, tmp_path: Path) -> None:
    ended = specc("collate", bundle, "--out", tmp_path / "report")
    assert ended.returncode == 0, ended.stderr
    assert "9 tasks: 9 completed" in ended.stdout + ended.stderr
