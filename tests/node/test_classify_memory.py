"""Memory as evidence: what the cgroup counts, in both versions, and real kills by the kernel."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import bundles
import pytest

from specc_runtime.causes.cgroup import (
    RECENT_S,
    MemoryFolder,
    OomCounter,
    memory_folders,
    memory_use,
)
from specc_runtime.causes.classify import Evidence, classify

LIMIT = 160 << 20
EATER = "import sys; held = bytearray(400 << 20); print(len(held))"


def a_level(folder: Path, **files: str) -> Path:
    """Write files of a cgroup; a dot in a name is written as __."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")
    return folder


def seen(tmp_path: Path, line: str) -> tuple[MemoryFolder, ...]:
    (tmp_path / "cgroup").write_text(line)
    return memory_folders(str(tmp_path / "cgroup"), str(tmp_path / "sys"))


def paths(folders: tuple[MemoryFolder, ...], tmp_path: Path) -> list[str]:
    return [os.path.relpath(folder.path, tmp_path / "sys") for folder in folders]


def test_levels_of_a_slurm_job_in_version_2(tmp_path: Path) -> None:
    top = tmp_path / "sys" / "system.slice" / "slurmstepd.scope"
    a_level(top / "job_7" / "step_0" / "user" / "task_0", memory__events="oom_kill 1")
    a_level(top / "job_7", memory__events="oom_kill 4", memory__max="1000", memory__peak="999")
    a_level(top, memory__events="oom_kill 90", memory__max="100", memory__peak="100")
    found = seen(tmp_path, "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n")
    job = "system.slice/slurmstepd.scope/job_7"
    assert paths(found, tmp_path) == [
        f"{job}/step_0/user/task_0",
        f"{job}/step_0/user",
        f"{job}/step_0",
        job,
    ]
    use = memory_use(found)
    assert use is not None
    # what stands above the job is not its own
    assert (use.peak_bytes, use.limit_bytes, use.full) == (999, 1000, True)


def test_levels_of_a_slurm_job_in_version_1(tmp_path: Path) -> None:
    job = tmp_path / "sys" / "memory" / "slurm" / "uid_5" / "job_7"
    for level in (job, job / "step_0", job / "step_0" / "task_0"):
        a_level(level, memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2")
    a_level(job, memory__limit_in_bytes="1000", memory__max_usage_in_bytes="980")
    found = seen(tmp_path, "5:cpu:/x\n4:memory:/slurm/uid_5/job_7/step_0/task_0\n0::/\n")
    assert len(found) == 3
    use = memory_use(found)
    assert use is not None
    assert not use.full


@pytest.mark.parametrize(
    ("line", "root"),
    [
        ("0::/kubepods/pod1\n", ""),
        ("0::/\n", ""),
        ("4:memory:/docker/abc\n", "memory"),
    ],
)
def test_container_that_sees_its_own_level_as_the_root(
    tmp_path: Path, line: str, root: str
) -> None:
    a_level(tmp_path / "sys" / root, memory__events="oom_kill 3", memory__oom_control="oom_kill 3")
    found = seen(tmp_path, line)
    assert [folder.kills() for folder in found] == [3]


def test_machine_without_cgroups_tells_nothing(tmp_path: Path) -> None:
    assert memory_folders(str(tmp_path / "none"), str(tmp_path)) == ()
    assert seen(tmp_path, "0::/gone\nnonsense\n") == ()
    counter = OomCounter(())
    assert (counter.counts, counter.new(), memory_use(())) == (False, 0, None)


def test_unlimited_is_no_limit(tmp_path: Path) -> None:
    one = a_level(tmp_path / "1", memory__limit_in_bytes="9223372036854771712")
    two = a_level(tmp_path / "2", memory__max="max", memory__peak="5")
    assert MemoryFolder(str(one), unified=False).limit_bytes() is None
    assert MemoryFolder(str(two), unified=True).limit_bytes() is None
    assert memory_use((MemoryFolder(str(two), unified=True),)) is None


def test_kill_explains_two_ends_at_the_same_moment_and_none_later(tmp_path: Path) -> None:
    folder = a_level(tmp_path / "own", memory__events="oom_kill 3")
    now = [100.0]
    counter = OomCounter((MemoryFolder(str(folder), unified=True),), clock=lambda: now[0])
    assert counter.new() == 0
    a_level(folder, memory__events="oom_kill 5")
    assert (counter.new(), counter.new()) == (2, 2)
    now[0] += RECENT_S + 0.1
    assert counter.new() == 0
    (folder / "memory.events").unlink()
    assert counter.new() == 0


def test_version_2_counts_the_levels_below_and_version_1_does_not(tmp_path: Path) -> None:
    for version, kills in ((True, 2), (False, 3)):
        own = a_level(tmp_path / f"{version}" / "task_0", memory__events="", memory__oom_control="")
        folders = (MemoryFolder(str(own), version), MemoryFolder(str(own.parent), version))
        for folder, count in ((own, 0), (own.parent, 0)):
            a_level(folder, memory__events=f"oom_kill {count}", memory__oom_control="oom_kill 0")
        counter = OomCounter(folders)
        for folder, count in ((own, 1), (own.parent, 2)):
            text = f"oom_kill {count}"
            a_level(folder, memory__events=text, memory__oom_control=text)
        assert counter.new() == kills


@pytest.mark.parametrize(
    ("facts", "types", "kills", "full", "category"),
    [
        ({"signal": "SIGKILL"}, [], 1, False, "oom_host"),
        ({"exit_code": 137}, [], 1, False, "oom_host"),
        ({"exit_code": 137}, [], 0, False, "program"),
        ({"signal": "SIGKILL"}, [], 0, False, "unknown"),
        ({"signal": "SIGSEGV"}, [], 1, False, "program"),
        ({"exit_code": 1}, [], 1, False, "program"),
        ({"exit_code": 137}, [], 0, True, "oom_host"),
        ({}, ["concurrent.futures.process.BrokenProcessPool"], 2, False, "oom_host"),
        ({}, ["concurrent.futures.process.BrokenProcessPool"], 0, False, "program"),
    ],
)
def test_program_that_lost_a_child(
    facts: dict[str, object], types: list[str], kills: int, full: bool, category: str
) -> None:
    report = {"category": None if types else "program", "types": types, "evidence": facts}
    evidence = Evidence(report, 1, None, None, kills, False, memory_full=full)
    assert classify(evidence).category == category


@pytest.fixture
def tight_cgroup() -> Iterator[Path]:
    """A cgroup of this machine with 160 MiB, to start processes in."""
    found = memory_folders()
    if not found:
        pytest.skip("no memory cgroup on this machine")
    own = found[0]
    folder = Path(own.path) / f"specc-test-{os.getpid()}"
    try:
        folder.mkdir()
        name = "memory.max" if own.unified else "memory.limit_in_bytes"
        (folder / name).write_text(str(LIMIT))
        swap = folder / ("memory.swap.max" if own.unified else "memory.memsw.limit_in_bytes")
        if swap.exists():
            swap.write_text("0" if own.unified else str(LIMIT))
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"this machine lets nobody make a cgroup: {error}")
    yield folder
    (folder / "memory.force_empty").exists() and (folder / "memory.force_empty").write_text("0")
    folder.rmdir()


def run_inside(cgroup: Path, bundle: Path) -> None:
    enter = f'echo $$ > "{cgroup / "cgroup.procs"}" && exec "$@"'
    subprocess.run(
        ["sh", "-c", enter, "sh", *bundles.command(bundle)],
        env=bundles.environ(bundle),
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_attempt_that_the_kernel_killed_for_memory(home: Path, tight_cgroup: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [EATER])
    run_inside(tight_cgroup, bundle)
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["signal"]) == ("oom_host", "SIGKILL")
    assert failed["transient"] is False
    assert failed["evidence"]["oom_kills"] >= 1
    assert failed["evidence"]["memory_limit_bytes"] == LIMIT
    assert failed["message"].endswith("of its processes for memory")


def test_program_whose_shell_says_137_was_killed_for_memory(home: Path, tight_cgroup: Path) -> None:
    code = (
        "import subprocess\n"
        f'script = \'"$0" -c "{EATER}"; exit $?\'\n'
        "code = subprocess.run(['bash', '-c', script, sys.executable]).returncode\n"
        "raise TaskError('program', f'exit code {code}', evidence={'exit_code': code})"
    )
    bundle = bundles.make_bundle(home / "b", [code])
    run_inside(tight_cgroup, bundle)
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["exit_code"]) == ("oom_host", 137)


def test_kill_by_somebody_else_in_the_same_cgroup_stays_unknown(
    home: Path, tight_cgroup: Path
) -> None:
    bundle = bundles.make_bundle(home / "b", ["os.kill(os.getpid(), signal.SIGKILL)"])
    run_inside(tight_cgroup, bundle)
    failed = bundles.failure(bundle)
    assert (failed["category"], failed["signal"]) == ("unknown", "SIGKILL")
    # said, but no evidence: the kernel counts its kills here, and there was none
    assert failed["evidence"]["memory_limit_bytes"] == LIMIT
