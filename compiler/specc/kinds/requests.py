"""What kinds that send requests share: the fields of a request row, and its metrics.

Rows hold raw times on the node's monotonic clock; every definition is applied here. A room of such
a kind passes its records through `tables` and adds what is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from specc.kinds.base import Measurement, Metric

REQUEST = "request"
LOAD = "load"
WARM_UP = ("warmup", "warm_up")
_ROW: Mapping[str, Any] = {
    "scheduled_ns": pl.Int64(),
    "sent_ns": pl.Int64(),
    "first_ns": pl.Int64(),
    "end_ns": pl.Int64(),
    "ok": pl.Boolean(),
    "error": pl.String(),
    "operation": pl.String(),
    "tokens": pl.Int64(),
    "bytes": pl.Int64(),
}
"""Of a `request` record. scheduled_ns: when it was due, in an open loop; null in a closed one.
first_ns: when the first byte or token of the answer came. tokens, bytes: of the answer."""
_LOAD: Mapping[str, Any] = {"start_ns": pl.Int64(), "window_ns": pl.Int64()}
"""Of the one `load` record of a run: the fixed window in which its rates are counted."""

LATENCY = Metric(
    name="latency_s",
    label="Latency",
    unit="s",
    better="lower",
    definition="Time of a successful request until its whole answer was there: from when it was "
    "due in an open loop, else from when it was sent. Warm-up is left out; requests that end after "
    "the window are not. A run counts with its median.",
)
TTFT = Metric(
    name="ttft_s",
    label="Time to first token",
    unit="s",
    better="lower",
    definition="As latency, but until the first token of the answer.",
)
TPOT = Metric(
    name="tpot_s",
    label="Time per output token",
    unit="s",
    better="lower",
    definition="Time from the first token of an answer to its last over the tokens after the "
    "first; answers of one token have none.",
)
RATE = Metric(
    name="requests_per_s",
    label="Throughput",
    unit="1/s",
    better="higher",
    definition="Successful requests that ended within the fixed window over its length.",
)
TOKENS = Metric(
    name="tokens_per_s",
    label="Token throughput",
    unit="1/s",
    better="higher",
    definition="Tokens of successful answers that ended within the fixed window over its length.",
)
SUCCESS = Metric(
    name="success_pct",
    label="Success rate",
    unit="%",
    better="higher",
    definition="Share of all requests after warm-up that succeeded.",
)
METRICS = (LATENCY, RATE, SUCCESS, TTFT, TPOT, TOKENS)
"""Most important first; a kind drops those it has no use for."""

ROW_BY_ROW = frozenset({"requests", "loads"})
"""See `TallyRoom`; of what `tables` returns."""

_FEW = 8
"""Tasks up to which comparing all rows with each is quicker than to look each row's up."""

_start = pl.coalesce("scheduled_ns", "sent_ns")
_warm_up = pl.col("phase").is_in(WARM_UP).fill_null(value=False)
_good = pl.col("ok") & ~_warm_up
_latency_s = (pl.col("end_ns") - _start) / 1e9
_ttft_s = (pl.col("first_ns") - _start) / 1e9
_tpot_s = (pl.col("end_ns") - pl.col("first_ns")) / 1e9 / (pl.col("tokens") - 1)


def record_columns() -> Mapping[str, Any]:
    """Return the polars type of every field of a `request` and of a `load` record."""
    return {**_ROW, **_LOAD}


def bulk_columns() -> Mapping[str, Sequence[str]]:
    """Return the fields of a request: they come by the million."""
    return {REQUEST: ("attempt", "phase", *_ROW)}


def tables(records: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """Return `requests`, one row for each, and `loads`, the fixed window of each run."""
    keys = ("task", "attempt")
    return {
        "requests": records.filter(pl.col("type") == REQUEST).select(*keys, "phase", *_ROW),
        "loads": records.filter(pl.col("type") == LOAD).select(*keys, *_LOAD),
    }


def timed(requests: pl.LazyFrame) -> pl.LazyFrame:
    """Return the requests after warm-up, failed ones included."""
    return requests.filter(~_warm_up)


def samples(requests: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """Return the values of every request behind latency, time to first token and per token.

    The sequence is relative to the mean of a request's operation, so that a change of the mix
    doesn't look like a drift.
    """
    found = {}
    for metric, value, has in (
        (LATENCY, _latency_s, pl.lit(value=True)),
        (TTFT, _ttft_s, pl.col("first_ns").is_not_null()),
        (TPOT, _tpot_s, pl.col("first_ns").is_not_null() & (pl.col("tokens") > 1)),
    ):
        values = requests.filter(_good & has).select("task", "operation", value.alias("value"))
        usual = pl.col("value").mean().over("task", "operation")
        found[metric.name] = values.select(
            "task", "value", (pl.col("value") / usual).alias("sequence")
        )
    return found


def measurements(requests: pl.LazyFrame, loads: pl.LazyFrame) -> Iterator[Measurement]:
    """Yield the run-level values of all METRICS for each task with requests or a load."""
    for row in _counted(requests, loads).iter_rows(named=True):
        window_s = (row["window_ns"] or 0) / 1e9
        no_window = None if window_s else "no window was recorded"
        no_success = None if row["successes"] else "no request succeeded"
        for metric, count, missing in (
            (LATENCY, row["successes"], no_success),
            (TTFT, row["firsts"], no_success or "no time of a first token was recorded"),
            (TPOT, row["streams"], no_success or "no answer has two tokens and a first time"),
        ):
            # with samples a run counts with their median
            yield _measured(row["task"], metric, None, None if count else missing)
        rates = ((RATE, row["within"]), (TOKENS, row["tokens_within"]))
        for metric, count in rates:
            reason = no_window or ("no tokens were recorded" if count is None else None)
            value = count / window_s if reason is None else None
            yield _measured(row["task"], metric, value, reason)
        share = 100 * row["successes"] / row["total"] if row["total"] else None
        yield _measured(row["task"], SUCCESS, share, None if row["total"] else "no requests")


def _counted(requests: pl.LazyFrame, loads: pl.LazyFrame) -> pl.DataFrame:
    """Return one row for each run: how many requests of which sort it had, and its window."""
    window = loads.group_by("task").agg(pl.col("start_ns", "window_ns").first()).collect()
    rows = requests.select("task", "phase", "ok", "first_ns", "end_ns", "tokens")
    start, end = (
        _of_task(window["task"], each)
        for each in (window["start_ns"], window["start_ns"] + window["window_ns"])
    )
    first = _good & pl.col("first_ns").is_not_null()
    within = _good & pl.col("end_ns").is_between(start, end)
    # before they are grouped: each is then one pass over whole columns
    flags = {
        "total": ~_warm_up,
        "successes": _good,
        "firsts": first,
        "streams": first & (pl.col("tokens") > 1),
        "within": within,
    }
    counted = (
        rows.with_columns(**flags, tokens=pl.when(within).then("tokens"))
        .group_by("task")
        .agg(
            pl.col(*flags).sum(),
            tokens_within=pl.when(pl.col("tokens").count() > 0).then(pl.col("tokens").sum()),
        )
    )
    found = counted.collect(engine="streaming")
    # a run may have a window and no request
    joined = found.join(window.drop("start_ns"), on="task", how="full", coalesce=True)
    counts = pl.all().exclude("task", "window_ns", "tokens_within")
    return joined.with_columns(counts.fill_null(0)).sort("task")


def _of_task(tasks: pl.Series, values: pl.Series) -> pl.Expr:
    """Return the whole number that belongs to the task of each row; null where none does.

    A join of all rows takes several times as long.
    """
    task = pl.col("task")
    if len(tasks) > _FEW:
        return task.replace_strict(tasks, values, default=None, return_dtype=pl.Int64())
    found = pl.lit(None, dtype=pl.Int64())
    for one, value in zip(tasks, values, strict=True):
        found = pl.when(task == one).then(pl.lit(value, dtype=pl.Int64())).otherwise(found)
    return found


def _measured(task: int, metric: Metric, value: float | None, reason: str | None) -> Measurement:
    return Measurement(task=task, metric=metric.name, value=value, reason=reason)
