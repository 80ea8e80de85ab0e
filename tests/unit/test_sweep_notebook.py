"""The notebook that reads an exported sweep runs from top to bottom and finds what is there."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from training_records import a_sweep

from specc.exporting.csv_text import every_digit, six_decimals
from specc.exporting.pipeline import export
from specc.kinds.training.exports import COLUMNS

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "loss-slope-sweep.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
VARIANTS, RATES = ("base", "bn_off", "narrow", "adamw"), (0.05, 0.1, 0.2)
CURVES = {
    "loss_trajectory": "loss",
    "val_trajectory": "val",
    "lambda_max_trajectory": "lambda_max",
    "hutch_trace_trajectory": "hutch_trace",
}


def a_table() -> pl.DataFrame:
    """24 runs: one never ran, one has no fit, the rest reach R2 0.98 but for three."""
    rng = np.random.default_rng(2)
    early = -0.5 + 0.1 * rng.normal(size=24)
    points = [(v, lr, seed) for v in VARIANTS for lr in RATES for seed in range(2)]
    rows: list[dict[str, Any]] = [
        {
            "run_id": f"1{k:02d}e4", "variant": variant, "seed": seed, "lr": lr,
            "weight_decay": 0.001, "r_squared": 0.97 if k in (3, 4, 5) else 0.99,
            "knee_epoch": None, "burn_in_loss": 0.99, "alpha_early": float(early[k]),
            "alpha_full": -0.6, "best_val_ce": 0.6 + float(early[k]) + 0.05 * rng.normal(),
            "best_val_epoch": 2.0,
            **{name: f"timeseries/1{k:02d}e4_{stem}.csv" for name, stem in CURVES.items()},
        }
        for k, (variant, lr, seed) in enumerate(points)
    ]  # fmt: skip
    rows[0]["r_squared"] = None
    rows[1] |= dict.fromkeys(["r_squared", "alpha_early", "best_val_ce", *CURVES])
    return pl.DataFrame(rows, schema_overrides={"knee_epoch": pl.Float64})


def an_export(folder: Path, table: pl.DataFrame, *, csv: bool = True) -> Path:
    """Write a table and its curves as `specc export` does."""
    names = {pl.Int64: "int", pl.Float64: "float", pl.String: "text"}
    told = {
        "total_runs": table.height,
        "columns": table.columns,
        "column_types": {n: names[t.base_type()] for n, t in table.schema.items()},
    }
    (folder / "timeseries").mkdir(parents=True)
    (folder / "study_metadata.json").write_text(json.dumps(told))
    table.write_parquet(folder / "study.parquet")
    if csv:
        (folder / "study.csv").write_text(six_decimals(table))
    steps = [4, 8, 12]
    curve = pl.DataFrame(
        {"step": steps, "epoch": [0.25, 0.5, 0.75], "value": [2.0, 1e-7, None]}, strict=False
    )
    for name in CURVES:
        for path in table[name].drop_nulls():
            (folder / path).write_text(every_digit(curve))
    return folder


def executed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the code cells in their order; return what they leave behind."""
    monkeypatch.setenv("SPECC_EXPORT", str(folder))
    names: dict[str, Any] = {}
    for cell in CELLS:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            exec(compile(ast.parse(source), cell["id"], "exec"), names)
    return names


def test_the_notebook_judges_both_hypotheses(tmp_path: Path, monkeypatch) -> None:
    table = a_table()
    found = executed(an_export(tmp_path / "exported", table), monkeypatch)
    # 23 ran; one without a fit and three below the threshold do not reach it
    assert (found["h1"].hits, found["h1"].trials) == (19, 23)
    assert found["said"] == (
        "19 of 23 runs reach R² 0.98: 95 % interval 62.9% to 93.0%, goal above 90%"
    )
    known = table.filter(pl.col("best_val_ce").is_not_null())
    rho = stats.spearmanr(known["alpha_early"], known["best_val_ce"]).statistic
    first = found["h2"].row(0, named=True)
    assert (first["runs"], first["method"], first["n"], first["configurations"]) == (
        "all", "spearman", 23, 12,
    )  # fmt: skip
    assert first["rho"] == pytest.approx(rho, abs=1e-9)
    assert first["low"] < rho < first["high"]
    assert found["h2"].height == 2 * (1 + len(VARIANTS))


def test_it_reads_what_specc_exports(tmp_path: Path, monkeypatch) -> None:
    export([a_sweep(tmp_path).path], tmp_path / "exported", ["dataset"])
    found = executed(tmp_path / "exported", monkeypatch)
    assert (found["h1"].hits, found["h1"].trials) == (16, 16)
    first = found["h2"].row(0, named=True)
    assert (first["n"], first["configurations"]) == (16, 8)
    assert first["rho"] > 0.9


def test_it_expects_the_columns_that_are_exported(tmp_path: Path, monkeypatch) -> None:
    found = executed(an_export(tmp_path / "exported", a_table()), monkeypatch)
    assert tuple(found["COLUMNS"]) == COLUMNS


def test_its_plots_are_charts_of_the_runs(tmp_path: Path, monkeypatch) -> None:
    found = executed(an_export(tmp_path / "exported", a_table()), monkeypatch)
    for name in ("h1_plot", "h2_plot", "loss_plot"):
        # to_dict checks the chart against its schema
        assert found[name].to_dict()["datasets"]
    assert found["curves"].height == 23 * 3


def test_it_takes_the_parquet_where_the_csv_was_refused(tmp_path: Path, monkeypatch) -> None:
    found = executed(an_export(tmp_path / "exported", a_table(), csv=False), monkeypatch)
    assert found["runs"].height == 24


def test_it_refuses_an_export_that_is_not_whole(tmp_path: Path, monkeypatch) -> None:
    folder = an_export(tmp_path / "exported", a_table())
    (folder / "timeseries/100e4_val.csv").unlink()
    (folder / "timeseries/102e4_loss.csv").write_text("step,epoch,value\n4,0.5,1.0\n4,1.0,1.0\n")
    with pytest.raises(ValueError, match=r"102e4_loss.csv: steps don't rise; .*100e4_val.csv is"):
        executed(folder, monkeypatch)


def test_it_is_kept_without_results() -> None:
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert {cell["execution_count"] for cell in code} == {None}
