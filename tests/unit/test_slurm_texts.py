"""What specc reads out of texts that Slurm's commands printed.

`slurm_texts/` holds what a real cluster said; what that cluster can't bring about stands here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from specc_runtime.contract.slurm import Words, read_words, scripts_of, shard_words
from specc_runtime.contract.slurm_text import (
    SACCT_FIELDS,
    parse,
    parse_duration,
    parse_size,
    parse_state,
)
from specc_runtime.contract.slurm_words import UNKNOWN, JobWords

TEXTS = Path(__file__).parent / "slurm_texts"
HEAD = "JobID|State|ExitCode|NodeList|MaxRSS"


def recorded(name: str, how: str) -> dict[str, tuple[JobWords, ...]]:
    return parse((TEXTS / f"{name}.{how}.txt").read_text(), how)


def ending(name: str, how: str, *, start: int = -1) -> JobWords:
    """The words about element 1, which is the one that something happened to."""
    found = recorded(name, how)
    return next(starts[start] for job, starts in found.items() if job.endswith("_1"))


@pytest.mark.parametrize("how", ["sacct", "scontrol", "squeue"])
@pytest.mark.parametrize(
    ("name", "state", "category"),
    [
        ("cancelled", "CANCELLED", "cancelled"),
        ("timeout", "TIMEOUT", "timeout"),
        ("node-fail", "NODE_FAIL", "node"),
        ("preempted", "PREEMPTED", "preempted"),
        ("failed", "FAILED", None),
        ("signalled", "FAILED", None),
        ("completed", "COMPLETED", None),
        ("running", "RUNNING", None),
        ("pending", "PENDING", None),
    ],
)
def test_state_and_its_cause(name: str, how: str, state: str, category: str | None) -> None:
    words = ending(name, how)
    assert (words.state, words.category) == (state, category)
    assert words.over == (state not in ("RUNNING", "PENDING"))


@pytest.mark.parametrize(
    ("name", "first", "category"),
    [
        ("requeued", "REQUEUED", None),
        ("node-fail-requeued", "NODE_FAIL", "node"),
        ("preempted-requeued", "PREEMPTED", "preempted"),
    ],
)
def test_each_start_of_a_requeued_job_has_its_own_end(
    name: str, first: str, category: str | None
) -> None:
    before, after = (ending(name, "sacct", start=start) for start in (0, 1))
    assert (before.state, before.restart, before.category) == (first, 0, category)
    assert (after.state, after.restart) == ("COMPLETED", 1)


def test_figures_of_accounting() -> None:
    words = ending("timeout", "sacct")
    assert (words.elapsed_s, words.time_limit_s, words.cpu_time_s) == (89.0, 60.0, 89.0)
    # the larger one of its two steps; the line of the job itself has none
    assert (words.max_rss_bytes, words.cpus, words.node_count) == (10988 * 1024, 1, 1)
    assert (words.nodes, words.partition) == ("127.0.0.1", "main")
    assert words.allocated == "billing=1,cpu=1,mem=100M,node=1"


def test_unlimited_time_is_no_limit() -> None:
    assert ending("preempted", "sacct").time_limit_s is None
    assert ending("preempted", "scontrol").time_limit_s is None


@pytest.mark.parametrize("how", ["sacct", "scontrol", "squeue"])
def test_answer_without_a_job_says_nothing(how: str) -> None:
    assert recorded("no-such-job", how) == {}
    assert parse("", how) == {}
    assert parse("\0\xff|||\nslurm_load_jobs error\nJobId= JobState=\n|", how) == {}


def test_cluster_without_accounting_says_nothing() -> None:
    assert recorded("no-accounting", "sacct") == {}


def sacct(*lines: str) -> dict[str, tuple[JobWords, ...]]:
    return parse("\n".join([HEAD, *lines]) + "\n", "sacct")


@pytest.mark.parametrize(
    ("state", "category"),
    [
        ("OUT_OF_MEMORY", "oom_host"),
        ("OUT_OF_ME+", "oom_host"),
        ("BOOT_FAIL", "node"),
        ("DEADLINE", "timeout"),
        ("CANCELLED by 1000", "cancelled"),
        ("CANCELLED+", "cancelled"),
        ("REVOKED", None),
    ],
)
def test_ends_that_the_test_cluster_cannot_bring_about(state: str, category: str | None) -> None:
    words = sacct(f"12_3|{state}|0:0|n1|")["12_3"][0]
    assert (words.over, words.category) == (True, category)


def test_step_that_ran_out_of_memory_tells_why_the_job_failed() -> None:
    lines = ("5_0|FAILED|1:0|n1|", "5_0.batch|FAILED|1:0|n1|3M", "5_0.0|OUT_OF_MEMORY|0:125|n1|1G")
    words = sacct(*lines)["5_0"][0]
    assert (words.state, words.category) == ("FAILED", "oom_host")
    assert words.max_rss_bytes == 1 << 30
    assert words.sentence() == (
        "Slurm says FAILED of job 5_0, one of its steps ran out of memory, on n1"
    )


def test_completed_job_is_not_out_of_memory_because_a_step_was() -> None:
    words = sacct("5|COMPLETED|0:0|n1|", "5.0|OUT_OF_MEMORY|0:125|n1|")["5"][0]
    assert words.category is None


def test_word_that_no_one_knows_is_no_end() -> None:
    words = sacct("7|MELTED|0:0|n1|")["7"][0]
    assert (words.state, words.over, words.category) == (UNKNOWN, False, None)


@pytest.mark.parametrize(
    ("text", "state"),
    [("completing", "COMPLETING"), ("COMPL+", UNKNOWN), ("", UNKNOWN), ("RUNNING ", "RUNNING")],
)
def test_words_for_states(text: str, state: str) -> None:
    assert parse_state(text) == state


@pytest.mark.parametrize(
    ("index", "elements"),
    [
        ("[5-7,9%2]", ["8_5", "8_6", "8_7", "8_9"]),
        ("[0-8:4]", ["8_0", "8_4", "8_8"]),
        ("[1,3-...", ["8_1"]),
        ("4", ["8_4"]),
    ],
)
def test_elements_that_wait_are_written_as_one_line(index: str, elements: list[str]) -> None:
    assert list(sacct(f"8_{index}|PENDING|0:0||")) == elements


def test_component_of_a_heterogeneous_job() -> None:
    assert list(sacct("31+1|COMPLETED|0:0|n1|", "31+1.0|COMPLETED|0:0|n1|")) == ["31+1"]


def test_rows_without_a_head_are_in_our_own_order() -> None:
    row = ["12_0", "13", "TIMEOUT", "0:0"] + [""] * (SACCT_FIELDS.count(",") - 3)
    assert parse("|".join(row), "sacct")["12_0"][0].state == "TIMEOUT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-02:03:04", 93784.0), ("10:00", 600.0), ("00:00.250", 0.25), ("UNLIMITED", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("320640K", 328335360), ("1.5G", 1610612736), ("0", 0), ("", None)]
)
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size(text) == size


def write(run: Path, name: str, text: str) -> Words:
    (run / "slurm").mkdir(exist_ok=True)
    (run / "slurm" / name).write_text(text)
    return read_words(run)


def test_end_that_only_scontrol_has_seen_counts(tmp_path: Path) -> None:
    write(tmp_path, "9.sacct.txt", f"{HEAD}\n9_0|RUNNING|0:0|n1|\n")
    words = write(
        tmp_path, "9.scontrol.txt", "JobId=9 ArrayJobId=9 ArrayTaskId=0 JobState=NODE_FAIL\n"
    )
    said = words.of_element("9_0")
    assert said is not None
    assert (said.state, said.how) == ("NODE_FAIL", "scontrol")


def test_launch_finds_its_own_start(tmp_path: Path) -> None:
    lines = ["9_0|NODE_FAIL|0:0|n1|", "9_0|PREEMPTED|0:0|n2|", "9_0|RUNNING|0:0|n3|"]
    words = write(tmp_path, "9.sacct.txt", "\n".join([HEAD, *lines]))
    job = {"SLURM_JOB_ID": "11", "SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "0"}
    found = [
        words.of_launch({**job, "SLURM_RESTART_COUNT": str(count)}, newest=count == 2)
        for count in range(3)
    ]
    assert [one.state for one in found if one] == ["NODE_FAIL", "PREEMPTED", "RUNNING"]
    assert words.of_launch({**job, "SLURM_RESTART_COUNT": "3"}, newest=True) is None
    assert words.of_launch({"SLURM_JOB_ID": "77"}, newest=True) is None
    assert words.of_launch({}, newest=True) is None


def test_start_that_was_last_seen_running_has_ended_when_there_is_a_later_one(
    tmp_path: Path,
) -> None:
    text = "JobId=9 JobState=RUNNING Restarts=0\nJobId=9 JobState=RUNNING Restarts=1\n"
    words = write(tmp_path, "9.scontrol.txt", text)
    first = words.of_launch({"SLURM_JOB_ID": "9"}, newest=False)
    second = words.of_launch({"SLURM_JOB_ID": "9", "SLURM_RESTART_COUNT": "1"}, newest=True)
    assert first is not None
    assert second is not None
    assert (first.state, first.over, second.state) == ("REQUEUED", True, "RUNNING")


def test_squeue_tells_no_starts_apart_so_it_speaks_of_the_newest_launch_only(
    tmp_path: Path,
) -> None:
    words = write(tmp_path, "9.squeue.txt", "9_0|TIMEOUT|TimeLimit|n1|main|me\n")
    job = {"SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "0"}
    newest = words.of_launch(job, newest=True)
    assert newest is not None
    assert newest.category == "timeout"
    assert words.of_launch(job, newest=False) is None


def test_shards_find_the_job_submitted_last_for_them(tmp_path: Path) -> None:
    (tmp_path / "jobs.tsv").write_text(
        "job-1-cpu.sbatch\t5\njob-1-cpu-2.sbatch\t6\nodd.sbatch\t7\njob-1-cpu.sbatch\t8\nx\n"
    )
    for job in (5, 6, 7):
        text = f"{HEAD}\n{job}_0|CANCELLED by 0|0:0||\n{job}_1|CANCELLED|0:0||\n"
        words = write(tmp_path, f"{job}.sacct.txt", text)
    words = write(tmp_path, "8.squeue.txt", "8_1|PENDING|Priority||main|me\n")
    arrays = [
        {"script": "job-1-cpu.sbatch", "first": 0, "count": 2},
        {"script": "job-1-cpu-2.sbatch", "first": 2, "count": 2},
    ]
    scripts = scripts_of([{"name": "1-cpu", "script": "job-1-cpu.sbatch", "arrays": arrays}])
    found = shard_words(tmp_path, words, scripts)
    assert {shard: (said.job, said.state) for shard, said in sorted(found.items())} == {
        "1-cpu-0000": ("5_0", "CANCELLED"),
        "1-cpu-0001": ("8_1", "PENDING"),
        "1-cpu-0002": ("6_0", "CANCELLED"),
        "1-cpu-0003": ("6_1", "CANCELLED"),
    }


def test_run_without_recorded_words_says_nothing(tmp_path: Path) -> None:
    assert read_words(tmp_path) == Words({})
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "notes.txt").write_text("9_0|FAILED")
    (tmp_path / "slurm" / "9.sacct.txt").mkdir()
    assert read_words(tmp_path) == Words({})
