"""Before any task: the bundle is checked, the network cut, the environment entered."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import bundles
import pytest

from specc_runtime.entering import environment
from specc_runtime.entering.building import EnvironmentFailed
from specc_runtime.entering.environment import installed_packages

RECORD = "attempt.record('metric', n=1)"
LOCK = hashlib.sha256(b"lock").hexdigest()
SETUP = """#!/bin/sh
echo built >> "$(dirname "$(dirname "$1")")/count"
{extra}
rm -rf "$1"
"$2" -m venv --without-pip "$1"
"""


def wheelhouse(**more: Any) -> dict[str, Any]:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return {"mode": "wheelhouse", "python": version, "lock_sha256": LOCK, "wheels": [], **more}


def a_wheelhouse_bundle(folder: Path, codes: list[str], *, extra: str = "", **more: Any) -> Path:
    files = {"env/main/setup.sh": SETUP.format(extra=extra)}
    return bundles.make_bundle(folder, codes, environment=wheelhouse(**more), files=files)


@pytest.mark.parametrize(
    "name", ["tasks.jsonl", "runtime/specc_runtime/pool/pool.py", "manifest.json"]
)
def test_changed_byte_stops_the_run_and_is_named(home: Path, name: str) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    data = bytearray((bundle / name).read_bytes())
    at = data.rindex(b"e")
    data[at] ^= 4
    (bundle / name).write_bytes(data)
    done = bundles.run(bundle)
    assert done.returncode == 4
    assert name in done.stderr
    assert not (bundle / "results").exists()


def test_missing_file_stops_the_run(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD], files={"inputs/x": "1"})
    (bundle / "inputs/x").unlink()
    done = bundles.run(bundle)
    assert (done.returncode, "missing  inputs/x" in done.stderr) == (4, True)


def test_no_bundle_at_all(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    (bundle / "manifest.json").unlink()
    done = bundles.run(bundle)
    assert (done.returncode, "there is no bundle here" in done.stderr) == (4, True)


def test_foreign_module_beside_the_runtime_stops_the_run(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    (bundle / "runtime" / "yaml.py").write_text("")
    done = bundles.run(bundle)
    assert (done.returncode, "extra    runtime/yaml.py" in done.stderr) == (4, True)


def test_changed_mode_and_extra_file_are_only_told(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD], files={"inputs/x": "1"})
    (bundle / "inputs/x").chmod(0o755)
    (bundle / "notes.txt").write_text("mine")
    done = bundles.run(bundle)
    assert done.returncode == 0
    assert "inputs/x has mode 0755, compiled as 0644" in done.stderr
    assert "1 files that the manifest does not know: notes.txt" in done.stderr


def test_inputs_are_hashed_once_and_again_on_request(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD], files={"inputs/x": "one"})
    bundles.run(bundle)
    status = (bundle / "inputs/x").stat()
    (bundle / "inputs/x").write_text("two")
    os.utime(bundle / "inputs/x", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert bundles.run(bundle).returncode == 0
    info = json.loads((bundles.launch_folder(bundle, 2) / "launch.json").read_text())
    assert info["bundle_verified"] == "stamped"
    assert bundles.run(bundle, SPECC_VERIFY="full").returncode == 4


def test_bad_modules_in_reach_are_not_imported(home: Path) -> None:
    for folder in (home, home / ".local/lib", home / "path"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "json.py").write_text("raise SystemExit('wrong json')")
    bundle = a_wheelhouse_bundle(home / "b", ["import json; attempt.record('metric', n=1)"])
    done = bundles.subprocess.run(
        bundles.command(bundle),
        env=bundles.environ(bundle, PYTHONPATH=str(home / "path"), HOME=str(home)),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="cutting the network off for sure needs root")
def test_network_is_cut_off_and_loopback_is_up(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = (
            "import socket\n"
            "own = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(own.getsockname()).close()\n"
            "try:\n"
            f"    socket.create_connection(('127.0.0.1', {port})).close()\n"
            "    raise ValueError('the world outside can be reached')\n"
            "except ConnectionRefusedError:\n"
            "    pass"
        )
        bundle = bundles.make_bundle(home / "b", [code])
        done = bundles.run(bundle, SPECC_NETWORK="off")
    assert done.returncode == 0, done.stderr
    info = json.loads((bundles.launch_folder(bundle) / "launch.json").read_text())
    assert info["network"] == "isolated"


def test_environment_is_built_once_and_entered(home: Path) -> None:
    code = "attempt.record('metric', prefix=sys.prefix, venv=os.environ['VIRTUAL_ENV'])"
    bundle = a_wheelhouse_bundle(home / "b", [code])
    assert bundles.run(bundle).returncode == 0
    assert bundles.run(bundle, SPECC_RUN="r2").returncode == 0
    assert (home / "cache/env/count").read_text() == "built\n"
    row = bundles.rows(bundle)[bundles.task_id(0)][1]
    assert row["prefix"] == row["venv"]
    prefix = Path(row["prefix"])
    assert (prefix.name, prefix.parent.parent) == ("000001", home / "cache/env")


def test_two_that_need_one_environment_build_it_once(home: Path) -> None:
    bundle = a_wheelhouse_bundle(home / "b", [RECORD, RECORD], extra="sleep 1")
    runs = [bundles.start(bundle, SPECC_RUN=name) for name in ("r1", "r2")]
    outputs = [process.communicate(timeout=60)[0] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], outputs
    assert (home / "cache/env/count").read_text() == "built\n"
    assert "environment main: waiting for" in "".join(outputs)


def test_environment_that_fails_to_build_shows_its_last_lines(home: Path) -> None:
    bundle = a_wheelhouse_bundle(home / "b", [RECORD], extra="echo no wheel for x >&2; exit 3")
    done = bundles.run(bundle)
    assert done.returncode == 1
    assert "ended with code 3" in done.stderr
    assert "no wheel for x" in done.stderr


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"python": "3.2"}, "load it (module load Python/3.2) or set SPECC_PYTHON"),
        ({"platform": "mips-manylinux_2_28"}, "the wheels are for mips, this machine is"),
        ({"platform": f"{os.uname().machine}-manylinux_9_99"}, "the wheels need glibc 9.99"),
    ],
)
def test_machine_that_does_not_fit_is_told_what_to_do(
    home: Path, stated: dict[str, str], says: str
) -> None:
    bundle = a_wheelhouse_bundle(home / "b", [RECORD], **stated)
    done = bundles.run(bundle)
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr


def test_damaged_journal_stops_the_shard_and_is_named(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    bundles.run(bundle)
    path = bundles.launch_folder(bundle) / "events.jsonl"
    path.write_text(path.read_text().replace("{", "", 1))
    done = bundles.run(bundle)
    assert done.returncode == 4
    assert "events.jsonl:1: not a JSON line" in done.stderr


def test_rows_that_were_changed_make_the_task_run_again(home: Path) -> None:
    bundle = bundles.make_bundle(home / "b", [RECORD])
    bundles.run(bundle)
    path = bundles.launch_folder(bundle) / "records.0.0.jsonl"
    path.write_text(path.read_text().replace('"n":1', '"n":2'))
    assert bundles.states(bundle) == ["invalid"]
    assert bundles.run(bundle).returncode == 0
    assert bundles.states(bundle) == ["completed"]


def test_caches_are_off_the_home_and_gone_afterwards(home: Path) -> None:
    code = (
        "names = ['HF_HOME', 'TRITON_CACHE_DIR', 'XDG_CACHE_HOME', 'TORCH_EXTENSIONS_DIR']\n"
        "os.makedirs(os.environ['HF_HOME'])\n"
        "attempt.record('metric', paths=[os.environ[n] for n in names])"
    )
    bundle = bundles.make_bundle(home / "b", [code])
    (home / "tmp").mkdir()
    bundles.run(bundle, TMPDIR=str(home / "tmp"))
    paths = bundles.rows(bundle)[bundles.task_id(0)][1]["paths"]
    assert all(path.startswith(str(home / "tmp" / "specc-")) for path in paths)
    assert list((home / "tmp").iterdir()) == []


def test_packages_are_listed_by_name_and_version(tmp_path: Path) -> None:
    for name in ("Ruamel_Yaml-0.18.6.dist-info", "x.py", "torch-2.13.0+cpu.dist-info"):
        (tmp_path / name).mkdir()
    found = installed_packages([str(tmp_path), str(tmp_path / "none.zip")])
    assert found == {"ruamel-yaml": "0.18.6", "torch": "2.13.0+cpu"}


@pytest.mark.parametrize(
    ("driver", "accelerator", "says"),
    [
        (None, "cu128", "no NVIDIA driver is loaded here"),
        ("470.82.01", "cu128", "cu128 needs driver 525.60 or newer, here is 470.82.01"),
        ("575.57.08", "cu128", None),
    ],
)
def test_driver_is_compared_with_the_accelerator(
    monkeypatch: pytest.MonkeyPatch, driver: str | None, accelerator: str, says: str | None
) -> None:
    monkeypatch.setattr(environment, "driver_version", lambda: driver)
    stated = {"accelerator": accelerator, "platform": None}
    environment.check_platform(stated, needs_gpu=False)
    if says is None:
        environment.check_platform(stated, needs_gpu=True)
    else:
        with pytest.raises(EnvironmentFailed, match=says):
            environment.check_platform(stated, needs_gpu=True)


def test_version_of_the_driver_as_the_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("575.57.08\n")
    assert environment.driver_version(str(tmp_path / "version")) == "575.57.08"
    assert environment.driver_version(str(tmp_path / "none")) is None


def test_other_interpreter_is_looked_for_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python3.1"
    python.write_text("#!/bin/sh\necho 3.1\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert environment.find_python("3.1") == str(python)


def test_environments_stand_in_the_cache_unless_told_otherwise() -> None:
    root = environment.environments_root
    assert root({"HOME": "/h"}) == "/h/.cache/specc/env"
    assert root({"HOME": "/h", "XDG_CACHE_HOME": "/c"}) == "/c/specc/env"
    assert root({"SPECC_ENV_DIR": "/e"}) == "/e"


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_network_is_cut_off_for_an_ordinary_user_or_said_not_to_be() -> None:
    code = (
        "import os, socket, sys; sys.path.insert(0, sys.argv[1])\n"
        "from specc_runtime.entering.isolate import cut_network\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "refused = cut_network()\n"
        "print(refused or [name for _, name in socket.if_nameindex()])"
    )
    root = str(bundles.RUNTIME.parent)
    done = bundles.subprocess.run(
        [sys.executable, "-c", code, root], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['lo']\n" or done.stdout.startswith(("unshare: ", "/proc/self/"))
