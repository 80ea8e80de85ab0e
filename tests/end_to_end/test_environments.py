"""The bundle's own environment: built once, whoever is killed, in containers, over modules."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from path import records
from wheelhouse import PYTHON, TOY, compiled, generations, node

APPTAINER = """#!/bin/bash
printf '%s\\n' "$*" >>"$LOG"
shift
while :; do
    case $1 in --bind | --overlay) shift 2 ;; --nv) shift ;; *) break ;; esac
done
shift
IN_CONTAINER=yes exec "$@"
"""
MODULE = '() { printf "module %s\\n" "$*" >>"$LOG"; export LOADEDMODULES=$2 TOY_MODULE=$unset; }'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("toys"))


def start(bundle: Path, env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "job.sbatch", *(arguments or ("--here",))],
        cwd=bundle,
        env={**env, "SPECC_RESULTS": f"{env['HOME']}/results"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def launch(home: Path) -> dict[str, Any]:
    (path,) = list(home.glob("results/*/r1/*-0000/launch-001/launch.json"))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def wait_for_build(home: Path) -> None:
    deadline = time.monotonic() + 30
    while not generations(home):
        assert time.monotonic() < deadline, "no build was begun"
        time.sleep(0.005)


def test_four_jobs_at_once_build_one_environment(bundle: Path, tmp_path: Path) -> None:
    env = node(tmp_path)
    jobs = [start(bundle, env, "--here", "--shard", str(number)) for number in range(4)]
    ended = [end(job) for job in jobs]
    assert [code for code, _ in ended] == [0, 0, 0, 0], ended
    (only,) = generations(tmp_path)
    assert only.endswith("/000001")
    assert "".join(told for _, told in ended).count(": building ") == 1
    values = [row["value"] for row in rows(tmp_path)]
    assert values == [42, 42, 42, 42]


def rows(home: Path) -> list[dict[str, Any]]:
    (results,) = (home / "results").iterdir()
    (results.parent / "as-bundle").mkdir()
    (results.parent / "as-bundle" / "results").symlink_to(results)
    return records(results.parent / "as-bundle", "metric")


def test_a_builder_that_is_killed_is_followed_by_the_next(bundle: Path, tmp_path: Path) -> None:
    env = node(tmp_path)
    first = start(bundle, env)
    wait_for_build(tmp_path)
    first.kill()
    end(first)
    assert not list((tmp_path / "environments").glob("*/ready"))
    code, told = end(start(bundle, env))
    assert code == 0, told
    assert [one[-6:] for one in generations(tmp_path)] == ["000002"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)]
)
def test_a_signal_during_the_build_leaves_no_half_environment(
    bundle: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    env = node(tmp_path)
    process = start(bundle, env)
    wait_for_build(tmp_path)
    process.send_signal(number)
    found, told = end(process)
    assert found == code, told
    assert f"stopped by {number.name}" in told
    assert generations(tmp_path) == []
    assert end(start(bundle, env))[0] == 0


def test_a_python_of_another_version_is_told_what_to_load(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, f'{TOY}, python: "3.14"')
    code, told = end(start(bundle, node(tmp_path)))
    assert code == 1
    assert f"the lock is for Python 3.14, but this is {PYTHON}" in told
    assert "no python3.14 is on PATH; load it (module load Python/3.14) or set SPECC_PYTHON" in told
    assert generations(tmp_path) == []


def test_the_right_python_is_found_beside_another(bundle: Path, tmp_path: Path) -> None:
    """SPECC_PYTHON starts the runtime; the environment gets the Python that its lock names."""
    other = next((p for p in ("3.10", "3.12", "3.13", "3.9") if p != PYTHON and _runs(p)), None)
    if other is None:
        pytest.skip("no second Python on this machine")
    env = node(tmp_path, SPECC_PYTHON=_runs(other) or "")
    code, told = end(start(bundle, env))
    assert code == 0, told
    assert launch(tmp_path)["python"].startswith(f"{PYTHON}.")


def _runs(version: str) -> str | None:
    """Path of a real interpreter of that version; None without one."""
    beside = Path(sys.base_prefix).parent.glob(f"*/bin/python{version}")
    for python in (f"/usr/bin/python{version}", *map(str, beside)):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        if Path(python).exists():
            done = subprocess.run([python, "-c", code], capture_output=True, text=True)
            if done.stdout.strip() == version:
                return python
    return None


def a_container(home: Path, image: bytes = b"image", more: str = "") -> tuple[Path, dict[str, str]]:
    (home / "base.sif").write_bytes(image)
    env = node(home)
    stub = home / "bin" / "apptainer"
    stub.write_text(APPTAINER)
    stub.chmod(0o755)
    declared = f'mode: container, image: base.sif, at: desk, python: "{PYTHON}", {TOY}{more}'
    return compiled(home, declared), env


def test_wheels_on_top_of_an_image_are_built_inside_it(tmp_path: Path) -> None:
    bundle, env = a_container(
        tmp_path, more=", binds: [/data:/d], overlay: /o.img, nv: true, variables: {TOY: loud}"
    )
    code, told = end(start(bundle, env))
    assert code == 0, told
    (called,) = (tmp_path / "log").read_text().splitlines()
    image = f"{bundle}/images/default.sif"
    places = f"--bind {bundle} --bind {tmp_path}/results --bind {tmp_path}/environments"
    start_ = f"exec --nv --bind /data:/d --overlay /o.img:ro {places} {image} python3 -I -B"
    assert called.startswith(start_), called
    found = launch(tmp_path)["environment"]
    assert (found["mode"], found["image"]) == ("container", "images/default.sif")
    assert found["packages"]["toy"] == "1.0"
    (prefix,) = generations(tmp_path)
    assert found["path"] == f"{tmp_path}/environments/{prefix}"
    config = Path(found["path"], "pyvenv.cfg").read_text()
    assert "include-system-site-packages = true" in config


def test_another_image_is_another_environment(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        bundle, env = a_container(tmp_path, content)
        code, told = end(start(bundle, env))
        assert code == 0, told
    keys = {one.partition("/")[0] for one in generations(tmp_path)}
    assert len(keys) == 2


def test_an_image_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    bundle, env = a_container(tmp_path)
    assert end(start(bundle, env))[0] == 0
    image = bundle / "images" / "default.sif"
    status = image.stat()
    image.write_bytes(b"imagf")
    code, told = end(start(bundle, env))
    assert (code, str(image) in told) == (4, True), told
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    code, told = end(start(bundle, {**env, "SPECC_VERIFY": "full"}))
    assert (code, str(image) in told) == (4, True), told


def test_modules_are_loaded_and_the_wheels_stand_on_them(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, f"{TOY}, modules: [Base/1.0], variables: {{TOY: loud}}")
    env = node(tmp_path, **{"BASH_FUNC_module%%": MODULE})
    code, told = end(start(bundle, env))
    assert code == 0, told
    assert (tmp_path / "log").read_text() == "module load Base/1.0\n"
    assert {row["value"] for row in rows(tmp_path)} == {42 + len("loud")}
    found = launch(tmp_path)["environment"]
    assert (found["modules"], found["packages"]["toy"]) == (["Base/1.0"], "1.0")


def test_a_machine_without_modules_warns(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, f"{TOY}, modules: [Base/1.0]")
    code, told = end(start(bundle, node(tmp_path)))
    assert code == 0, told
    assert "there is no module command here, so Base/1.0 is not loaded" in told


def test_a_module_that_is_not_there_stops_the_job(tmp_path: Path) -> None:
    bundle = compiled(tmp_path, f"{TOY}, modules: [Base/9.9]")
    env = node(tmp_path, **{"BASH_FUNC_module%%": "() { return 1; }"})
    code, told = end(start(bundle, env))
    assert (code, "this machine has no module Base/9.9" in told) == (2, True)
