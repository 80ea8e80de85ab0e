"""The index of studies: which bundles and reports are found, and what is told of each."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

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


def test_one_damaged_report_has_a_row_and_hides_no_other(tmp_path: Path) -> None:
    bundle = ran(tmp_path)
    collate_data([bundle.path], tmp_path / "good")
    for name, text in (("cut", '{"name": '), ("odd", None)):
        (tmp_path / name).mkdir()
        summary = json.loads((tmp_path / "good/summary.json").read_text())
        summary["bundles"] = ["a bundle of another age"]
        (tmp_path / name / "summary.json").write_text(text or json.dumps(summary))
    found = entries([tmp_path])
    assert sorted(one.name for one in found if one.damage) == ["cut", "odd"]
    assert [one.bundle_id for one in found if not one.damage] == [bundle.bundle_id]
    rows = markdown(found, beside=tmp_path).splitlines()[-3:]
    assert ["can't be read" in row for row in rows] == [True, True, False]


def test_a_folder_that_is_not_there_is_refused_beside_others(tmp_path: Path) -> None:
    bundle = ran(tmp_path)
    with pytest.raises(ResultsInvalid, match=r"gone: no such folder"):
        entries([bundle.path, tmp_path / "gone"])


def test_names_break_out_of_no_cell_and_no_link(tmp_path: Path) -> None:
    odd = tmp_path / "a|b>c`d%41\n\udce4"
    bundle = ran(odd)
    collate_data([bundle.path], tmp_path / "report")
    (tmp_path / "report").rename(odd / "report")
    summary = json.loads((odd / "report/summary.json").read_text())
    summary["name"] = "x | <b>\u202e\ny"
    summary["runs"][0]["run_id"] = "r`1|<i>"
    summary["runs"][0]["started_epoch_ns"] = 10**30
    summary["bundles"][0]["parent_bundle_id"] = "p`|\n"
    (odd / "report/summary.json").write_text(json.dumps(summary))
    page = markdown(entries([tmp_path]), beside=tmp_path)
    page.encode()
    (row,) = page.splitlines()[6:]
    cells = re.split(r"(?<!\\)\|", row)[1:-1]
    assert len(cells) == 9
    assert "<b>" not in row
    assert "<i>" not in row
    assert cells[2] == " – "
    assert cells[6] == " `p'\\| ` "
    (link,) = re.findall(r"\(<(.*)>\)", cells[7])
    assert os.fsdecode(unquote_to_bytes(link)) == f"{odd.name}/{bundle.bundle_id}/results"
