"""The same spec and inputs give the same bytes, wherever, whenever and for whomever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SPEC = """\
schema_version: 1
name: stable
kind: command
purpose: a bundle with a bit of everything
matrix:
  axes: {n: [1, 2, 3], word: [ä, "it's $(here)"]}
repetitions: {n: 2, order: random, seed: 3}
inputs:
  - {name: data, path: data}
  - {name: far, path: /project/x, at: cluster}
code: {path: code, select: all}
settings:
  argv: [echo, "${n}", "${word}", "input:data"]
task: {time_limit: 1min}
"""

COMPILE = """
import os, sys
os.umask(int(sys.argv[3], 8))
from pathlib import Path
from specc.pipeline import compile_spec
print(compile_spec(Path(sys.argv[1]), out=Path(sys.argv[2])).path)
"""


def a_study(root: Path, *, newest_first: bool) -> Path:
    names = [("data/b.txt", "b\n"), ("data/a/ü.txt", "a\n"), ("code/run.sh", "true\n")]
    root.mkdir()
    for name, text in reversed(names) if newest_first else names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "code" / "run.sh").chmod(0o700 if newest_first else 0o755)
    (root / "spec.yaml").write_text(SPEC)
    return root / "spec.yaml"


def compiled(spec: Path, out: Path, umask: str, **variables: str) -> Path:
    environment = {**os.environ, **variables}
    command = [sys.executable, "-c", COMPILE, str(spec), str(out), umask]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, cwd=spec.parent
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def contents(bundle: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(bundle).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in bundle.rglob("*")
        if path.is_file() and path.name != "compile.json"
    }


def test_two_people_get_the_same_bytes(tmp_path: Path) -> None:
    one = compiled(
        a_study(tmp_path / "one", newest_first=False),
        tmp_path / "out",
        "022",
        TZ="UTC",
        LANG="C",
        LC_ALL="C",
        PYTHONHASHSEED="1",
        HOME=str(tmp_path),
        XDG_CACHE_HOME=str(tmp_path / "c1"),
    )
    other_root = tmp_path / "zwei mit ümlaut"
    shutil.copytree(tmp_path / "one" / "code", tmp_path / "unrelated")
    other = compiled(
        a_study(other_root, newest_first=True),
        other_root / "out",
        "077",
        TZ="Pacific/Kiritimati",
        LANG="C.UTF-8",
        LC_ALL="C.UTF-8",
        PYTHONHASHSEED="2",
        HOME=str(other_root),
        USER="somebody",
        XDG_CACHE_HOME=str(tmp_path / "c2"),
    )
    assert one.name == other.name
    assert contents(one) == contents(other)
    assert len(contents(one)) > 30


def test_no_path_of_this_machine_stands_in_what_is_hashed(tmp_path: Path) -> None:
    bundle = compiled(a_study(tmp_path / "study", newest_first=False), tmp_path / "out", "022")
    for name, (content, _) in contents(bundle).items():
        assert str(tmp_path).encode() not in content, name
        if not name.startswith("runtime/"):
            assert str(Path.home()).encode() + b"/" not in content, name


def test_the_order_of_keys_and_comments_leave_task_ids_alone(tmp_path: Path) -> None:
    spec = a_study(tmp_path / "study", newest_first=False)
    first = compiled(spec, tmp_path / "out", "022")
    lines = SPEC.splitlines()
    spec.write_text("\n".join(["# a comment", *lines[1:4], lines[0], *lines[4:]]) + "\n")
    second = compiled(spec, tmp_path / "out", "022")
    assert (first / "tasks.jsonl").read_bytes() == (second / "tasks.jsonl").read_bytes()
