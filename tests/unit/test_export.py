"""specc export: what other programs get, read back with parsers that are not ours."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from results import ABundle, a_bundle, metric, process
from results_inference import a_study as an_inference_study

from specc.collate.pipeline import analyse, collate_data
from specc.collate.records.cache import Cache
from specc.exporting.dataset import MissingColumns, WrongType, checked
from specc.exporting.pipeline import FORMATS, Exported, UnknownFormat, export, read_formats
from specc.exporting.timeseries import series_files
from specc.kinds.command import tables as command
from specc.kinds.optional import Dataset

SPECC = Path(sys.executable).with_name("specc")
TIMES = {0.001: [2.0, 4.0], 0.1: [1.0, None]}


@pytest.fixture(autouse=True)
def epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def a_study(root: Path, **options: Any) -> ABundle:
    """Two learning rates with two repetitions each; the last task has no value, one failed."""
    bundle = a_bundle(
        root,
        points=[{"lr": lr, "note": 'a "quoted", text'} for lr in TIMES],
        repetitions=2,
        inputs=[
            {"name": "corpus", "at": "desk", "path": "inputs/corpus", "licence": "CC-BY-4.0",
             "pin": "tree:" + "0" * 64},
        ],
        **options,
    )  # fmt: skip
    launch = bundle.run().launch()
    for task in bundle.tasks:
        value = TIMES[task["axes"]["lr"]][task["repetition"]]
        if value is None:
            launch.fail(task)
        else:
            launch.complete(task, [metric("time_s", value), process()])
    launch.end()
    return bundle


def exported(bundle: ABundle, out: Path, formats: Sequence[str] = FORMATS) -> Exported:
    return export([bundle.path], out, formats)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_data_set_has_a_row_for_each_task(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    exported(bundle, tmp_path / "out", ["dataset"])
    rows = rows_of(tmp_path / "out/study.csv")
    assert [(r["lr"], r["repetition"], r["state"], r["time_s"]) for r in rows] == [
        ("0.001000", "0", "completed", "2.000000"),
        ("0.001000", "1", "completed", "4.000000"),
        ("0.100000", "0", "completed", "1.000000"),
        ("0.100000", "1", "failed", ""),
    ]
    assert [row["task_id"] for row in rows] == [task["task_id"] for task in bundle.tasks]
    assert rows[0]["note"] == 'a "quoted", text'


def test_the_metadata_says_what_the_table_holds(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    exported(bundle, tmp_path / "out", ["dataset"])
    told = json.loads((tmp_path / "out/study_metadata.json").read_text())
    data = (tmp_path / "out/study.csv").read_bytes()
    assert told["total_runs"] == 4
    assert told["export_date"] == "2023-11-14T22:13:20+00:00"
    assert told["columns"] == data.decode().splitlines()[0].split(",")
    assert (told["column_types"]["lr"], told["column_types"]["repetition"]) == ("float", "int")
    assert told["csv_sha256"] == hashlib.sha256(data).hexdigest()
    assert told["bundle_ids"] == [bundle.bundle_id]
    assert told["missing"]["time_s"]["rows"] == 1


def test_parquet_has_every_digit_where_the_csv_has_six(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().complete(bundle.tasks[0], [metric("time_s", 1.23456789012)])
    exported(bundle, tmp_path / "out", ["dataset"])
    assert rows_of(tmp_path / "out/study.csv")[0]["time_s"] == "1.234568"
    assert pl.read_parquet(tmp_path / "out/study.parquet")["time_s"].to_list() == [1.23456789012]


def test_numbers_are_never_written_with_powers_of_ten(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().complete(bundle.tasks[0], [metric("flops", 1.5e22)])
    exported(bundle, tmp_path / "out", ["dataset"])
    assert rows_of(tmp_path / "out/study.csv")[0]["flops"] == "15000000000000000000000.000000"


def test_a_value_that_would_become_zero_is_refused_with_its_place(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 0.0)])
    launch.complete(bundle.tasks[1], [metric("time_s", 4e-7)])
    out = tmp_path / "out"
    out.mkdir()
    (out / "study.csv").write_text("of an earlier export")
    made = exported(bundle, out, ["dataset"])
    assert made.refused is not None
    assert str(made.refused).startswith("column time_s, row 2: 4e-07 is not 0")
    assert not (out / "study.csv").exists()
    assert pl.read_parquet(out / "study.parquet")["time_s"].to_list() == [0.0, 4e-7]
    told = json.loads((out / "study_metadata.json").read_text())
    assert told["csv_sha256"] is None
    assert "row 2" in told["csv_reason"]


def test_a_missing_column_is_an_error_of_values() -> None:
    table = pl.DataFrame({"run_id": ["123"], "lr": [0.1]})
    wanted = Dataset(table=table, required=("run_id", "variant", "seed"), types={})
    with pytest.raises(ValueError, match="Missing required columns: variant, seed"):
        checked(wanted)
    assert issubclass(MissingColumns, ValueError)


def test_columns_get_the_types_that_are_promised() -> None:
    table = pl.DataFrame({"lr": ["0.1"], "seed": ["42"], "r_squared": ["0.98"]})
    types = {"lr": "float", "seed": "int", "r_squared": "float"}
    found = checked(Dataset(table=table, required=(), types=types))
    assert found.rows() == [(0.1, 42, 0.98)]


def test_a_value_without_its_type_is_named_by_column_and_row() -> None:
    table = pl.DataFrame({"seed": ["1", "one"]})
    with pytest.raises(WrongType, match="column seed, row 2: 'one' is no int"):
        checked(Dataset(table=table, required=(), types={"seed": "int"}))


def test_a_run_with_several_values_has_their_median(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=3)
    launch = bundle.run().launch()
    for task, values in zip(bundle.tasks, ((1.0, 2.0, 9.0), (), (5.0,)), strict=True):
        rows = [metric("time_s", value, index=at) for at, value in enumerate(values)]
        launch.complete(task, rows)
    exported(bundle, tmp_path / "out", ["dataset"])
    times = [row["time_s"] for row in rows_of(tmp_path / "out/study.csv")]
    assert times == ["2.000000", "", "5.000000"]


def test_values_of_one_run_are_a_file_of_their_own(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    launch = bundle.run().launch()
    loss = [metric("loss", value, index=at) for at, value in enumerate((3.0, 1e-9, 2.0))]
    launch.complete(bundle.tasks[0], [*loss, metric("time_s", 1.0)])
    launch.complete(bundle.tasks[1], [metric("loss", 5.0)])
    exported(bundle, tmp_path / "out", ["dataset"])
    [path] = (tmp_path / "out/timeseries").iterdir()
    assert path.name == f"{bundle.tasks[0]['task_id']}_loss.csv"
    found = [(row["index"], row["value"]) for row in rows_of(path)]
    assert found == [("0", "3.0"), ("1", "0.000000001"), ("2", "2.0")]


def test_series_of_one_task_in_two_runs_have_two_names(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    for run in ("r1", "r2"):
        rows = [metric("loss", value, index=at) for at, value in enumerate((3.0, 2.0))]
        bundle.run(run).launch(pid=len(run) + int(run[1])).complete(bundle.tasks[0], rows)
    exported(bundle, tmp_path / "out", ["dataset"])
    task = bundle.tasks[0]["task_id"]
    names = sorted(path.name for path in (tmp_path / "out/timeseries").iterdir())
    assert names == [f"{task}_r1_loss.csv", f"{task}_r2_loss.csv"]


def test_series_are_written_before_those_of_further_tasks_are_made(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": n} for n in range(3)], repetitions=1)
    launch = bundle.run().launch()
    for task in bundle.tasks:
        rows = [metric("loss", value, index=at) for at, value in enumerate((3.0, 2.0))]
        launch.complete(task, rows)
    study = analyse([bundle.path], Cache()).study
    asked: list[int] = []

    def made() -> Iterator[Mapping[str, pl.LazyFrame]]:
        # a limit below the rows of two tasks
        for number, batch in enumerate(study.records.batches(3)):
            asked.append(number)
            yield command.series(command.frames(batch))

    found = [(path, len(asked)) for path, _ in series_files(study.tasks, made())]
    assert found == [
        (f"timeseries/{task['task_id']}_loss.csv", number)
        for number, task in enumerate(bundle.tasks, start=1)
    ]


def test_batches_and_windows_of_a_run_are_series(tmp_path: Path) -> None:
    study = an_inference_study(tmp_path, batch_sizes=(8,), repetitions=1)
    exported(study, tmp_path / "out", ["dataset"])
    task = study.tasks[0]["task_id"]
    batches = rows_of(tmp_path / f"out/timeseries/{task}_latency_ms_per_batch.csv")
    assert [row["phase"] for row in batches].count("warmup") == 5
    assert len(batches) == 65
    windows = rows_of(tmp_path / f"out/timeseries/{task}_throughput_samples_per_s.csv")
    assert len(windows) == 2
    for row in windows:
        rate = float(row["samples"]) / float(row["duration_ns"]) * 1e9
        assert float(row["samples_per_s"]) == pytest.approx(rate)


def samples_of(text: str) -> dict[str, list[tuple[Mapping[str, str], float]]]:
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_prometheus_reads_the_same_numbers_as_the_summary(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    exported(bundle, tmp_path / "out", ["prometheus"])
    found = samples_of((tmp_path / "out/metrics.prom").read_text())
    cells = collate_data([bundle.path], tmp_path / "report").summary["cells"]
    assert [value for _, value in found["specc_time_s"]] == [
        cell["metrics"]["time_s"]["value"] for cell in cells
    ]
    assert [labels["verdict"] for labels, _ in found["specc_verdict"]] == [
        cell["verdict"] for cell in cells
    ]
    first = found["specc_time_s"][0][0]
    assert (first["axis_lr"], first["axis_note"]) == ("0.001", 'a "quoted", text')
    assert {labels["state"]: value for labels, value in found["specc_tasks"]} == {
        "completed": 3, "failed": 1, "not_run": 0, "missing": 0, "invalid": 0,
    }  # fmt: skip


def test_what_was_not_measured_is_left_out_of_prometheus(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}, {"n": 2}], repetitions=1)
    bundle.run().launch().complete(bundle.tasks[0], [metric("time_s", 1.0)])
    exported(bundle, tmp_path / "out", ["prometheus"])
    text = (tmp_path / "out/metrics.prom").read_text()
    assert len(samples_of(text)["specc_time_s"]) == 1
    assert "NaN" not in text


def test_names_that_prometheus_does_not_take_stay_apart(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"a-b": 1, "a.b": "x\ny\\"}], repetitions=1)
    rows = [metric("p.x", 1.0), metric("p-x", 2.0), metric("tasks", 3.0)]
    bundle.run().launch().complete(bundle.tasks[0], rows)
    exported(bundle, tmp_path / "out", ["prometheus"])
    found = samples_of((tmp_path / "out/metrics.prom").read_text())
    assert {name: found[name][0][1] for name in ("specc_p_x", "specc_p_x_2", "specc_tasks_2")} == {
        "specc_p_x": 1.0, "specc_p_x_2": 2.0, "specc_tasks_2": 3.0,
    }  # fmt: skip
    labels = found["specc_p_x"][0][0]
    assert (labels["axis_a_b"], labels["axis_a_b_2"]) == ("1", "x\ny\\")


def test_junit_has_a_case_for_each_point(tmp_path: Path) -> None:
    bundle = a_bundle(
        tmp_path, points=[{"n": n} for n in range(3)], repetitions=1, not_run={2: "no GPU"}
    )
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], [metric("time_s", 1.0)])
    launch.fail(bundle.tasks[1], message="no such file: <&>")
    exported(bundle, tmp_path / "out", ["junit"])
    root = ElementTree.parse(tmp_path / "out/junit.xml").getroot()
    outcome = {
        case.get("name"): [child.tag for child in case]
        for suite in root
        for case in suite.iter("testcase")
    }
    assert outcome == {"n 0": ["system-out"], "n 1": ["failure"], "n 2": ["skipped"]}
    for suite in root:
        cases = list(suite.iter("testcase"))
        assert suite.tag == "testsuite"
        assert int(suite.get("tests", "")) == len(cases)
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(count, "")) == sum(case.find(tag) is not None for case in cases)
        assert all(case.get("name") and case.get("classname") for case in cases)


def test_the_crate_lists_every_file_with_hash_and_size(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    made = exported(bundle, tmp_path / "out")
    told = json.loads((tmp_path / "out/ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in told["@graph"]}
    assert len(entities) == len(told["@graph"])
    written = {p.relative_to(tmp_path / "out").as_posix() for p in made.paths}
    files = {i for i, entity in entities.items() if entity["@type"] == "File"}
    assert files == written - {"ro-crate-metadata.json"}
    for name in files:
        data = (tmp_path / "out" / name).read_bytes()
        assert entities[name]["sha256"] == hashlib.sha256(data).hexdigest()
        assert entities[name]["contentSize"] == str(len(data))
    assert {part["@id"] for part in entities["./"]["hasPart"]} == files


def test_the_crate_keeps_the_must_haves_of_its_standard(tmp_path: Path) -> None:
    bundle = a_study(tmp_path)
    exported(bundle, tmp_path / "out")
    told = json.loads((tmp_path / "out/ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in told["@graph"]}
    assert told["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert (root["@type"], root["name"]) == ("Dataset", "study")
    assert (root["description"], root["datePublished"]) == (
        "show what a report looks like 3 of 4 tasks completed.",
        "2026-09-21",
    )
    assert all(entity.get("@type") for entity in entities.values())
    assert entities["#input-1-corpus"]["license"] == "CC-BY-4.0"
    assert entities[f"#run-{bundle.bundle_id}-r1"]["instrument"] == {"@id": f"#{bundle.bundle_id}"}
    named = json.dumps(told["@graph"])
    for reference in ("object", "result", "instrument", "mentions"):
        for entity in entities.values():
            value = entity.get(reference, [])
            for one in value if isinstance(value, list) else [value]:
                assert one["@id"] in entities, named
    assert not {"author", "license"} & root.keys()


def test_twice_gives_the_same_bytes_apart_from_the_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = a_study(tmp_path)
    first = exported(bundle, tmp_path / "a")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    exported(bundle, tmp_path / "b", ["dataset", "prometheus", "junit"])
    for path in first.paths:
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        if path.name == "ro-crate-metadata.json":
            continue
        if path.name == "study_metadata.json":
            mine, theirs = json.loads(path.read_text()), json.loads(other.read_text())
            assert mine.pop("export_date") != theirs.pop("export_date")
            assert mine == theirs
        else:
            assert path.read_bytes() == other.read_bytes()


def test_formats_are_named_or_refused() -> None:
    assert read_formats("all") == FORMATS
    assert read_formats("junit,dataset") == ("dataset", "junit")
    with pytest.raises(UnknownFormat, match="no format is called excel"):
        read_formats("dataset,excel")


def test_the_command_ends_with_1_where_the_csv_is_refused(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, points=[{"n": 1}], repetitions=1)
    bundle.run().launch().complete(bundle.tasks[0], [metric("time_s", 4e-7)])
    ended = subprocess.run(
        [SPECC, "export", bundle.path, "--out", tmp_path / "out", "--format", "dataset", "--json"],
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, json.loads(ended.stdout)["exit_code"]) == (1, 1)
    assert "no CSV: column time_s, row 1" in ended.stderr
    assert "take the Parquet file" in ended.stderr
    assert (tmp_path / "out/study.parquet").is_file()
