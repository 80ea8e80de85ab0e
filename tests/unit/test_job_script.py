"""job.sbatch and the tools beside it, run by real shells; stubs stand in for the cluster."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundling import a_bundle, a_job_shape

from specc.model import EnvironmentFact, Json

RUNTIME = "import sys, os\nprint(os.environ.get('SPECC_RUN'), *sys.argv[1:], sep='|')\n"
TOOLS = ("bash", "sh", "cat", "cut", "dirname", "basename", "find", "grep", "head", "mkdir", "sed")
TOOLS += (
    "sha256sum",
    "wc",
    "env",
    "printf",
    "id",
    "df",
    "uname",
    "ldd",
    "sort",
    "rmdir",
    "rm",
    "mv",
    "awk",
    "paste",
    "cmp",
)


class Place:
    """A bundle whose runtime only tells its arguments, and a PATH that holds what we put there."""

    def __init__(self, root: Path, **options: Json) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            if found:
                (self.bin / tool).symlink_to(found)
        (self.bin / "python3").symlink_to(Path(sys.executable).resolve())
        self.bundle = self._with_small_runtime(a_bundle(root, root / "ein bündel", **options))
        self.log = root / "log"
        self.env = {"PATH": str(self.bin), "HOME": str(root), "LOG": str(self.log)}

    def stub(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, script: Path | None = None, **env: str) -> Done:
        command = ["bash", str(script or self.bundle / "job.sbatch"), *arguments]
        return Done(command, {**self.env, **env}, self.root)

    def tool(self, name: str, *arguments: str, **env: str) -> Done:
        return Done(["sh", str(self.bundle / name), *arguments], {**self.env, **env}, self.root)

    def logged(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def _with_small_runtime(self, bundle: Path) -> Path:
        """Replace the runtime's entry by one that prints, and the hash that the script checks."""
        entry = bundle / "runtime/specc_runtime/__main__.py"
        before = hashlib.sha256(entry.read_bytes()).hexdigest()
        entry.write_text(RUNTIME)
        after = hashlib.sha256(entry.read_bytes()).hexdigest()
        sums = bundle / "manifest-sha256.txt"
        sums.write_text(sums.read_text().replace(before, after))
        return bundle


class Done:
    """How a script ended."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path) -> None:
        done = subprocess.run(
            command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=60
        )
        self.code = done.returncode
        self.out = done.stdout.strip()
        self.err = done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tasks=4, shards=2)


def told(place: Place, *rest: str, run: str = "None") -> str:
    return "|".join([run, "shard", "--bundle", str(place.bundle), "--shape", "1-cpu", *rest])


def test_here_runs_all_shards(place: Place) -> None:
    done = place.run("--here")
    assert (done.code, done.out) == (0, told(place, "--all")), done.err


def test_a_shard_and_a_run_can_be_named(place: Place) -> None:
    assert place.run("--shard", "1", "--run", "r7").out == told(place, "--shard", "1", run="r7")


@pytest.mark.parametrize("how", ["--shell", "--print"])
def test_one_task_can_be_looked_at(place: Place, how: str) -> None:
    assert place.run("--task", "abc", how).out == told(place, "--task", "abc", how)


def test_resume_is_what_happens_anyway(place: Place) -> None:
    assert place.run("--here", "--resume").out == told(place, "--all")


@pytest.mark.parametrize(
    "arguments", [("--shard",), ("--shard", "x"), ("--what",), ("--print",), ("--shard", "")]
)
def test_a_wrong_command_line_is_code_2(place: Place, arguments: tuple[str, ...]) -> None:
    wrong = place.run(*arguments)
    assert wrong.code == (0 if arguments == ("--shard", "") else 2)


def test_help_lists_the_ways_to_start(place: Place) -> None:
    done = place.run("--help")
    assert done.code == 0
    assert "--task ID" in done.out


def test_a_login_node_is_not_for_work(place: Place) -> None:
    place.stub("sbatch", "exit 1")
    done = place.run()
    assert done.code == 2
    assert "--here" in done.err
    assert place.run("--shard", "0").code == 2
    assert place.run("--here").code == 0
    assert place.run("--task", "abc", "--print").code == 0


def test_a_changed_runtime_file_stops_with_its_name(place: Place) -> None:
    file = place.bundle / "runtime/specc_runtime/contract/manifest.py"
    file.write_text(file.read_text() + "\n")
    done = place.run("--here")
    assert done.code == 4
    assert "runtime/specc_runtime/contract/manifest.py" in done.err


@pytest.mark.parametrize("name", ["manifest.json", "tasks.jsonl", "job.sbatch", "submit.sh"])
def test_other_changed_files_stop_with_their_names(place: Place, name: str) -> None:
    with (place.bundle / name).open("a") as file:
        file.write("\n")
    done = place.run("--here")
    assert done.code == 4
    assert name in done.err


def test_a_damaged_line_of_the_list_is_noticed(place: Place) -> None:
    sums = place.bundle / "manifest-sha256.txt"
    lines = sums.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "contract/manifest.py" in line)
    lines[at] = f"g{lines[at][1:]}"
    sums.write_text("\n".join(lines) + "\n")
    done = place.run("--here")
    assert done.code == 4
    assert "is damaged" in done.err


def test_a_planted_module_is_named(place: Place) -> None:
    (place.bundle / "runtime" / "json.py").write_text("raise SystemExit('planted')\n")
    done = place.run("--here")
    assert done.code == 4
    assert "runtime/json.py does not belong to the bundle" in done.err


def test_a_missing_list_is_code_4(place: Place) -> None:
    (place.bundle / "manifest-sha256.txt").unlink()
    assert place.run("--here").code == 4


def test_python_variables_do_not_leak_in(place: Place) -> None:
    (place.root / "json.py").write_text("raise SystemExit('planted')\n")
    done = place.run("--here", PYTHONPATH=str(place.root), PYTHONHOME="/nowhere")
    assert (done.code, done.out) == (0, told(place, "--all")), done.err


def test_a_named_interpreter_must_work(place: Place) -> None:
    done = place.run("--here", SPECC_PYTHON="/no/python")
    assert done.code == 2
    assert "SPECC_PYTHON=/no/python" in done.err


def test_an_old_interpreter_is_passed_over(place: Place) -> None:
    real = (place.bin / "python3").readlink()
    (place.bin / "python3").unlink()
    place.stub("python3", "exit 1")
    (place.bin / "python3.10").symlink_to(real)
    assert place.run("--here").out == told(place, "--all")


def test_no_interpreter_at_all_is_said(place: Place) -> None:
    (place.bin / "python3").unlink()
    done = place.run("--here")
    assert done.code == 2
    assert "no Python >= 3.9" in done.err


def slurm(place: Place) -> Path:
    """Put srun, scontrol and scancel on PATH; return the copy that Slurm would run."""
    place.stub(
        "srun",
        'printf "%s\\n" "srun $*" >>"$LOG"\nwhile [ "$1" != "${1#-}" ]; do shift; done\n"$@"',
    )
    place.stub("scontrol", 'printf "JobId=7\\n   Command=%s\\n" "$COMMAND"')
    place.stub("scancel", 'echo "scancel $*" >>"$LOG"; kill -USR1 "$(cat "$LOG.pid")"')
    spool = place.root / "spool"
    spool.mkdir()
    return Path(shutil.copy(place.bundle / "job.sbatch", spool / "slurm_script"))


def test_a_batch_job_finds_its_bundle_and_runs_one_step(place: Place) -> None:
    script = slurm(place)
    done = place.run(
        script=script,
        SLURM_JOB_ID="7",
        SLURM_ARRAY_TASK_ID="1",
        SLURM_CPUS_PER_TASK="3",
        COMMAND=f"{place.bundle}/job.sbatch",
    )
    assert (done.code, done.out) == (0, told(place, "--shard", "1", "--own-job")), done.err
    assert place.logged()[0].startswith("srun --nodes=1 --ntasks=1 --cpus-per-task=3 ")
    assert "cpus-per-task is 3, planned was 1" in done.err


def test_arguments_after_the_script_do_not_hide_the_bundle(place: Place) -> None:
    script = slurm(place)
    done = place.run(
        "--run",
        "r2",
        script=script,
        SLURM_JOB_ID="7",
        SLURM_ARRAY_TASK_ID="0",
        COMMAND=f"{place.bundle}/job.sbatch --run r2",
    )
    assert done.out == told(place, "--shard", "0", "--own-job", run="r2")


def test_the_submit_folder_is_the_second_way(place: Place) -> None:
    script = slurm(place)
    done = place.run(
        script=script, SLURM_JOB_ID="7", SLURM_SUBMIT_DIR=str(place.bundle), COMMAND="(null)"
    )
    assert done.out == told(place, "--all")


def test_a_lost_bundle_is_said(place: Place) -> None:
    script = slurm(place)
    done = place.run(script=script, SLURM_JOB_ID="7", COMMAND="(null)")
    assert done.code == 2
    assert "can't find the bundle" in done.err


def test_the_warning_signal_reaches_the_step_and_its_exit_code_comes_back(place: Place) -> None:
    script = slurm(place)
    place.stub(
        "srun",
        'trap "echo step got USR1 >>$LOG; exit 75" USR1\n'
        'echo $$ >"$LOG.pid"; kill -USR1 $PPID\nwhile :; do /bin/sleep 0.05; done',
    )
    done = place.run(script=script, SLURM_JOB_ID="7", COMMAND=f"{place.bundle}/job.sbatch")
    assert done.code == 75
    assert place.logged() == ["scancel --signal=USR1 7", "step got USR1"]


def test_within_a_step_no_second_step_is_started(place: Place) -> None:
    slurm(place)
    done = place.run("--here", SLURM_JOB_ID="7", SLURM_STEP_ID="0")
    assert done.out == told(place, "--all")
    assert place.logged() == []


def test_an_allocation_runs_it_as_a_step(place: Place) -> None:
    slurm(place)
    place.stub("sbatch", "exit 1")
    assert place.run(SLURM_JOB_ID="7").out == told(place, "--all")
    assert len(place.logged()) == 1


def test_a_container_gets_bundle_and_folders_and_its_own_python(tmp_path: Path) -> None:
    image = tmp_path / "image.sif"
    image.write_bytes(b"image")
    box = EnvironmentFact(
        name="box",
        mode="container",
        python=None,
        platform=None,
        accelerator=None,
        requirements="",
        wheels=(),
        description={"mode": "container", "image": str(image), "at": "cluster", "binds": ["/data"]},
    )
    place = Place(tmp_path, environment=box)
    assert place.run("--here").code == 2
    place.stub(
        "apptainer", 'printf "%s\\n" "$@" >"$LOG"; while [ "$1" != python3 ]; do shift; done; "$@"'
    )
    done = place.run("--here")
    assert (done.code, done.out) == (0, told(place, "--all")), done.err
    bundle, cache = place.bundle, f"{place.root}/.cache/specc/env"
    started = " ".join(place.logged()[:10])
    assert started == (
        f"exec --bind /data --bind {bundle} --bind {bundle}/results --bind {cache} {image}"
    )


def test_a_container_image_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image.sif"
    image.write_bytes(b"another")
    described = {"mode": "container", "image": str(image), "at": "cluster", "sha256": "0" * 64}
    box = EnvironmentFact(
        name="box",
        mode="container",
        python=None,
        platform=None,
        accelerator=None,
        requirements="",
        wheels=(),
        description=described,
    )
    place = Place(tmp_path, environment=box)
    place.stub("singularity", "exit 9")
    assert place.run("--here").code == 4


def test_submit_records_jobs_and_clears_shape_variables(place: Place) -> None:
    place.stub("sbatch", 'echo "${SBATCH_TIMELIMIT-none} $*" >>"$LOG"; echo "42;cluster"')
    done = place.tool("submit.sh", "--", "--account=x", SBATCH_TIMELIMIT="7")
    assert done.code == 0, done.err
    assert place.logged() == [f"none --parsable --account=x {place.bundle}/job.sbatch --run r1"]
    jobs = place.bundle / "results/r1/jobs.tsv"
    assert jobs.read_text() == "job.sbatch\t42\n"
    assert place.tool("submit.sh").code == 2
    assert "run r1" in place.tool("submit.sh", "--resume").out
    assert "run r2" in place.tool("submit.sh", "--fresh").out


def test_submit_says_what_slurm_refused(place: Place) -> None:
    place.stub("sbatch", "echo no such partition >&2; exit 1")
    done = place.tool("submit.sh")
    assert done.code == 1
    assert "Slurm refused job.sbatch" in done.err


def test_submit_can_ask_without_submitting(place: Place) -> None:
    place.stub("sbatch", 'echo "$*" >>"$LOG"')
    assert place.tool("submit.sh", "--test-only").code == 0
    assert place.logged() == [f"--test-only {place.bundle}/job.sbatch"]
    assert not (place.bundle / "results").exists()


def test_without_slurm_submit_tells_the_other_way(place: Place) -> None:
    done = place.tool("submit.sh")
    assert done.code == 2
    assert "bash job.sbatch --here" in done.err


def test_status_and_stop_use_the_recorded_jobs(place: Place) -> None:
    place.stub("sbatch", "echo 42")
    place.stub("squeue", 'echo "  42_0 RUNNING"')
    place.stub("scancel", 'echo "$*" >>"$LOG"')
    place.tool("submit.sh")
    done = place.tool("status.sh")
    assert "run r1: job.sbatch, job 42\n  42_0 RUNNING\n" in done.out
    assert done.out.endswith(f"status|--bundle|{place.bundle}")
    assert place.tool("stop.sh").out == "job.sbatch: job 42 cancelled"
    assert place.logged() == ["42"]


def test_the_probe_runs_on_a_bare_machine(place: Place) -> None:
    done = place.tool("probe.sh")
    assert "== system" in done.out
    assert "(no sinfo here)" in done.out


def test_two_nodes_asked_one_given_is_a_warning(tmp_path: Path) -> None:
    place = Place(tmp_path, job=a_job_shape(nodes=2))
    slurm(place)
    done = place.run("--here", SLURM_JOB_ID="7", SLURM_JOB_NUM_NODES="1")
    assert "nodes is 1, planned was 2" in done.err
