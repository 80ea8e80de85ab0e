"""Tables of a kind that only tests know: rows of requests and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from specc.kinds import request_results, requests
from specc.kinds.base import Measurement, Metric, Window
from specc.model import Json

record_columns = requests.record_columns
bulk_columns = requests.bulk_columns
tallies = request_results.tallies
frames = requests.tables


def metrics(
    settings: Sequence[Mapping[str, Json]], frames: Mapping[str, pl.LazyFrame]
) -> tuple[Metric, ...]:
    del settings, frames
    return requests.METRICS


def measurements(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Measurement]:
    return requests.measurements(frames["requests"], frames["loads"])


def samples(frames: Mapping[str, pl.LazyFrame]) -> Mapping[str, pl.LazyFrame]:
    return requests.samples(frames["requests"])


def windows(frames: Mapping[str, pl.LazyFrame]) -> Iterator[Window]:
    del frames
    return iter(())


def details(cells: Any, members: Mapping[str, Any], frames: Any, analysis: Any) -> dict[str, Json]:
    del cells, analysis
    return request_results.details(members, frames)


def result_cell(cell: Mapping[str, Json]) -> dict[str, Json]:
    keep = ("axes", "repetitions", "verdict", "metrics")
    return {**request_results.result_block(cell), **{key: cell[key] for key in keep}}
