"""A spec becomes a bundle with its lock, over a package index on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from archives_made import a_wheel

from specc.bundling.hashing import sha256_file
from specc.locking import tools
from specc.locking.lockfile import read_lock
from specc.locking.tools import uv_version
from specc.pipeline import compile_spec, lock_spec
from specc.problems import SpecInvalid
from specc.verify import verify_bundle

SPEC = """\
schema_version: 1
name: wheels
kind: command
purpose: two environments
matrix: {axes: {device: [cpu, cuda]}}
when:
  - {if: {device: cuda}, set: {environment: cuda}}
  - {if: {device: cpu}, set: {environment: cpu}}
environment:
  cpu: {python: "3.11", requirements: [lib]}
  cuda: {python: "3.11", requirements: [not-there], accelerator: cpu}
settings: {argv: [echo, "${device}"]}
task: {time_limit: 1min}
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a package index with `lib` and `uv` in it to uv and pip; return its folder."""
    root = tmp_path / "served"
    for wheel in (
        a_wheel(root / "files", "lib"),
        a_wheel(root / "files", "uv", uv_version(), "py3-none-manylinux_2_17_x86_64"),
    ):
        page = root / "simple" / wheel.name.split("-")[0] / "index.html"
        page.parent.mkdir(parents=True)
        target = f"../../files/{wheel.name}#sha256={sha256_file(wheel)}"
        page.write_text(f'<!DOCTYPE html><a href="{target}">{wheel.name}</a>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/simple/"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", address)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    tools.configured_find_links.cache_clear()
    yield root
    tools.configured_find_links.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def test_only_environments_of_tasks_that_run_are_locked_and_shipped(
    tmp_path: Path, index: Path
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    made = compile_spec(spec, out=tmp_path / "out", only={"device": ("cpu",)}, only_reason="no GPU")
    assert verify_bundle(made.path).clean
    assert sorted(path.name for path in (made.path / "env").iterdir()) == ["cpu"]
    assert sorted(path.name.split("-")[0] for path in (made.path / "wheels").iterdir()) == [
        "lib",
        "uv",
    ]
    lock = (made.path / "env/cpu/requirements.lock").read_text()
    assert (
        lock
        == f"lib==1.0 --hash=sha256:{sha256_file(index / 'files' / 'lib-1.0-py3-none-any.whl')}\n"
    )
    written = read_lock(tmp_path / "spec.yaml.lock")
    assert written is not None
    assert list(written.environments) == ["cpu"]


def test_a_second_compile_gives_the_same_bundle_without_the_index(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    first = compile_spec(spec, out=tmp_path / "out", only={"device": ("cpu",)})
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    second = compile_spec(spec, out=tmp_path / "other", only={"device": ("cpu",)})
    assert first.bundle_id == second.bundle_id


def test_an_environment_that_cannot_be_had_stops_the_compile_at_its_line(
    tmp_path: Path, index: Path
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    with pytest.raises(SpecInvalid) as caught:
        compile_spec(spec, out=tmp_path / "out")
    (problem,) = caught.value.problems
    assert (problem.code, problem.path) == ("E430", "environment.cuda.requirements")
    assert problem.mark is not None
    assert problem.mark.line == 11
    assert not (tmp_path / "out").exists()


def test_locking_takes_what_the_index_has_now(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    path = lock_spec(spec, only={"device": ("cpu",)})
    assert path == tmp_path / "spec.yaml.lock"
    first = read_lock(path)
    newer = a_wheel(index / "files", "lib", "2.0")
    page = index / "simple" / "lib" / "index.html"
    target = f"../../files/{newer.name}#sha256={sha256_file(newer)}"
    page.write_text(f'{page.read_text()}<a href="{target}">{newer.name}</a>')
    compile_spec(spec, out=tmp_path / "out", only={"device": ("cpu",)})
    assert read_lock(path) == first
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "later"))  # uv trusts an answer for minutes
    lock_spec(spec, only={"device": ("cpu",)})
    second = read_lock(path)
    assert second is not None
    assert second.environments["cpu"].wheels[0].file == newer.name
