"""The first metric of a study: the throughput of its load, else the first one of its spec."""

from __future__ import annotations

from pathlib import Path

from specc.collate.author_order import declared_settings, load_first, ordered_like
from specc.kinds.base import Metric

SPEC = """\
schema_version: 1
settings:
  argv:
  - run

  metrics:
    throughput:
      unit: 1/s
    busy:
      unit: '%'
task:
  cpus: 1
"""


def _metrics(*names: str) -> list[Metric]:
    return [Metric(name=n, label=n, unit="", better="lower", definition="") for n in names]


def test_metrics_stand_as_the_spec_has_them(tmp_path: Path) -> None:
    (tmp_path / "spec.resolved.yaml").write_text(SPEC, "utf-8")
    of_a_task = {"argv": ["run"], "metrics": {"busy": {"unit": "%"}, "throughput": {"unit": "1/s"}}}
    found = ordered_like(declared_settings(tmp_path), of_a_task)
    assert list(found["metrics"]) == ["throughput", "busy"]


def test_what_the_spec_does_not_have_stands_behind() -> None:
    found = ordered_like({"b": 1, "a": 2}, {"a": 1, "c": 2, "b": 3})
    assert list(found.items()) == [("b", 3), ("a", 1), ("c", 2)]


def test_the_block_of_settings_ends_at_the_next_key(tmp_path: Path) -> None:
    (tmp_path / "spec.resolved.yaml").write_text(SPEC, "utf-8")
    assert list(declared_settings(tmp_path)) == ["argv", "metrics"]


def test_a_bundle_without_a_spec_keeps_its_order(tmp_path: Path) -> None:
    assert declared_settings(tmp_path) == {}


def test_a_spec_that_is_no_yaml_keeps_its_order(tmp_path: Path) -> None:
    (tmp_path / "spec.resolved.yaml").write_text("settings: {a: [\n", "utf-8")
    assert declared_settings(tmp_path) == {}


def test_the_throughput_of_the_load_comes_first() -> None:
    found = load_first(_metrics("busy", "errors", "rate"), {"load": {"throughput": "rate"}})
    assert [metric.name for metric in found] == ["rate", "busy", "errors"]


def test_without_a_load_nothing_moves() -> None:
    found = load_first(_metrics("busy", "rate"), {"slo": []})
    assert [metric.name for metric in found] == ["busy", "rate"]
