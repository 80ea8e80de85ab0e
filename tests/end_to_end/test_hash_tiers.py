"""One flipped byte in any file of a bundle stops a launch with code 4, and the file is named."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wheelhouse import TOY, compiled, node

MORE = """\
inputs: [{name: corpus, path: corpus}]
code: {path: code, select: all}
"""
RUNTIME = ("__main__.py", "pool/pool.py", "contract/manifest.py", "kinds/command/run.py")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiers")


@pytest.fixture(scope="module")
def bundle(home: Path) -> Path:
    """A bundle with a file of each sort, never run; its own stamps know nothing of it."""
    for name in ("corpus/a.txt", "code/tool.py"):
        (home / name).parent.mkdir()
        (home / name).write_text("# some text\n")
    return compiled(home, TOY, MORE)


@contextmanager
def flipped(path: Path, *, same_time: bool = False) -> Iterator[None]:
    """Change one byte of a file, where its syntax bears it, and put it back afterwards."""
    before, status = path.read_bytes(), path.stat()
    at = before.find(b"# ") + 2 if b"# " in before else len(before) // 2
    data = bytearray(before)
    data[at] ^= 1
    path.write_bytes(data)
    if same_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def launch(bundle: Path, env: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "job.sbatch", "--here"], cwd=bundle, env=env, capture_output=True, text=True
    )
    return done.returncode, done.stderr


def some_of_each(bundle: Path) -> list[str]:
    files = [path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()]
    runtime = [f"runtime/specc_runtime/{name}" for name in RUNTIME]
    rest = [name for name in files if not name.startswith(("runtime/", "results/", "compile.json"))]
    return [*sorted(rest), *runtime]


def test_every_sort_of_file_is_checked_at_launch(home: Path, bundle: Path) -> None:
    env = node(home)
    names = some_of_each(bundle)
    told = {}
    for name in names:
        with flipped(bundle / name):
            code, output = launch(bundle, env)
            told[name] = (code, name in output)
    assert told == dict.fromkeys(names, (4, True))
    sorts = {name.partition("/")[0] for name in names}
    assert sorts >= {"wheels", "inputs", "code", "env", "runtime", "job.sbatch", "tasks.jsonl"}
    assert not (bundle / "results").exists()


@pytest.mark.parametrize("sort", ["wheels", "inputs"])
def test_large_files_are_hashed_once_and_again_when_asked(
    home: Path, bundle: Path, sort: str
) -> None:
    env = node(home)
    assert launch(bundle, env)[0] == 0
    path = next(path for path in sorted((bundle / sort).rglob("*")) if path.is_file())
    name = path.relative_to(bundle).as_posix()
    with flipped(path, same_time=True):
        assert launch(bundle, env)[0] == 0
        code, told = launch(bundle, {**env, "SPECC_VERIFY": "full"})
        assert (code, name in told) == (4, True)
    with flipped(path):
        code, told = launch(bundle, env)
        assert (code, name in told) == (4, True)
