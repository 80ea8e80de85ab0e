"""What collate, compare and export touch beside --out, and what of their surroundings they need:
network, home, terminal.

Real processes: one in a network of its own that leads nowhere, with the bundle mounted read-only;
one elsewhere, at another time, in another language; one of a user without a home.
"""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from path import SPECC, compiled, run_script

SPEC = """\
schema_version: 1
name: traceless
kind: command
matrix: {axes: {n: [1, 2]}}
repetitions: {n: 2}
settings:
  argv: [sh, -c, 'echo "{\\"t\\": ${n}.5}"']
  metrics: {t: {from: json_lines, unit: s, better: lower}}
analysis: {gates: [{metric: t, lt: 60}]}
task: {cpus: 1, memory: 64MiB, estimate: 1s, time_limit: 60s}
job: {time_limit: 10min}
"""
READ_ONLY = """\
set -eu
mount --bind "$BUNDLE" "$BUNDLE"
mount -o remount,bind,ro "$BUNDLE"
! touch "$BUNDLE/trace" 2>/dev/null
exec "$@"
"""
CONFINED = ("unshare", "-rnm", "sh", "-c", READ_ONLY, "sh")
NOBODY = ("unshare", "-U", "--map-user=12345", "--map-group=12345", "env", "-u", "HOME")


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the runs r1 and r2."""
    made = compiled(tmp_path_factory.mktemp("traceless"), SPEC)
    for run in ("r1", "r2"):
        assert run_script(made, SPECC_RUN=run).returncode == 0
    return made


def _three_verbs(bundle: Path, root: Path, *before: str, **surroundings: str) -> Path:
    """Run collate, compare and export in a folder of their own; return what they wrote."""
    for name in ("home", "tmp", "cwd"):
        (root / name).mkdir(parents=True)
    out, both = root / "out", [f"{bundle}:r1", f"{bundle}:r2"]
    environment = {
        **os.environ,
        **{"HOME": str(root / "home"), "TMPDIR": str(root / "tmp"), "BUNDLE": str(bundle)},
        **{"SOURCE_DATE_EPOCH": "0", "XDG_CACHE_HOME": "", **surroundings},
    }
    for verb, paths, codes in (
        ("collate", [str(bundle)], (0, 5)),
        ("compare", both, (0, 1, 5)),
        ("export", [str(bundle)], (0,)),
    ):
        ended = subprocess.run(
            [*before, str(SPECC), verb, *paths, "--out", str(out / verb)],
            cwd=root / "cwd",
            env=environment,
            capture_output=True,
            text=True,
        )
        assert ended.returncode in codes, ended.stderr
        assert ended.stderr == ""  # no progress where no terminal is
    return out


def _contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.skipif(not _works("unshare", "-rnm", "true"), reason="needs namespaces of users")
def test_results_are_only_read_without_a_network_and_give_the_same_bytes_anywhere(
    bundle: Path, tmp_path: Path
) -> None:
    before = _contents(bundle)
    here = tmp_path / "here"
    out = _three_verbs(bundle, here, *CONFINED, LC_ALL="C.UTF-8", TZ="UTC", PYTHONHASHSEED="1")
    assert _contents(bundle) == before
    left = [path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()]
    beside = [name for name in left if not name.startswith("out/")]
    assert len(beside) == 1
    assert beside[0].startswith("home/.cache/specc/vega-")
    there = tmp_path / "elsewhere, with ümlaut"
    again = _three_verbs(bundle, there, LC_ALL="POSIX", TZ="Pacific/Kiritimati", PYTHONHASHSEED="2")
    assert len(_contents(out)) > 40
    assert _contents(again) == _contents(out)


@pytest.mark.skipif(not _works(*NOBODY, "true"), reason="needs namespaces of users")
def test_a_user_without_a_home_gets_a_report(bundle: Path, tmp_path: Path) -> None:
    command = [*NOBODY, SPECC, "collate", bundle, "--out", tmp_path / "out"]
    environment = {**os.environ, "XDG_CACHE_HOME": ""}
    ended = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    assert ended.stderr == ""
    assert ended.returncode in (0, 5)  # what a gate says of values without any spread
    assert "vegaEmbed" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("verb", ["collate", "compare", "export"])
def test_a_terminal_shows_progress_and_stdout_one_object(
    bundle: Path, tmp_path: Path, verb: str
) -> None:
    paths = [f"{bundle}:r1", f"{bundle}:r2"] if verb == "compare" else [str(bundle)]
    command = [str(SPECC), verb, *paths, "--out", str(tmp_path / "out"), "--json"]
    terminal, end = pty.openpty()
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=end, text=True)
    os.close(end)
    shown = b""
    with suppress(OSError):  # the terminal's other end is closed
        while block := os.read(terminal, 65536):
            shown += block
    os.close(terminal)
    assert json.loads(ended.stdout)["exit_code"] == ended.returncode
    assert len(ended.stdout.splitlines()) == 1
    assert {"collate": b"drawing", "compare": b"comparing", "export": b"writing"}[verb] in shown


def test_nothing_usable_at_all_is_an_error_of_results(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for verb in (["collate"], ["export"], ["compare", "empty"]):
        command = [str(SPECC), *verb, "empty", "--out", "out"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == 4
        assert "no bundle at empty" in ended.stderr
    assert not (tmp_path / "out").exists()
