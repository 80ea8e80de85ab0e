"""Work by GPU, core and joule: the pure ratios, and the best point of a study on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from results import a_bundle, metric

from specc.analysis.efficiency import Efficiency, best, per_joule, per_joule_of, per_unit
from specc.analysis.intervals import over_runs
from specc.collate.pipeline import collate_data

SECOND = 1_000_000_000
RATES = (100.0, 110.0, 90.0)
NVML = {"scope": "device", "source": "nvml"}


def test_a_rate_by_gpus_keeps_the_relative_interval_of_the_rate():
    found = per_unit(RATES, 4, unit="samples/s", of="GPU")
    plain = over_runs(RATES)
    assert found.unit == "samples/s per GPU"
    assert plain.centre is not None
    assert plain.low is not None
    assert found.value == pytest.approx(plain.centre / 4)
    assert found.low == pytest.approx(plain.low / 4)
    assert (found.runs, found.reason) == (3, None)


def test_half_a_gpu_doubles_the_rate_of_a_whole_one():
    assert per_unit([50.0], 0.5, unit="samples/s", of="GPU").value == 100.0


def test_without_the_resource_there_is_a_reason_and_no_zero():
    found = per_unit(RATES, 0, unit="samples/s", of="GPU")
    assert (found.value, found.reason) == (None, "no GPU was asked for")


def test_one_run_has_a_value_and_no_interval():
    found = per_unit([8.0], 2, unit="samples/s", of="core")
    assert (found.value, found.low, found.high) == (4.0, None, None)
    assert found.reason is not None


def test_work_by_joule_pairs_each_run_with_its_own_power():
    found = per_joule([100.0, 200.0], [50.0, 100.0], unit="samples/s", **NVML)
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)
    assert (found.unit, found.scope, found.source) == ("samples per J", "device", "nvml")


def test_work_by_the_minute_is_not_taken_for_work_by_the_second():
    found = per_joule([6000.0, 6000.0], [50.0, 50.0], unit="ops/min", **NVML)
    assert (found.value, found.unit) == (2.0, "ops per J")


def test_what_is_not_by_time_has_no_work_by_joule():
    found = per_joule([100.0], [50.0], unit="qps", **NVML)
    assert (found.value, found.reason) == (
        None,
        "'qps' is not by time: what a joule buys is not told",
    )


def test_a_run_without_power_is_left_out_and_told():
    found = per_joule(RATES, [50.0, None, 45.0], unit="samples/s", **NVML)
    assert found.value == pytest.approx(2.0)
    assert found.reason == "1 of 3 runs have no power"


def test_no_power_at_all_is_a_reason():
    found = per_joule(RATES, [None] * 3, unit="samples/s", **NVML)
    assert (found.value, found.reason) == (None, "no power of the device was measured")


def test_powers_of_other_runs_are_refused():
    with pytest.raises(ValueError, match="zip"):
        per_joule(RATES, [50.0], unit="samples/s", **NVML)


def test_joules_by_item_turn_over_with_their_bounds():
    found = per_joule_of([0.5, 0.4, 0.6], item="samples", **NVML)
    plain = over_runs([0.5, 0.4, 0.6])
    assert plain.centre is not None
    assert plain.high is not None
    assert found.value == pytest.approx(1 / plain.centre)
    assert found.low == pytest.approx(1 / plain.high)


@pytest.mark.parametrize(
    ("joules", "reason"),
    [([], "no energy of the device was measured"),
     ([1.0, 0.0], "a run took no energy: the counter stood still")],
)  # fmt: skip
def test_no_energy_is_a_reason(joules: list[float], reason: str):
    assert per_joule_of(joules, item="samples", **NVML).reason == reason


def test_the_best_is_the_largest_and_none_without_values():
    low, high = (per_unit([x], 1, unit="1/s", of="core") for x in (1.0, 2.0))
    assert best({"a": low, "b": high}) == "b"
    assert best({"a": per_unit([1.0], None, unit="1/s", of="core")}) is None


def test_joules_of_different_scopes_are_never_compared():
    def of(scope: str) -> Efficiency:
        return per_joule([1.0], [1.0], unit="samples/s", scope=scope, source="x")

    with pytest.raises(ValueError, match="not comparable"):
        best({"a": of("device"), "b": of("node")})


def a_study(tmp_path: Path, *, gpu: str | None, unit: str = "samples/s") -> dict[str, Any]:
    """Two sizes, two runs each; the second one does more by core and draws 300 W."""
    bundle = a_bundle(tmp_path, points=[{"size": 1}, {"size": 2}], repetitions=2)
    card = {"entry": "0", "uuid": "GPU-1"}
    made = bundle.run().launch(hardware={"cpu": {"allowed_count": 4}, "gpus": [card]})
    rows = []
    for place, task in enumerate(bundle.tasks):
        size, start = task["axes"]["size"], place * 10
        process = {"type": "process", "exit_code": 0, "wall_s": 8.0, "user_s": 1.0,
                   "system_s": 0.0, "max_rss_bytes": 9, "t_ns": (start + 8) * SECOND}  # fmt: skip
        rate = {1: 100.0, 2: 120.0}[size] + place % 2
        made.complete(task, [metric("rate", rate, unit, "higher"), process])
        rows += [
            {"t_ns": (start + n) * SECOND, "cpu_util_pct": 1.0,
             "gpus": [{"uuid": "GPU-1", "power_w": 150.0 * size}]}
            for n in range(1, 8)
        ]  # fmt: skip
    journal = made.path / "events.jsonl"
    if gpu is not None:
        journal.write_text(journal.read_text().replace('"gpu": null', f'"gpu": "{gpu}"'))
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (made.path / "hardware.jsonl").write_text(text)
    found: dict[str, Any] = collate_data([bundle.path], tmp_path / "out").summary["efficiency"]
    return found


def test_the_best_point_by_core_and_by_joule_need_not_be_one(tmp_path: Path):
    found = a_study(tmp_path, gpu="0")
    # the shape of these bundles asks for two cores
    assert found["resource"]["text"] == "60.2 samples/s per core at size 2"
    assert found["resource"]["why"] == "the largest value of 2 points"
    assert found["resource"]["cells"] == ["c0002"]
    assert found["energy"]["text"] == "0.67 samples per J of the device (nvml) at size 1"
    assert found["energy"]["low"] < found["energy"]["value"] < found["energy"]["high"]


def test_power_of_a_gpu_that_the_task_does_not_use_is_not_its_own(tmp_path: Path):
    found = a_study(tmp_path, gpu=None)
    assert found["energy"] == {"reason": "no power of the device was measured"}


def test_without_a_metric_of_work_there_is_a_reason(tmp_path: Path):
    found = a_study(tmp_path, gpu=None, unit="points")
    assert found["resource"] == {"reason": "no metric of work per second is declared"}
