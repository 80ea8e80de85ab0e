"""The documents a person reads: complete, self-contained, and safe whatever the texts are."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from results import a_bundle, metric, process
from results_inference import a_study

from specc.collate.pipeline import collate
from specc.collate.rooms import report_room
from specc.reporting.figures import drawing
from specc.reporting.notes import with_notes
from specc.resources import folder

HOSTILE = '</script><script>alert("x")</script> | <b>&amp; ümlaut'


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two algorithms over sizes; one task failed, one point is not run, texts are hostile."""
    root = tmp_path_factory.mktemp("command")
    bundle = a_bundle(
        root,
        points=[{"algo": a, "size": s} for a in ("quick", HOSTILE) for s in (1, 2, 4)],
        repetitions=2,
        settings={"metrics": {"time_s": {"unit": "s", "better": "lower"}}},
        not_run={5: "excluded"},
        spec={
            "rationale": {"size": "cost grows with it", "other": HOSTILE},
            "matrix": {"exclude": [{"where": {"size": {"ge": 8}}, "reason": "takes hours"}]},
        },
        inputs=[{"name": "corpus", "at": "cluster", "path": "/x", "pin": None, "licence": "MIT"}],
    )
    launch = bundle.run().launch()
    for number, task in enumerate(bundle.tasks):
        if number == 0:
            launch.fail(task, message=HOSTILE)
        elif task["not_run"] is None:
            seconds = task["axes"]["size"] * (1 + 0.01 * task["repetition"])
            launch.complete(task, [metric("time_s", seconds), process(seconds)])
    with (launch.path / "events.jsonl").open("a") as file:
        file.write("{")
    return collate([bundle.path], root / "out")


@pytest.fixture(scope="module")
def inference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("inference")
    return collate([a_study(root, batch_sizes=(1, 8, 64), energy=False).path], root / "out")


def read(done: Any, name: str) -> str:
    return str((done.out / name).read_text("utf-8"))


@pytest.mark.parametrize("study", ["command", "inference"])
@pytest.mark.parametrize("name", ["summary", "results"])
def test_documents_fit_their_schemas(study: str, name: str, request: pytest.FixtureRequest):
    done = request.getfixturevalue(study)
    schema = json.loads((folder("schema") / f"contract/{name}.schema.json").read_text())
    file = "summary.json" if name == "summary" else "results-r1.json"
    Draft202012Validator.check_schema(schema)
    assert [
        e.message for e in Draft202012Validator(schema).iter_errors(json.loads(read(done, file)))
    ] == []


def test_checksums_are_those_that_sha256sum_computes(command: Any):
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"],
        cwd=command.out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_checksums_name_every_file(command: Any):
    listed = {line.split("  ", 1)[1] for line in read(command, "SHA256SUMS").splitlines()}
    there = {str(p.relative_to(command.out)) for p in command.out.rglob("*") if p.is_file()}
    assert there - listed == {"SHA256SUMS"}


def test_inference_has_exactly_four_plots_as_png_and_svg(inference: Any):
    assert sorted(p.name for p in (inference.out / "plots").iterdir()) == [
        "energy_per_sample.png",
        "energy_per_sample.svg",
        "latency.png",
        "latency.svg",
        "peak_memory.png",
        "peak_memory.svg",
        "throughput.png",
        "throughput.svg",
    ]


def test_plots_have_twice_the_resolution(inference: Any):
    data = (inference.out / "plots/latency.png").read_bytes()
    width, _ = struct.unpack(">II", data[16:24])
    assert width > 2 * 560


def test_a_plot_without_data_says_why(inference: Any):
    svg = re.sub(r"<[^>]+>", " ", read(inference, "plots/energy_per_sample.svg"))
    assert "Energy per sample: not measured" in svg
    assert "permission denied" in svg


def test_error_bars_are_the_intervals_of_the_cells(command: Any):
    room = report_room("command")
    figure = next(f for f in room.figures(command.summary) if f.name == "time_s")
    rows = drawing(figure, command.summary).document["data"]["values"]
    cell = command.summary["cells"][1]["metrics"]["time_s"]
    assert (rows[1]["low"], rows[1]["high"]) == (cell["low"], cell["high"])


def test_a_geometric_axis_is_drawn_in_powers_of_two(command: Any):
    figure = report_room("command").figures(command.summary)[0]
    x = drawing(figure, command.summary).document["layer"][0]["encoding"]["x"]
    assert (x["scale"]["type"], x["scale"]["base"], x["axis"]["values"]) == ("log", 2, [1, 2, 4])


def test_few_values_of_an_axis_are_its_exact_labels(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"bytes": n} for n in (1024, 4096, 16384)], repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.complete(task, [metric("rate", 5.063e6, unit="kB/s")])
    done = collate([bundle.path], tmp_path / "out")
    svg = read(done, "plots/rate.svg")
    labels = [text for text in re.findall(r">([\d,.]+[kM]?)</text>", svg) if "," in text]
    assert labels == ["1,024", "4,096", "16,384"]


def test_words_on_the_axis_are_drawn_in_their_order(tmp_path: Path):
    bundle = a_bundle(tmp_path, points=[{"tool": "zip"}, {"tool": "ar"}], repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        launch.complete(task, [metric("time_s", 1.0)])
    done = collate([bundle.path], tmp_path / "out")
    x = drawing(report_room("command").figures(done.summary)[0], done.summary)
    assert x.document["layer"][0]["encoding"]["x"]["sort"] == ["zip", "ar"]


def test_the_page_asks_no_network_for_anything(inference: Any):
    page = _Links()
    page.feed(read(inference, "report.html"))
    assert page.loaded == []


def test_hostile_texts_add_no_element(command: Any):
    page = _Links()
    page.feed(read(command, "report.html"))
    assert page.scripts == 5
    assert "<script>alert" not in read(command, "report.html")


def test_hostile_texts_do_not_break_a_markdown_table(command: Any):
    text = read(command, "report.md").split("### Every point")[1].split("### ")[0]
    table = [x for x in text.splitlines() if x.startswith("| ") and "c0" in x]
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert len(columns) == 1


def test_charts_on_the_page_are_those_of_the_summary(inference: Any):
    page = read(inference, "report.html")
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.S)
    assert found is not None
    assert sorted(json.loads(found[1])) == ["latency", "peak_memory", "throughput"]


def test_markdown_names_every_gap_with_its_reason(command: Any):
    text = read(command, "report.md")
    assert "| not run | r1 | 2 | excluded |" in text
    assert "1 unfinished last lines (1 bytes) were cut off." in text
    assert "Input corpus is not pinned" in text


def test_findings_compare_devices_with_numbers(inference: Any):
    text = read(inference, "insights.md")
    assert re.search(r"cuda reaches [\d.]+ times the throughput of cpu", text)
    assert "No energy was measured: no powercap zone can be read (permission denied)." in text


def test_a_factor_in_a_finding_is_the_ratio_of_its_cells(inference: Any):
    cells = {c["cell"]: c for c in inference.summary["cells"]}
    found = report_room("inference").findings(inference.summary)[0]
    fast, slow = (cells[c]["metrics"]["throughput_samples_per_s"]["value"] for c in found.cells)
    assert f"reaches {fast / slow:.1f} times" in found.text


def test_report_json_carries_definitions_and_commands(command: Any):
    report = json.loads(read(command, "report.json"))
    assert report["one_page"]["completeness"]["failed"] == 1
    assert report["design_rationale"]["size"] == "cost grows with it"
    assert report["comparison"] is None


def test_the_way_to_do_it_again_names_no_folder_of_the_compiling_machine(command: Any):
    bundle = command.summary["bundles"][0]
    name, digest = bundle["bundle_id"], bundle["manifest_sha256"]
    assert name.endswith(digest[:12])
    assert command.summary["reproduce"] == [
        "# in bundles without results; beside these, name a run anew: SPECC_RUN=…",
        f"# {name}: sha256 of manifest.json {digest}",
        f"specc verify {name}",
        "# on a cluster",
        f"(cd {name} && SPECC_RUN=r1 sbatch job.sbatch)",
        "# or here",
        f"(cd {name} && SPECC_RUN=r1 bash job.sbatch --here)",
        "# when the results are back in the bundle",
        f"specc collate {name} --out report",
    ]


def test_a_study_without_results_still_has_a_report(tmp_path: Path):
    bundle = a_bundle(tmp_path, kind="inference", points=[{"batch_size": 1}])
    done = collate([bundle.path], tmp_path / "out")
    assert "No point has a value yet" in read(done, "report.html")
    assert not list(done.out.glob("results-*.json"))


class _Links(HTMLParser):
    """Collects what a browser would fetch, and counts script elements."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name == "src" or (name == "href" and tag == "link"):
                self.loaded.append(str(value))


def test_a_reason_stands_once_under_its_table_and_not_in_each_cell(command: Any):
    table = read(command, "report.md").split("### Every point")[1].split("### ")[0]
    assert table.count("not_run: excluded") == 1
    assert "– (1)" in table
    assert re.search(r"^1\. \S", table, re.MULTILINE)


def test_a_column_without_any_value_is_left_out_with_its_reason(inference: Any):
    results = read(inference, "report.md").split("### Every point")[1].split("### ")[0]
    head = next(line for line in results.splitlines() if line.startswith("|"))
    assert "Energy per sample" not in head
    assert re.search(r"^- Energy per sample \[J\]: \S", results, re.MULTILINE)


def test_points_that_were_never_measured_are_not_counted_as_invalid(command: Any) -> None:
    page = re.sub(r"<[^>]+>|\s+", " ", read(command, "report.html"))
    assert re.search(r"Points valid +4 of 5 measured|4 of 5 measured +Points valid", page)


def test_user_texts_start_no_element_in_markdown(command: Any) -> None:
    for name in ("report.md", "insights.md"):
        prose = re.sub(r"```.*?```|`[^`]*`", "", read(command, name), flags=re.S)
        assert "<" not in prose
    assert "&lt;script&gt;alert" in read(command, "report.md")


def test_every_heading_of_the_markdown_stands_after_a_blank_line(command: Any) -> None:
    lines = read(command, "report.md").splitlines()
    headings = [n for n, line in enumerate(lines) if n and line.startswith("## ")]
    assert [lines[place] for place in headings if lines[place - 1]] == []


def test_what_the_spec_excludes_stands_in_the_design_with_its_reason(command: Any) -> None:
    assert "- Excluded: size &gt;= 8 (takes hours)\n" in read(command, "report.md")
    assert "<dd>size &gt;= 8 (takes hours)</dd>" in read(command, "report.html")


def test_reasons_that_differ_in_their_figures_only_are_told_once() -> None:
    cells = [
        [{"kind": "missing", "note": f"below the {size} bytes of its parent", "text": "–"}]
        for size in (10, 20, 30)
    ]
    table = {"columns": [{"name": "Peak memory"}], "rows": cells, "more": 0}
    assert with_notes(table)["folded"] == [
        {
            "name": "Peak memory",
            "reason": "below the 10 bytes of its parent (and 2 more of the kind)",
        }
    ]
