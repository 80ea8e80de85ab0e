"""The index of studies: which bundles and reports are found, and what is told of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from results import ABundle, a_bundle, metric

from specc.collate.pipeline import collate_data
from specc.collate.values import ResultsInvalid
from specc.exporting.index import entries, markdown


def ran(root: Path, **about: str) -> ABundle:
    bundle = a_bundle(root, points=[{"size": 1}, {"size": 2}], repetitions=1, **about)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    launch.fail(bundle.tasks[1], "oom_host")
    launch.end()
    return bundle


def test_a_report_and_its_bundle_are_one_row_with_links_to_both(tmp_path: Path) -> None:
    bundle = ran(tmp_path / "bundles")
    collate_data([bundle.path], tmp_path / "reports" / "study")
    (tmp_path / "reports" / "study" / "report.md").write_text("# study\n")
    (one,) = entries([tmp_path])
    assert (one.bundle_id, one.runs, one.completed, one.expected) == (
        *(bundle.bundle_id, ("r1",), 1, 2),
    )
    assert one.purpose == "show what a report looks like"
    assert one.axes == {"size": [1, 2]}
    row = markdown([one], beside=tmp_path / "docs").splitlines()[-1]
    assert f"[results](<../bundles/{bundle.bundle_id}/results>)" in row
    assert "[report.md](<../reports/study/report.md>)" in row
    assert "| 1 of 2 |" in row


def test_a_report_whose_results_went_elsewhere_says_so(tmp_path: Path) -> None:
    bundle = ran(tmp_path / "bundles")
    collate_data([bundle.path], tmp_path / "reports")
    row = markdown(entries([tmp_path / "reports"]), beside=tmp_path).splitlines()[-1]
    assert "| not here | none |" in row


def test_a_bundle_without_a_report_is_listed_as_not_collated(tmp_path: Path) -> None:
    bundle = ran(tmp_path)
    (one,) = entries([bundle.path])
    assert (one.runs, one.report, one.started_epoch_ns) == (("r1",), None, None)
    assert "| not collated |" in markdown([one], beside=tmp_path)


def test_a_rerun_names_the_bundle_that_it_continues(tmp_path: Path) -> None:
    parent = ran(tmp_path)
    child = ran(tmp_path, parent=parent.bundle_id)
    collate_data([parent.path, child.path], tmp_path / "report")
    assert {one.bundle_id: one.continues for one in entries([tmp_path])} == {
        parent.bundle_id: None,
        child.bundle_id: parent.bundle_id,
    }


def test_files_of_other_programs_are_no_study(tmp_path: Path) -> None:
    for name in ("manifest.json", "summary.json"):
        (tmp_path / name).write_text(json.dumps({"name": "a web page"}))
    with pytest.raises(ResultsInvalid, match="there is no bundle and no report in it"):
        entries([tmp_path])
