"""Whatever the numbers: every task lies in one shard, every shard in one array, within its limits.

A random search with a fixed seed; a failure shows the case that broke.
"""

from __future__ import annotations

import math
import random
import re
from pathlib import Path
from typing import Any

import pytest
from studies import HEAD, KIND, SETTINGS, a_study

from specc.describe import plan_json, plan_text
from specc.packing.shards import arrays, pack
from specc.pipeline import check_spec, compile_spec
from specc.problems import SpecInvalid

CASES = 400


def a_case(number: int) -> dict[str, Any]:
    chance = random.Random(number)
    sizes = [chance.choice([1, 2, 7, 30, 400]) for _ in range(chance.choice([1, 1, 2, 5, 40]))]
    return {
        "sizes": sizes,
        "slots": chance.choice([1, 2, 3, 8, 128]),
        "waves_fit": chance.choice([None, 1, 2, 9, 1000]),
        "max_running": chance.choice([None, 1, 2, 5, 64, 5000]),
        "blocked": chance.random() < 0.5,
        "most": chance.choice([None, 1, 2, 10, 1001]),
    }


@pytest.mark.parametrize("start", range(0, CASES, 100))
def test_every_task_lies_in_one_shard_and_every_shard_in_one_array(start: int) -> None:
    for number in range(start, start + 100):
        case = a_case(number)
        repetitions: Any = [
            [(r, place) for place in range(size)] for r, size in enumerate(case["sizes"])
        ]
        options = {key: value for key, value in case.items() if key != "sizes"}
        packing = pack(repetitions, **options)
        shards: Any = packing.shards
        assert [t for shard in shards for t in shard] == [t for r in repetitions for t in r], case
        assert all(shards), case
        fullest = max(map(len, shards))
        assert packing.waves == math.ceil(fullest / case["slots"]), case
        if case["waves_fit"] is not None:
            assert packing.waves <= case["waves_fit"], case
        if case["blocked"]:
            for shard in shards:
                of = {r for r, _ in shard}
                assert len(of) == 1 or len(shard) == sum(case["sizes"][r] for r in of), case
        made = arrays("job.sbatch", len(shards), most=case["most"], max_running=case["max_running"])
        covered = [n for each in made for n in range(each.first, each.first + each.count)]
        assert covered == list(range(len(shards))), case
        assert len({each.script for each in made}) == len(made), case
        assert all(1 <= each.count <= (case["most"] or math.inf) for each in made), case
        if case["max_running"] is not None:
            shares = [each.max_running or 0 for each in made]
            assert sum(shares) == max(case["max_running"], len(made)), case


def a_cluster(limit: int) -> str:
    return f"""cluster:
  name: small
  partitions:
    - {{name: cpu, nodes: 4, cores_per_node: 8, gpus_per_node: 0, max_time: 2h,
       max_array_size: {limit}}}
"""


@pytest.mark.parametrize(
    ("points", "minutes", "limit", "running", "at_once"),
    [(37, 50, 10, 2, 4), (37, 50, 10, 9, 9), (12, 10, 1000, 3, 3), (5, 50, 5, 50, 5)],
)
def test_the_plan_says_what_the_scripts_ask_for(
    tmp_path: Path, points: int, minutes: int, limit: int, running: int, at_once: int
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        f"{HEAD}{KIND}{SETTINGS}{a_cluster(limit)}"
        f"matrix: {{axes: {{n: {{range: [1, {points}]}}}}}}\n"
        f"task: {{estimate: {minutes}min, cpus: 8}}\n"
        f"job: {{cpus_per_node: 8, time_limit: 1h, max_running: {running}}}\n"
    )
    plan = check_spec(path).plan
    (shape,) = plan_json(plan)["shapes"]
    bundle = compile_spec(path, out=tmp_path / "build").path
    scripts = sorted(bundle.glob("job*.sbatch"), key=lambda each: (len(each.name), each.name))
    assert [each.name for each in scripts] == shape["arrays"]
    found = [_array(script.read_text()) for script in scripts]
    assert sum(count for count, _ in found) == shape["shards"]
    assert all(count <= limit for count, _ in found)
    assert sum(min(count, most) for count, most in found) == at_once
    assert shape["jobs_at_once"] == at_once
    assert f", at most {max(running, len(found))} jobs at a time" in plan_text(plan)
    assert shape["work_s"] == shape["waves"] * minutes * 60
    assert shape["waves"] * shape["slots"] * shape["shards"] >= shape["tasks"] == points


def _array(script: str) -> tuple[int, int]:
    """Return how many elements a script asks for, and how many of them at a time."""
    told = re.search(r"^#SBATCH --array=0-(\d+)(?:%(\d+))?$", script, re.MULTILINE)
    assert told is not None
    count = int(told[1]) + 1
    return count, int(told[2] or count)


def a_study_too_large(number: int) -> str:
    """Return a spec whose arrays are too many, with LIMIT for the jobs' time limit."""
    chance = random.Random(number)
    submit = chance.choice(["", ", max_submit_jobs: 5", ", max_submit_jobs: 50"])
    cluster = a_cluster(chance.choice([2, 10])).replace("}\n", f"{submit}}}\n")
    d = chance.choice(["", ", d: [a, b]"])
    return (
        f"{cluster}matrix: {{axes: {{n: {{range: [1, {chance.choice([40, 100, 700])}]}}{d}}}}}\n"
        + ("when: [{if: {d: b}, set: {task.cpus: 2}}]\n" if d else "")
        + f"task: {{estimate: {chance.choice([1, 7, 25])}min, cpus: {chance.choice([1, 4, 8])}}}\n"
        + "job: {cpus_per_node: 8, time_limit: LIMIT}\n"
        + f"repetitions: {{n: {chance.choice([1, 3, 30])}}}\n"
    )


def errors_of(text: str) -> list[tuple[str, str]]:
    try:
        a_study(text)
    except SpecInvalid as wrong:
        return [(p.code, p.hint or "") for p in wrong.problems if p.severity == "error"]
    return []


def test_a_time_limit_that_a_hint_names_is_enough() -> None:
    followed = 0
    for number in range(45):
        text = a_study_too_large(number)
        found = errors_of(text.replace("LIMIT", "30min"))
        told = {code: re.findall(r"job\.time_limit to ([0-9:]+)", hint) for code, hint in found}
        limits = [limit for some in told.values() for limit in some]
        if limits and len(limits) == len(found):
            followed += 1
            after = errors_of(text.replace("LIMIT", f'"{max(limits)}"'))
            assert not {code for code, _ in after} & set(told), (number, found, after)
    assert followed > 3
