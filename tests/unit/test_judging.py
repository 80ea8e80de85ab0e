"""What speaks against numbers: causes, their order, and their groups over points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specc.analysis.intervals import over_runs
from specc.analysis.steadiness import examine
from specc.collate.causes import merged
from specc.collate.evidence.sharing import evidence
from specc.collate.judging import VERDICTS, Judgement, judge, verdict_groups
from specc.collate.records.samples import RunSamples
from specc.kinds.base import Measurement

PART = {"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "4"}
STILL = 1 + 0.01 * np.random.default_rng(1).normal(size=60)


def a_run(task: int, **changes: Any) -> Measurement:
    return Measurement(task=task, metric="t", value=1.0 + task / 100, reason=None, **changes)


def samples(values: Any = STILL, *, worth: float = 60.0) -> RunSamples:
    return RunSamples(
        n=len(values), effective_n=worth, median=1.0, avg=1.0, min=1.0, max=1.0,
        percentiles={}, refused={}, steadiness=examine(values),
    )  # fmt: skip


def judged(runs: list[Measurement], found: list[RunSamples]) -> Judgement:
    return judge(runs, over_runs([run.value or 0.0 for run in runs]), found, None)


def test_nothing_against_a_number_makes_it_valid() -> None:
    found = judged([a_run(0), a_run(1)], [samples(), samples()])
    assert (found.verdict, found.reason, found.causes) == ("VALID", None, ())


def test_the_worst_cause_is_the_verdict_and_all_are_told() -> None:
    warned = (("SHARED_NODE", "4 of 8 CPUs"), ("CLIENT_LIMITED", "97 % of a core"))
    found = judged([a_run(0, warnings=warned)], [samples(worth=9.0)])
    assert found.verdict == "CLIENT_LIMITED"
    assert [verdict for verdict, _ in found.causes] == [
        "CLIENT_LIMITED", "SHARED_NODE", "TOO_FEW", "TOO_FEW",
    ]  # fmt: skip


def test_causes_that_differ_in_numbers_alone_are_one_reason() -> None:
    busy = [f"others kept {pct} % of the CPUs busy" for pct in (40, 60, 51)]
    held = [(("CONTAMINATED", text), ("SHARED_NODE", text)) for text in busy]
    found = judged([a_run(n, warnings=each) for n, each in enumerate(held)], [samples()] * 3)
    assert found.reason == "; ".join(["others kept 40 % to 60 % of the CPUs busy"] * 2)
    assert len(found.causes) == 6


def test_runs_that_move_alike_are_told_together_with_their_range() -> None:
    line = np.linspace(0, 1, 60)
    moved = [samples(STILL * (1 + slope * line)) for slope in (0.2, 0.3, 0.0)]
    found = judged([a_run(n) for n in range(3)], moved)
    assert found.verdict == "NOT_STEADY"
    assert found.reason == "drift of +19.7 % to +29.6 % over the run (2 of 3 runs)"


def test_three_runs_that_drift_smoothly_are_not_steady_together() -> None:
    curve = 1 + 0.15 * (1 - np.exp(-3 * np.linspace(0, 1, 60)))
    found = judged([a_run(n) for n in range(3)], [samples(curve) for _ in range(3)])
    assert found.causes[0][0] == "NOT_STEADY"
    assert found.causes[0][1].startswith("all 3 runs together drift, by +")


def test_short_runs_that_all_drift_are_not_steady_together() -> None:
    moved = [samples(np.linspace(1, end, 12)) for end in (1.19, 1.2, 1.22)]
    found = judged([a_run(n) for n in range(3)], moved)
    assert found.verdict == "NOT_STEADY"
    assert found.causes[0][1].startswith("all 3 runs together drift, by +1")


def test_a_run_without_an_order_is_not_called_unsteady() -> None:
    unordered = replace(samples(), steadiness=None)
    assert judged([a_run(0), a_run(1)], [unordered, unordered]).verdict == "VALID"


@pytest.mark.parametrize(
    ("texts", "one"),
    [
        (["drift of +6.1 %", "drift of +11.0 %"], "drift of +6.1 % to +11.0 %"),
        (["3 of 5 runs", "3 of 5 runs"], "3 of 5 runs"),
        (["p90 on node-12 needs 29, has 7", "p90 on node-12 needs 29, has 12"],
         "p90 on node-12 needs 29, has 7 to 12"),
        (["1,200 values"], "1,200 values"),
    ],
)  # fmt: skip
def test_texts_that_differ_in_numbers_become_one_with_a_range(texts: list[str], one: str) -> None:
    assert merged(texts) == one


def a_cell(name: str, *causes: tuple[str, str]) -> dict[str, Any]:
    return {
        "cell": name,
        "verdict_causes": [{"verdict": verdict, "reason": reason} for verdict, reason in causes],
    }


def test_points_are_grouped_by_cause_with_counts() -> None:
    groups = verdict_groups(
        [
            a_cell("c0001", ("TOO_FEW", "one repetition: the spread is unknown")),
            a_cell("c0002", ("NOT_STEADY", "drift of +6 % over the run")),
            a_cell("c0003", ("NOT_STEADY", "drift of +11 % over the run"), ("TOO_FEW", "short")),
            a_cell("c0004"),
        ]
    )
    assert [group["text"] for group in groups] == [
        "2 points NOT_STEADY: drift of +6 % to +11 % over the run",
        "1 point TOO_FEW: one repetition: the spread is unknown",
        "1 point TOO_FEW: short",
    ]
    assert groups[0]["cells"] == ["c0002", "c0003"]


def test_every_verdict_says_what_it_means() -> None:
    assert list(VERDICTS) == [
        "NO_DATA", "CONTAMINATED", "CLIENT_LIMITED", "NOT_STEADY", "SHARED_NODE", "TOO_FEW",
        "VALID",
    ]  # fmt: skip
    assert all(VERDICTS.values())


@pytest.mark.parametrize(
    ("slurm", "threads", "said", "text"),
    [
        (PART, 128, None, "the job had 4 of 128 CPUs and had not asked for the node alone"),
        (PART, 128, "OK", "the job had 4 of 128 CPUs and had not asked for the node alone"),
        (PART, 128, "NO", None),
        (PART, 4, "OK", None),
        (PART, 4, "YES", "Slurm let jobs share the node's CPUs (OverSubscribe=YES)"),
        ({"SLURM_JOB_ID": "7"}, 128, None, None),
        (PART, None, None, None),
        ({}, 128, None, None),
    ],
)
def test_a_part_of_a_node_may_have_company(
    slurm: dict[str, str], threads: int | None, said: str | None, text: str | None
) -> None:
    launch = {"slurm": slurm, "hardware": {"cpu": {"threads": threads}}}
    assert evidence(launch, said) == text
