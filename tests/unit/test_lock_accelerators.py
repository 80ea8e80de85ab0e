"""CUDA builds without the index that names them: told by the CUDA runtime that they require."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives_made import a_wheel
from bundling import a_spec
from test_lock import links as links  # a fixture

from specc.lock import lock_environments
from specc.locking.builds import cuda_builds
from specc.locking.lockfile import Lock
from specc.locking.store import Store
from specc.problems import SpecInvalid


def locked(root: Path, accelerator: str, lock: Lock | None = None) -> Lock:
    asked = {"python": "3.11", "requirements": ["torch==2.13.0"], "accelerator": accelerator}
    return lock_environments(a_spec(root, environment={"e": asked}), ["e"], lock)


def message(root: Path, accelerator: str) -> str:
    with pytest.raises(SpecInvalid) as stopped:
        locked(root, accelerator)
    (problem,) = stopped.value.problems
    assert problem.code == "E430"
    return problem.message


@pytest.fixture
def unreached(links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no index answer but an empty one of this machine."""
    index = links.parent / "index"
    index.mkdir()
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.as_uri())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")


@pytest.fixture
def offered(links: Path) -> Path:
    """A folder with a CPU build and one for CUDA 13.0, named as a plain index names it."""
    a_wheel(links, "torch", "2.13.0+cpu")
    a_wheel(links, "torch", "2.13.0", requires="nvidia-cuda-runtime==13.0.96")
    a_wheel(links, "nvidia_cuda_runtime", "13.0.96")
    return links


@pytest.mark.usefixtures("unreached")
def test_build_whose_runtime_is_that_of_the_accelerator_is_taken(
    tmp_path: Path, offered: Path
) -> None:
    files = [wheel.file for wheel in locked(tmp_path, "cu130").environments["e"].wheels]
    assert files == [
        "nvidia_cuda_runtime-13.0.96-py3-none-any.whl",
        "torch-2.13.0-py3-none-any.whl",
    ]


def test_cpu_environment_gets_nothing_of_cuda(tmp_path: Path, offered: Path) -> None:
    files = [wheel.file for wheel in locked(tmp_path, "cpu").environments["e"].wheels]
    assert files == ["torch-2.13.0+cpu-py3-none-any.whl"]


@pytest.mark.usefixtures("unreached")
def test_build_for_another_cuda_version_is_refused_by_name(tmp_path: Path, offered: Path) -> None:
    said = message(tmp_path, "cu128")
    assert said.startswith("could not reach the package index of cu128 builds (")
    assert "the configured one has cu130 builds: " in said
    assert said.endswith("or write accelerator: cu130")


def test_build_for_another_cuda_version_is_refused_where_the_index_answers_as_well(
    tmp_path: Path, offered: Path
) -> None:
    assert message(tmp_path, "cu128").startswith("the package index has cu130 builds: ")


@pytest.mark.usefixtures("unreached")
def test_build_that_names_no_cuda_version_is_refused(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "torch", "2.13.0")
    assert "has no build that names its CUDA version" in message(tmp_path, "cu130")


@pytest.mark.usefixtures("unreached")
def test_no_build_at_all_tells_both_failures(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "torch", "2.13.0+cpu")
    said = message(tmp_path, "cu130")
    assert "could not reach the package index of cu130 builds (" in said
    assert ", nor resolve without it: " in said


@pytest.mark.usefixtures("unreached")
def test_locked_build_is_found_again_for_an_empty_store(tmp_path: Path, offered: Path) -> None:
    lock = locked(tmp_path, "cu130")
    wheels = lock.environments["e"].wheels
    for wheel in wheels:
        Store().path(wheel.sha256).unlink()
    assert locked(tmp_path, "cu130", lock) == lock
    assert all(Store().has(wheel.sha256) for wheel in wheels)


def test_cuda_version_is_that_of_the_required_runtime() -> None:
    assert cuda_builds({"nvidia-cuda-runtime-cu12": "12.8.90", "torch": "2.9.0"}) == ("cu128",)
    assert cuda_builds({"nvidia-cuda-runtime": "13.0.96"}) == ("cu130",)
    assert cuda_builds({"nvidia-cublas": "13.1.1.3"}) == ()
