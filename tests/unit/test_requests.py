"""What requests say: definitions on rows small enough to reckon by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from specc.collate.rows import CORE
from specc.collate.samples import sampled
from specc.kinds import requests

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


def summary(*rows: dict[str, Any]) -> dict[str, Any]:
    found = tables(*rows)
    return requests.request_summary(found["requests"], found["loads"])


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


def test_the_summary_counts_and_describes_all_runs_together():
    rows = [row(0, ms, tokens=10) for ms in (10, 20, 30, 40)]
    failed = [row(0, 5, ok=False, error="timeout"), row(0, 5, ok=False)]
    found = summary(LOAD, *rows, *failed)
    assert {key: found[key] for key in list(found)[:4]} == {
        "total_requests": 6,
        "successful_requests": 4,
        "failed_requests": 2,
        "success_rate": pytest.approx(66.6667, abs=1e-3),
    }
    # between 30 and 40 ms: p90 at rank 2.7 of 0 to 3
    assert found["latency_s"] == pytest.approx(
        {"avg": 0.025, "min": 0.01, "max": 0.04, "p50": 0.025, "p90": 0.037, "p95": 0.0385,
         "p99": 0.0397}
    )  # fmt: skip
    assert (found["requests_per_second"], found["tokens_per_second"]) == (2.0, 20.0)
    assert found["errors_by_type"] == {"timeout": 1, "unknown": 1}
    assert found["ttft_s"] is None


def test_the_summary_describes_each_operation():
    found = summary(LOAD, row(0, 10), row(0, 30, operation="set"), row(0, 1, ok=False))
    by = found["by_operation"]
    assert {name: (one["total_requests"], one["failed_requests"]) for name, one in by.items()} == {
        "get": (2, 1),
        "set": (1, 0),
    }
    assert by["set"]["latency_s"]["p99"] == pytest.approx(0.03)


def test_the_summary_has_no_rate_without_a_window():
    assert summary(row(0, 10))["requests_per_second"] is None
