"""Shapes, slots, shards, waves and hours: what a spec comes to on a cluster."""

from __future__ import annotations

from dataclasses import replace

from studies import a_study, plan, tasks

from specc.describe import plan_json
from specc.model import JobShape, Shape, TaskShape
from specc.packing.checks import short
from specc.packing.shapes import per_node, slots
from specc.packing.shards import limit_needed_s, margin_s, order_tasks, pack, waves_in
from specc.problems import SpecInvalid
from specc.stages.plan import make_plan

TASK = TaskShape(
    gpus=0, gpu_memory_bytes=None, cpus=1, memory_bytes=None, estimate_s=60.0, time_limit_s=None
)
JOB = JobShape(
    nodes=1, gpus_per_node=0, cpus_per_node=8, memory_bytes=None, time_limit_s=3600.0,
    max_running=None, exclusive=False, partition=None, sbatch=(),
)  # fmt: skip


def sizes(text: str) -> list[list[int]]:
    return [[len(shard.task_ids) for shard in shape.shards] for shape in plan(text).shapes]


def the_shape(text: str) -> Shape:
    (shape,) = plan(text).shapes
    return shape


def fit(task: TaskShape, job: JobShape) -> int:
    return slots(task, job, partition=None, one_at_a_time=False)


def test_cpu_shape_comes_first_and_names_its_script() -> None:
    text = """matrix: {axes: {d: [cuda, cpu]}}
when: [{if: {d: cuda}, set: {task.gpus: 1}}]
"""
    found = [(shape.name, shape.script) for shape in plan(text).shapes]
    assert found == [("1-cpu", "job-1-cpu.sbatch"), ("2-gpu", "job-2-gpu.sbatch")]


def test_only_script_is_called_job() -> None:
    assert the_shape("").script == "job.sbatch"


def test_shard_ids_carry_shape_and_array_index() -> None:
    text = "matrix: {axes: {n: [1, 2, 3]}}\njob: {max_running: 2}\n"
    assert [s.shard_id for s in the_shape(text).shards] == ["1-cpu-0000", "1-cpu-0001"]


def test_slots_are_limited_by_cores_memory_and_gpus() -> None:
    assert fit(replace(TASK, cpus=3), JOB) == 2
    assert fit(replace(TASK, memory_bytes=3), replace(JOB, memory_bytes=10)) == 3
    assert fit(replace(TASK, gpus=1), replace(JOB, gpus_per_node=4)) == 4
    assert fit(replace(TASK, cpus=9), JOB) == 0


def test_share_of_a_gpu_stays_on_one_gpu() -> None:
    assert fit(replace(TASK, gpus=0.4), replace(JOB, gpus_per_node=2)) == 4


def test_tenths_of_a_gpu_add_up() -> None:
    assert fit(replace(TASK, gpus=0.1), replace(JOB, gpus_per_node=1, cpus_per_node=64)) == 10


def test_gpu_memory_limits_how_many_share() -> None:
    task = replace(TASK, gpus=0.25, gpu_memory_bytes=15)
    found = per_node(task, gpus=1, cpus=None, memory_bytes=None, gpu_memory_bytes=40)
    assert found == 2


def test_task_of_several_processes_takes_their_cores_and_gpus() -> None:
    task = replace(TASK, gpus=1, cpus=2, processes_per_node=2)
    assert fit(task, replace(JOB, gpus_per_node=8)) == 2


def test_nodes_multiply_slots_and_wide_tasks_divide_them() -> None:
    assert fit(TASK, replace(JOB, nodes=4)) == 32
    assert fit(replace(TASK, nodes=4), replace(JOB, nodes=4)) == 8


def test_exclusive_job_has_the_whole_nodes_cores() -> None:
    partition = {"cores_per_node": 16, "memory_per_node": "8GiB"}
    job = replace(JOB, cpus_per_node=None, exclusive=True)
    assert slots(TASK, job, partition=partition, one_at_a_time=False) == 16


def test_kind_that_measures_has_one_slot() -> None:
    assert slots(TASK, JOB, partition=None, one_at_a_time=True) == 1


def test_a_margin_is_kept_of_a_twentieth_and_at_most_five_minutes() -> None:
    assert margin_s(3600) == 180
    assert margin_s(36000) == 300


def test_waves_are_whole_estimates_within_the_usable_time() -> None:
    assert waves_in(JOB, TASK) == 57
    assert waves_in(JOB, replace(TASK, estimate_s=None)) is None


def test_limit_needed_holds_its_waves() -> None:
    for waves in (1, 3, 57, 58, 200, 1000):
        needed = limit_needed_s(waves, 60.0)
        assert waves_in(replace(JOB, time_limit_s=needed), TASK) in (waves, waves + 1)


def test_one_shard_when_all_fits_and_nothing_runs_beside() -> None:
    assert sizes("matrix: {axes: {n: {range: [1, 40]}}}\n") == [[40]]


def test_time_makes_more_shards_of_equal_size() -> None:
    text = "matrix: {axes: {n: {range: [1, 100]}}}\n"
    assert sizes(text) == [[50, 50]]


def test_max_running_spreads_tasks_over_that_many_jobs() -> None:
    text = "matrix: {axes: {n: {range: [1, 10]}}}\njob: {max_running: 4, cpus_per_node: 2}\n"
    assert sizes(text) == [[3, 3, 2, 2]]


def test_no_more_shards_than_there_are_waves() -> None:
    text = "matrix: {axes: {n: [1, 2, 3]}}\njob: {max_running: 9, cpus_per_node: 2}\n"
    assert sizes(text) == [[2, 1]]


def test_each_repetition_is_a_shard_of_its_own() -> None:
    text = "matrix: {axes: {n: [1, 2, 3]}}\nrepetitions: {n: 2}\n"
    by_id = {task.task_id: task.repetition for task in tasks(text)}
    shards = the_shape(text).shards
    assert [{by_id[task] for task in shard.task_ids} for shard in shards] == [{0}, {1}]


def test_split_repetitions_never_share_a_shard() -> None:
    text = """matrix: {axes: {n: {range: [1, 5]}}}
repetitions: {n: 2}
task: {estimate: 20min}
"""
    assert sizes(text) == [[2, 2, 1, 2, 2, 1]]


def test_unblocked_repetitions_are_spread_freely() -> None:
    text = "matrix: {axes: {n: [1, 2, 3]}}\nrepetitions: {n: 2, block: none}\n"
    assert sizes(text) == [[6]]


def test_single_repetition_is_kept_together_when_asked() -> None:
    text = "matrix: {axes: {n: [1, 2, 3]}}\njob: {max_running: 3}\n"
    assert sizes(text) == [[1, 1, 1]]
    assert sizes(text + "repetitions: {block: job}\n") == [[3]]


def test_order_is_random_by_seed_and_differs_between_repetitions() -> None:
    text = "matrix: {axes: {n: {range: [1, 9]}}}\nrepetitions: {n: 2, seed: SEED}\n"
    axis = {t.task_id: t.axes["n"] for t in tasks(text.replace("SEED", "0"))}

    def order(seed: str) -> list[list[int]]:
        shards = the_shape(text.replace("SEED", seed)).shards
        return [[axis[task] for task in shard.task_ids] for shard in shards]

    assert order("0") == order("0") != order("1")
    assert order("0")[0] != order("0")[1]
    assert sorted(order("0")[0]) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_sequential_order_is_that_of_the_matrix() -> None:
    text = "matrix: {axes: {n: [1, 2, 3]}}\nrepetitions: {order: sequential}\n"
    assert list(the_shape(text).shards[0].task_ids) == [t.task_id for t in tasks(text)]


def test_grown_study_keeps_the_relative_order() -> None:
    few = tasks("matrix: {axes: {n: {range: [1, 9]}}}\n")
    many = tasks("matrix: {axes: {n: {range: [1, 20]}}}\n")
    (small,) = order_tasks(few, order="random", seed=3)
    (large,) = order_tasks(many, order="random", seed=3)
    ids = [task.task_id for task in small]
    assert [t.task_id for t in large if t.task_id in set(ids)] == ids


def test_pack_without_estimate_makes_one_shard() -> None:
    members = list(tasks("matrix: {axes: {n: {range: [1, 500]}}}\n"))
    found = pack([members], slots=4, waves_fit=None, max_running=None, blocked=False)
    assert (len(found.shards), found.waves) == (1, 125)


def test_hours_are_waves_times_estimate_times_width() -> None:
    text = """matrix: {axes: {n: {range: [1, 10]}}}
task: {gpus: 1, cpus: 4, estimate: 30min}
job: {gpus_per_node: 2, time_limit: 12h}
"""
    found = plan(text)
    assert found.gpu_hours == 5 * 0.5 * 2
    assert found.core_hours == 5 * 0.5 * 8


def test_exclusive_job_pays_for_the_whole_node() -> None:
    text = "task: {estimate: 30min}\njob: {exclusive: true}\ncluster: desk\n"
    assert plan(text).core_hours == 0.5 * 2


def test_hours_are_unknown_without_an_estimate_or_cores() -> None:
    assert plan("task: {gpus: 1}\n").gpu_hours is None
    assert plan("job: {exclusive: true}\n").core_hours is None


def test_no_gpus_are_no_gpu_hours_even_without_an_estimate() -> None:
    assert plan("task: {cpus: 1}\n").gpu_hours == 0.0


def test_condition_is_that_of_packing_resources_and_cluster() -> None:
    base = the_shape("").condition_id
    assert the_shape("task: {cpus: 2, estimate: 1min}\n").condition_id != base
    assert the_shape("job: {cpus_per_node: 4}\n").condition_id != base
    assert the_shape("cluster: desk\n").condition_id != base
    assert the_shape("environment: {python: '3.12'}\n").condition_id != base


def test_condition_is_not_that_of_time_or_number() -> None:
    base = the_shape("").condition_id
    longer = "task: {estimate: 2min, time_limit: 9min}\njob: {time_limit: 2h, max_running: 2}\n"
    assert the_shape(longer).condition_id == base
    assert the_shape("matrix: {axes: {n: [1, 2]}}\n").condition_id == base


def test_what_sbatch_does_to_hardware_is_part_of_the_condition() -> None:
    base = the_shape("").condition_id
    assert the_shape("job: {sbatch: {threads-per-core: 1}}\n").condition_id != base
    assert the_shape("job: {sbatch: {constraint: rome}}\n").condition_id != base
    assert the_shape("job: {sbatch: {account: me, nice: 5}}\n").condition_id == base


def test_lock_is_part_of_the_condition() -> None:
    from specc.model import EnvironmentFact, Facts

    study = a_study("")

    def condition(lock: str) -> str:
        fact = EnvironmentFact(
            name="default", mode="wheelhouse", python="3.11", platform="p", accelerator="cpu",
            requirements=lock, wheels=(), description={},
        )  # fmt: skip
        facts = Facts(inputs={}, code=None, environments={"default": fact}, runtime=())
        return make_plan(study.spec, facts, study.expansion)[0].shapes[0].condition_id

    assert condition("numpy==1") != condition("numpy==2")


def test_durations_are_shown_in_the_unit_that_fits() -> None:
    assert [short(s) for s in (3300, 5400, 40, 0.5, 754)] == [
        "55 min", "1.5 h", "40 s", "0.5 s", "00:12:34"]  # fmt: skip


def test_what_all_shapes_lack_is_told_once() -> None:
    text = 'matrix: {axes: {c: [1, 2, 3]}}\ntask: {cpus: "${c}"}\n'
    found = a_study(text)
    assert len(found.plan.shapes) == 3
    assert [problem.code for problem in found.problems] == ["W206"]


PROFILE = """cluster:
  name: tiny
  partitions:
    - name: cpu
      nodes: 2
      cores_per_node: 4
      max_time: 2h
      max_array_size: 10
      max_submit_jobs: 40
"""


def arrays_of(text: str) -> list[tuple[str, int, int, int | None]]:
    return [(a.script, a.first, a.count, a.max_running) for a in the_shape(text).arrays]


def test_one_array_has_the_script_of_its_shape() -> None:
    assert arrays_of("job: {max_running: 3}\n") == [("job.sbatch", 0, 1, 3)]


def test_no_more_shards_than_an_array_takes_are_made_only_to_spread() -> None:
    text = f"matrix: {{axes: {{n: {{range: [1, 30]}}}}}}\njob: {{max_running: 30}}\n{PROFILE}"
    assert sizes(text) == [[3] * 10]


def test_shards_that_time_needs_go_into_several_arrays() -> None:
    text = f"matrix: {{axes: {{n: {{range: [1, 23]}}}}}}\ntask: {{estimate: 50min}}\n{PROFILE}"
    assert arrays_of(text) == [
        ("job.sbatch", 0, 8, None),
        ("job-2.sbatch", 8, 8, None),
        ("job-3.sbatch", 16, 7, None),
    ]


def test_arrays_of_a_shape_share_its_throttle() -> None:
    text = f"""matrix: {{axes: {{n: {{range: [1, 23]}}}}}}
task: {{estimate: 50min}}
job: {{max_running: 5}}
{PROFILE}"""
    assert [most for *_, most in arrays_of(text)] == [2, 2, 1]


def test_repetitions_share_a_shard_where_an_array_takes_no_more() -> None:
    text = f"""matrix: {{axes: {{n: [1, 2]}}}}
repetitions: {{n: 15}}
task: {{estimate: 10min}}
{PROFILE}"""
    by_id = {task.task_id: task.repetition for task in tasks(text)}
    shards = [{by_id[task] for task in shard.task_ids} for shard in the_shape(text).shards]
    assert shards == [{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}, {12, 13}, {14}]


def test_shapes_are_spread_less_where_a_user_may_not_submit_that_many() -> None:
    text = """matrix: {axes: {c: [1, 2], n: {range: [1, 30]}}}
task: {estimate: 1min, cpus: "${c}"}
job: {max_running: 30}
""" + PROFILE.replace("max_array_size: 10", "max_array_size: 100")
    assert [len(each) for each in sizes(text)] == [20, 20]


def problems_of(text: str) -> list[tuple[str, str, str]]:
    try:
        found = a_study(text).problems
    except SpecInvalid as wrong:
        found = wrong.problems
    return [(each.code, each.message, each.hint or "") for each in found]


def test_too_many_jobs_show_the_arithmetic_and_a_time_limit_that_the_partition_allows() -> None:
    text = f"matrix: {{axes: {{n: {{range: [1, 41]}}}}}}\ntask: {{estimate: 50min}}\n{PROFILE}"
    ((code, message, hint),) = problems_of(text)
    assert code == "E309"
    assert "41 (1-cpu: 41 tasks of 50 min, 1 at a time, 1 wave each) = 41 elements" in message
    assert hint == "raise job.time_limit to 01:45:00, or split the study into several specs"


def test_no_hint_advises_a_time_limit_above_that_of_the_partition() -> None:
    study = "matrix: {axes: {n: {range: [1, 90]}}}\ntask: {estimate: 50min}\n" + PROFILE
    blocked = """matrix: {axes: {n: [1, 2, 3]}}
repetitions: {n: 2}
task: {estimate: 50min}
"""
    long = "task: {estimate: 3h}\n"
    for text, code in ((study, "E309"), (blocked + PROFILE, "W207"), (long + PROFILE, "E207")):
        (hint,) = (hint for found, _, hint in problems_of(text) if found == code)
        assert "raise" not in hint
        assert "partition cpu ends jobs after 02:00:00" in hint


def advice(text: str) -> str | None:
    (shape,) = plan_json(a_study(text).plan)["shapes"]
    found: str | None = shape["advice"]
    return found


def test_plan_says_what_more_jobs_at_a_time_would_bring() -> None:
    text = """matrix: {axes: {n: {range: [1, 216]}}}
task: {estimate: 5min}
job: {cpus_per_node: 8, time_limit: 12h}
"""
    assert sizes(text) == [[216]]
    assert advice(text) == (
        "job.max_running: 8 would use 8 jobs of 4 waves, 00:25:00 instead of 02:20:00"
    )


def test_advice_counts_the_jobs_that_a_partition_can_hold() -> None:
    text = f"matrix: {{axes: {{n: {{range: [1, 30]}}}}}}\njob: {{cpus_per_node: 2}}\n{PROFILE}"
    assert (advice(text) or "").startswith("job.max_running: 4 would use 4 jobs of 4 waves")


def test_no_advice_where_the_spec_has_decided() -> None:
    text = "matrix: {axes: {n: {range: [1, 30]}}}\n"
    assert advice(text) is not None
    assert advice(text + "job: {max_running: 2}\n") is None
    assert advice(text + "repetitions: {n: 2}\n") is None
