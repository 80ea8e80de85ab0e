"""What compare and collate say on a terminal, and where they refuse to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compared import LATENCY, a_metric, a_side, latencies, steady
from load_summaries import a_load_summary

from specc.collate import export
from specc.commands.compare import comparison_text, judged
from specc.commands.outside import InsideBundle, outside
from specc.comparing.compare import compare_sides
from specc.comparing.gate import Gate, Gated


def sealed(folder: Path) -> Path:
    for name in ("manifest.json", "tasks.jsonl"):
        (folder / name).write_text("", "utf-8")
    return folder


@pytest.mark.parametrize("inside", [".", "report", "results/r1/report"])
def test_nothing_is_written_into_a_bundle(tmp_path: Path, inside: str) -> None:
    with pytest.raises(InsideBundle, match="which is sealed"):
        outside(sealed(tmp_path) / inside)


def test_a_folder_beside_a_bundle_is_taken(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    sealed(tmp_path / "study")
    assert outside(tmp_path / "study-report") == tmp_path / "study-report"


def noted(*contaminated: str) -> dict[str, Any]:
    """Compare points whose current side is contaminated; each text is one point's reason."""
    old = a_side(latencies(*([10.0] * len(contaminated))))
    new = a_side(latencies(*([10.0] * len(contaminated))))
    for cell, why in zip(new.summary["cells"], contaminated, strict=True):
        causes = [("CONTAMINATED", why)]
        cell["metrics"]["latency_ms"] = a_metric(LATENCY, steady(10.0), causes=causes)
    return compare_sides(old, new, Gate(metrics=(Gated(metric="latency_ms"),)), across=())


def test_notes_that_differ_in_numbers_alone_are_told_once() -> None:
    found = comparison_text(
        noted("others kept 1.0 of 2 CPUs busy", "others kept 1.9 of 2 CPUs busy")
    )
    notes = [line for line in found.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: current CONTAMINATED: others kept 1.0 to 1.9 of 2 CPUs busy (2 of 2 rows)"
    ]


def test_a_run_that_is_contaminated_throughout_says_that_it_decides_nothing() -> None:
    assert "can neither PASS nor FAIL" in noted("2 others", "2 others")["primary"]["text"]


def test_a_percentile_that_no_run_has_says_why_nothing_is_compared() -> None:
    gate = Gate(metrics=(Gated(metric="latency_ms", statistic="p99"),))
    found = compare_sides(a_side(latencies(10.0)), a_side(latencies(10.0)), gate, across=())
    assert found["primary"]["text"] == (
        "latency, p99: nothing to compare; its runs have no p99: they have single values"
    )


def test_an_objective_of_a_load_curve_is_told_by_its_curve() -> None:
    summary = a_load_summary("plateau")
    [answer] = summary["load"][0]["slo"]
    limit = {key: answer[key] for key in ("metric", "statistic", "op", "limit")}
    gates = [{**limit, "role": "slo", "verdict": "INCONCLUSIVE", "text": "6 undecided"}]
    lines, _, code = judged({**summary, "gates": gates, "comparison": None}, by_file=False)
    assert lines == [f"MET  {answer['text']}"]
    assert code == 0


def an_old_report(folder: Path) -> None:
    """Write a report of two files and the list that vouches for them."""
    files = [folder / name for name in ("kept.json", "plots/gone.png")]
    for file in files:
        export.write_text(file, "old")
    export.write_sums(folder, files)


def test_a_file_of_an_earlier_report_that_this_one_has_not_is_removed(tmp_path: Path) -> None:
    an_old_report(tmp_path)
    before = export.vouched_for(tmp_path)
    export.remove_stale(tmp_path, before, [tmp_path / "kept.json"])
    assert not (tmp_path / "plots" / "gone.png").exists()
    assert (tmp_path / "kept.json").read_text("utf-8") == "old"


def test_a_file_that_was_changed_or_that_nobody_listed_is_left(tmp_path: Path) -> None:
    an_old_report(tmp_path)
    (tmp_path / "plots" / "gone.png").write_text("mine now", "utf-8")
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    export.remove_stale(tmp_path, export.vouched_for(tmp_path), [])
    assert (tmp_path / "plots" / "gone.png").exists()
    assert (tmp_path / "notes.txt").exists()


def test_a_list_that_names_files_elsewhere_removes_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "outside.txt").write_text("", "utf-8")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (tmp_path / "report" / export.SUMS).write_text(f"{empty}  ../outside.txt\n", "utf-8")
    export.remove_stale(tmp_path / "report", export.vouched_for(tmp_path / "report"), [])
    assert (tmp_path / "outside.txt").exists()


def test_a_percentile_of_a_point_that_never_ran_says_so() -> None:
    gate = Gate(metrics=(Gated(metric="latency_ms", statistic="p99"),))
    never = a_side([{"latency_ms": []}])
    for cell in never.summary["cells"]:
        cell["metrics"]["latency_ms"]["reason"] = "not run yet"
    found = compare_sides(never, a_side([{"latency_ms": []}]), gate, across=())
    assert found["primary"]["text"] == "latency, p99: nothing to compare; not run yet"
