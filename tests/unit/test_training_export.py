"""The data set of a training study: its columns, types and files, read back by other parsers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from results import a_bundle
from training_records import a_sweep, points, rows

from specc.exporting.csv_text import six_decimals
from specc.exporting.dataset import checked
from specc.exporting.pipeline import export
from specc.kinds.optional import Dataset
from specc.kinds.training.exports import COLUMNS, TYPES, as_table

EXPECTED = (
    "run_id,variant,seed,lr,weight_decay,r_squared,knee_epoch,burn_in_loss,alpha_early,alpha_full,"
    "best_val_ce,best_val_epoch,loss_trajectory,val_trajectory,lambda_max_trajectory,"
    "hutch_trace_trajectory"
)
SPECC = Path(sys.executable).with_name("specc")
ONE = points(variants=["base"], lrs=[0.1], seeds=[0])


def as_dataset(rows: list[dict[str, object]]) -> pl.DataFrame:
    return checked(Dataset(table=as_table(rows), required=COLUMNS, types=TYPES))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of one run."""
    root = tmp_path_factory.mktemp("one")
    bundle = a_sweep(root, ONE)
    export([bundle.path], root / "out", ["dataset"])
    return root / "out"


def test_a_row_without_the_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="Missing required columns: variant, seed, weight_decay"):
        as_dataset([{"run_id": "123", "lr": 0.1}])


def test_texts_become_the_numbers_they_spell() -> None:
    row = {**dict.fromkeys(COLUMNS), "lr": "0.1", "seed": "42", "r_squared": "0.98"}
    found = as_dataset([row]).row(0, named=True)
    assert (found["lr"], found["seed"], found["r_squared"]) == (0.1, 42, 0.98)
    assert [type(found[name]) for name in ("lr", "seed", "r_squared")] == [float, int, float]


def test_one_run_is_one_row_with_its_learning_rate(out: Path) -> None:
    (row,) = rows_of(out / "study.csv")
    told = json.loads((out / "study_metadata.json").read_text())
    assert row["lr"] == "0.100000"
    assert told["total_runs"] == 1


def test_small_numbers_have_six_decimals_and_no_power_of_ten() -> None:
    row = {**dict.fromkeys(COLUMNS), "lr": 0.00001, "weight_decay": 1e-6}
    (values,) = csv.DictReader(six_decimals(as_dataset([row])).splitlines())
    assert (values["lr"], values["weight_decay"]) == ("0.000010", "0.000001")


def test_the_sixteen_columns_stand_in_their_order(out: Path) -> None:
    assert (out / "study.csv").read_text().splitlines()[0] == EXPECTED


def test_the_metadata_say_types_and_definitions(out: Path) -> None:
    told = json.loads((out / "study_metadata.json").read_text())
    types = told["column_types"]
    assert (types["seed"], types["lr"], types["r_squared"]) == ("int", "float", "float")
    assert types["loss_trajectory"] == "text"
    assert told["columns"] == EXPECTED.split(",")
    assert "log(step)" in told["definitions"]["alpha_early"]


def test_curves_stand_in_the_files_that_the_row_names(out: Path) -> None:
    (row,) = rows_of(out / "study.csv")
    lengths = {}
    for name in ("loss", "val", "lambda_max", "hutch_trace"):
        path = row[f"{name}_trajectory"]
        assert path == f"timeseries/{row['run_id']}_{name}.csv"
        lengths[name] = len(rows_of(out / path))
    assert lengths == {"loss": 80, "val": 80, "lambda_max": 4, "hutch_trace": 4}


def test_a_curve_has_step_epoch_and_value(out: Path) -> None:
    (path,) = (out / "timeseries").glob("*_val.csv")
    first = rows_of(path)[0]
    assert (first["step"], first["epoch"]) == ("5", "0.25")
    assert float(first["value"]) == pytest.approx(4 * 5**-0.5 + 0.1)


def test_the_training_loss_is_the_mean_of_each_quarter_of_an_epoch(out: Path) -> None:
    (path,) = (out / "timeseries").glob("*_loss.csv")
    first, second = rows_of(path)[:2]
    assert (first["step"], second["step"]) == ("5", "10")
    batches = [row["loss_train_nats"] for row in rows(0.5) if row["type"] == "batch"]
    assert float(first["value"]) == pytest.approx(sum(batches[:5]) / 5)


def test_parquet_keeps_what_six_decimals_lose(out: Path) -> None:
    (row,) = pl.read_parquet(out / "study.parquet").iter_rows(named=True)
    (text,) = rows_of(out / "study.csv")
    assert f"{row['best_val_ce']:.6f}" == text["best_val_ce"]
    assert row["best_val_ce"] == 4 * 400**-0.5 + 0.1


def test_a_failed_run_keeps_its_row_with_empty_fields(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path, kind="training", points=ONE, repetitions=1)
    bundle.run().launch().fail(bundle.tasks[0], category="diverged")
    export([bundle.path], tmp_path / "out", ["dataset"])
    (row,) = rows_of(tmp_path / "out/study.csv")
    assert (row["variant"], row["best_val_ce"], row["loss_trajectory"]) == ("base", "", "")


def test_each_run_tells_why_it_lacks_a_number(tmp_path: Path) -> None:
    three = points(variants=["base"], lrs=[0.1], seeds=[0, 1, 2])
    bundle = a_bundle(tmp_path, kind="training", points=three, repetitions=1)
    launch = bundle.run().launch()
    launch.complete(bundle.tasks[0], rows(0.5))
    short = [row for row in rows(0.5, epochs=10) if row["type"] != "curvature"]
    launch.complete(bundle.tasks[1], short)
    launch.fail(bundle.tasks[2], category="diverged")
    launch.end()
    export([bundle.path], tmp_path / "out", ["dataset"])
    told = json.loads((tmp_path / "out/study_metadata.json").read_text())["missing"]
    second = [bundle.tasks[1]["task_id"]]
    early = "the run ends at epoch 10, before the window does (15)"
    assert told["alpha_early"]["rows"] == 2
    assert told["alpha_early"]["runs"] == {early: second}
    assert told["alpha_early"]["reasons"][0].startswith("failed: ")
    assert told["alpha_early"]["reasons"][1:] == [early]
    assert told["lambda_max_trajectory"]["runs"] == {"it was not recorded": second}
    assert (told["best_val_ce"]["rows"], "runs" in told["best_val_ce"]) == (1, False)


def test_the_command_names_its_files_and_counts_the_curves(tmp_path: Path) -> None:
    bundle = a_sweep(tmp_path, ONE)
    words = [SPECC, "export", bundle.path, "--out", "out", "--format", "dataset"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        "1 task: 1 completed",
        "out/study.parquet",
        "out/study_metadata.json",
        "out/study.csv",
        "out/timeseries/ (4 files)",
    ]


def test_the_docs_explain_every_column() -> None:
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    section = text.partition("### The data set of a training study")[2].partition("\n## ")[0]
    assert [name for name in COLUMNS if f"`{name}`" not in section] == []
