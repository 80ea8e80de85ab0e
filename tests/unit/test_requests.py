"""What requests say: definitions on rows small enough to reckon by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from many_requests import KNOWN, a_study

from specc.collate.judging import VERDICTS
from specc.collate.pipeline import collate_data
from specc.collate.records.rows import CORE
from specc.collate.records.samples import sampled
from specc.kinds import KINDS, request_results, requests
from specc.resources import folder

LOAD = {"type": "load", "start_ns": 0, "window_ns": 2_000_000_000}
MS = 1_000_000


def row(sent_ms: int, end_ms: int, **fields: Any) -> dict[str, Any]:
    times = {"sent_ns": sent_ms * MS, "end_ns": end_ms * MS}
    return {"type": "request", "ok": True, "operation": "get", **times, **fields}


def tables(*rows: dict[str, Any]) -> dict[str, pl.LazyFrame]:
    schema = {"task": pl.Int64(), **CORE, **requests.record_columns()}
    records = [{"task": 0, "attempt": 1, **one} for one in rows]
    return requests.tables(pl.LazyFrame(records, schema=schema))


def values(metric: str, *rows: dict[str, Any]) -> list[float]:
    frame = requests.samples(tables(*rows)["requests"])[metric]
    return [round(value, 9) for value in frame.collect()["value"]]


def measured(*rows: dict[str, Any]) -> dict[str, tuple[float | None, str | None]]:
    found = tables(*rows)
    settle = sampled([requests.samples(found["requests"])]).settled
    each = map(settle, requests.measurements(found["requests"], found["loads"]))
    return {one.metric: (one.value, one.reason) for one in each}


def counted(*rows: dict[str, Any]) -> dict[str, Any]:
    return request_results.details({"c1": [0]}, tables(*rows))["c1"]


def test_latency_is_counted_from_when_a_request_was_sent_in_a_closed_loop():
    assert values("latency_s", row(10, 35)) == [0.025]


def test_latency_is_counted_from_when_a_request_was_due_in_an_open_loop():
    assert values("latency_s", row(10, 35, scheduled_ns=5 * MS)) == [0.03]


def test_failed_requests_and_warm_up_have_no_latency():
    rows = (row(0, 1), row(0, 2, ok=False), row(0, 3, phase="warmup"))
    assert values("latency_s", *rows) == [0.001]


def test_time_to_first_token_is_counted_like_latency():
    assert values("ttft_s", row(10, 35, scheduled_ns=5 * MS, first_ns=15 * MS)) == [0.01]


def test_time_per_token_leaves_the_first_one_out():
    rows = (row(0, 30, first_ns=10 * MS, tokens=5), row(0, 30, first_ns=10 * MS, tokens=1))
    assert values("tpot_s", *rows) == [0.005]


def test_a_run_counts_with_its_median_latency():
    assert measured(row(0, 1), row(0, 2), row(0, 9))["latency_s"] == (0.002, None)


def test_throughput_counts_what_ended_within_the_fixed_window():
    rows = (LOAD, row(0, 500), row(0, 2000), row(1990, 2001), row(0, 100, ok=False))
    assert measured(*rows)["requests_per_s"] == (1.0, None)


def test_token_throughput_counts_the_same_answers():
    rows = (LOAD, row(0, 500, tokens=30), row(0, 2000, tokens=10), row(1990, 2001, tokens=99))
    assert measured(*rows)["tokens_per_s"] == (20.0, None)


def test_success_is_a_share_of_all_requests_after_warm_up():
    rows = (row(0, 1), row(0, 1), row(0, 1, ok=False), row(0, 1), row(0, 1, phase="warm_up"))
    assert measured(*rows)["success_pct"] == (75.0, None)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("requests_per_s", "no window was recorded"),
        ("latency_s", "no request succeeded"),
        ("ttft_s", "no request succeeded"),
    ],
)
def test_what_is_missing_has_a_reason(metric: str, reason: str):
    assert measured(row(0, 1, ok=False))[metric] == (None, reason)


def test_a_run_with_a_window_and_no_request_is_no_run_at_rate_nothing_known():
    found = measured(LOAD)
    assert found["requests_per_s"] == (0.0, None)
    assert found["success_pct"] == (None, "no requests")


def test_the_sequence_of_a_run_does_not_move_with_the_mix_of_operations():
    slow = [row(0, 100, operation="set"), row(0, 300, operation="set")]
    found = requests.samples(tables(row(0, 1), row(0, 3), *slow)["requests"])["latency_s"]
    assert found.collect()["sequence"].to_list() == pytest.approx([0.5, 1.5, 0.5, 1.5])


def test_requests_are_counted_with_their_errors_and_without_warm_up():
    rows = [row(0, ms) for ms in (10, 20, 30, 40)]
    failed = [row(0, 5, ok=False, error="timeout"), row(0, 5, ok=False)]
    found = counted(LOAD, row(0, 1, phase="warmup"), *rows, *failed)
    assert found.pop("by_operation")["get"]["total_requests"] == 6
    assert found == {
        "total_requests": 6,
        "successful_requests": 4,
        "failed_requests": 2,
        "success_rate": pytest.approx(66.6667, abs=1e-3),
        "window_s": 2.0,
        "errors_by_type": {"timeout": 1, "unknown": 1},
    }


def test_each_operation_is_counted():
    by = counted(LOAD, row(0, 10), row(0, 30, operation="set"), row(0, 1, ok=False))["by_operation"]
    assert {name: (one["total_requests"], one["success_rate"]) for name, one in by.items()} == {
        "get": (2, 50.0),
        "set": (1, 100.0),
    }


def test_a_cell_without_requests_has_counts_of_zero_and_no_rate():
    found = request_results.details({"c1": []}, tables(row(0, 10)))["c1"]
    assert (found["total_requests"], found["success_rate"], found["window_s"]) == (0, None, None)


def test_results_of_a_run_have_the_names_that_programs_look_for(monkeypatch, tmp_path: Path):
    for kind, room in KNOWN.items():
        monkeypatch.setitem(KINDS, kind, room)
    done = collate_data([a_study(tmp_path, 8000, tokens=True).path], tmp_path / "out")
    document = json.loads((tmp_path / "out" / "results-r1.json").read_text())
    schema = json.loads((folder("schema") / "contract" / "results.schema.json").read_text())
    jsonschema.validate(document, schema)
    first, distribution = document["cells"][0], done.summary["cells"][0]["metrics"]["latency_s"]
    assert first["total_requests"] == 2000
    assert first["successful_requests"] + first["failed_requests"] == 2000
    assert first["latency_s"].keys() == {"avg", "min", "max", "p50", "p90", "p95", "p99"}
    assert first["latency_s"]["p99"] == distribution["distribution"]["p99"]
    assert first["ttft_s"].keys() == {"avg", "p50", "p99"}
    # one is sent every 100 microseconds, and some end after the window
    assert 9_000 < first["requests_per_second"] < 10_000
    assert first["tokens_per_second"] > first["requests_per_second"]
    assert first["by_operation"].keys() == {"get", "set"}


def test_results_may_have_every_verdict():
    schema = json.loads((folder("schema") / "contract" / "results.schema.json").read_text())
    cell = schema["properties"]["cells"]["items"]["properties"]
    assert sorted(cell["verdict"]["enum"]) == sorted(VERDICTS)
