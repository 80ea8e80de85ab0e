"""Environments and packages are resolved, fetched and pinned; by uv and pip over local folders."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives_made import a_wheel, an_sdist
from bundling import a_spec

from specc.bundling.hashing import sha256_file
from specc.lock import lock_environments, lock_inputs
from specc.locking import tools
from specc.locking.lockfile import Lock, lock_path, read_lock, write_lock
from specc.locking.store import Store
from specc.locking.target import request_for
from specc.locking.tools import uv_version
from specc.model import Json
from specc.problems import BundleInvalid, SpecInvalid


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let pip look into one local folder only; uv is told the same by specc."""
    folder = tmp_path / "lïnks"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    monkeypatch.setenv("UV_OFFLINE", "1")
    tools.configured_find_links.cache_clear()
    a_wheel(folder, "uv", uv_version(), "py3-none-manylinux_2_17_x86_64")
    yield folder
    tools.configured_find_links.cache_clear()


def locked(
    root: Path, lock: Lock | None = None, *, anew: bool = False, **environment: Json
) -> Lock:
    spec = a_spec(root, environment={"cpu": {"python": "3.11", **environment}})
    return lock_environments(spec, ["cpu"], lock, anew=anew)


def code_of(caught: pytest.ExceptionInfo[SpecInvalid]) -> list[str]:
    return [problem.code for problem in caught.value.problems]


def test_the_lock_pins_each_package_by_one_hash(tmp_path: Path, links: Path) -> None:
    lib = a_wheel(links, "lib")
    app = a_wheel(links, "app", requires="lib")
    lock = locked(tmp_path, requirements=["app"])
    assert lock.environments["cpu"].requirements == (
        f"app==1.0 --hash=sha256:{sha256_file(app)}",
        f"lib==1.0 --hash=sha256:{sha256_file(lib)}",
    )
    assert [w.file for w in lock.environments["cpu"].wheels] == [app.name, lib.name]
    assert lock.environments["cpu"].installer.file.startswith(f"uv-{uv_version()}-")
    assert Store().is_sound(sha256_file(app))


def test_the_best_wheel_for_the_target_is_taken(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "lib")
    a_wheel(links, "lib", tag="cp312-cp312-manylinux_2_17_x86_64")
    a_wheel(links, "lib", tag="cp311-cp311-win_amd64")
    best = a_wheel(links, "lib", tag="cp311-cp311-manylinux_2_17_x86_64")
    lock = locked(tmp_path, requirements=["lib"])
    assert [w.file for w in lock.environments["cpu"].wheels] == [best.name]


def test_a_local_build_for_the_accelerator_is_preferred(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "torchlike", "2.0")
    a_wheel(links, "torchlike", "2.0+cpu")
    lock = locked(tmp_path, requirements=["torchlike==2.0"], accelerator="cpu")
    assert [w.file for w in lock.environments["cpu"].wheels] == [
        "torchlike-2.0+cpu-py3-none-any.whl"
    ]


def test_the_folder_of_the_spec_itself_is_searched(tmp_path: Path, links: Path) -> None:
    a_wheel(tmp_path / "wheels", "own")
    lock = locked(tmp_path, requirements=["own"], find_links=["wheels"])
    assert [w.file for w in lock.environments["cpu"].wheels] == ["own-1.0-py3-none-any.whl"]


def test_a_source_archive_is_built_once_and_its_wheel_pinned(tmp_path: Path, links: Path) -> None:
    an_sdist(links, "built")
    lock = locked(tmp_path, requirements=["built"])
    (wheel,) = lock.environments["cpu"].wheels
    assert wheel.file == "built-1.0-py3-none-any.whl"
    assert lock.environments["cpu"].requirements == (f"built==1.0 --hash=sha256:{wheel.sha256}",)
    Store().path(wheel.sha256).unlink()
    again = locked(tmp_path, requirements=["built"])
    assert again == lock


def test_no_address_path_or_time_stands_in_the_lock_file(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "lib")
    path = lock_path(tmp_path / "spec.yaml")
    write_lock(locked(tmp_path, requirements=["lib"]), path)
    text = path.read_text()
    assert path.name == "spec.yaml.lock"
    assert not [word for word in ("://", str(tmp_path), "lïnks", "2026", "index") if word in text]
    assert json.loads(text)["schema_version"] == 1


def test_a_lock_file_reads_back_as_it_was_written(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "lib")
    lock = locked(tmp_path, requirements=["lib"])
    write_lock(lock, tmp_path / "a.lock")
    read = read_lock(tmp_path / "a.lock")
    assert read == lock
    write_lock(lock, tmp_path / "b.lock")
    assert (tmp_path / "a.lock").read_bytes() == (tmp_path / "b.lock").read_bytes()


def test_no_lock_file_is_none_and_a_damaged_one_an_error(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "none.lock") is None
    for text in ("{", "[]", '{"schema_version": 2}', '{"schema_version": 1, "inputs": {}}'):
        (tmp_path / "bad.lock").write_text(text)
        with pytest.raises(BundleInvalid, match="is not a lock file"):
            read_lock(tmp_path / "bad.lock")


def test_what_is_locked_and_cached_needs_no_index(
    tmp_path: Path, links: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_wheel(links, "lib")
    lock = locked(tmp_path, requirements=["lib"])
    shutil.rmtree(links)
    monkeypatch.setenv("PATH", "/nowhere")
    assert locked(tmp_path, lock, requirements=["lib"]) == lock


def test_a_lost_wheel_is_fetched_again_in_the_locked_version(tmp_path: Path, links: Path) -> None:
    old = a_wheel(links, "lib", "1.0")
    digest = sha256_file(old)
    lock = locked(tmp_path, requirements=["lib"])
    a_wheel(links, "lib", "2.0")
    Store().path(digest).unlink()
    assert locked(tmp_path, lock, requirements=["lib"]) == lock
    assert Store().is_sound(digest)


def test_a_locked_file_that_is_gone_is_an_error(tmp_path: Path, links: Path) -> None:
    digest = sha256_file(a_wheel(links, "lib", a=b"one"))
    lock = locked(tmp_path, requirements=["lib"])
    a_wheel(links, "lib", a=b"other")
    Store().path(digest).unlink()
    with pytest.raises(SpecInvalid) as caught:
        locked(tmp_path, lock, requirements=["lib"])
    assert code_of(caught) == ["E430"]
    assert "no longer gives the locked lib-1.0" in caught.value.problems[0].message


def test_a_changed_environment_must_be_locked_again(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "lib")
    a_wheel(links, "more")
    lock = locked(tmp_path, requirements=["lib"])
    with pytest.raises(SpecInvalid) as caught:
        locked(tmp_path, lock, requirements=["lib", "more"])
    assert code_of(caught) == ["E433"]
    assert (
        len(
            locked(tmp_path, lock, anew=True, requirements=["lib", "more"])
            .environments["cpu"]
            .wheels
        )
        == 2
    )


def test_what_cannot_be_resolved_is_told_in_uvs_words(tmp_path: Path, links: Path) -> None:
    with pytest.raises(SpecInvalid) as caught:
        locked(tmp_path, requirements=["no-such-thing"])
    assert code_of(caught) == ["E430"]
    assert "no-such-thing" in caught.value.problems[0].message


def test_an_environment_without_requirements_is_not_resolved(tmp_path: Path) -> None:
    assert locked(tmp_path, mode="inherit") == Lock()


def test_only_asked_environments_are_resolved(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "lib")
    declared = {"cpu": {"requirements": ["lib"]}, "cuda": {"requirements": ["not-there"]}}
    lock = lock_environments(a_spec(tmp_path, environment=declared), ["cpu"], None)
    assert list(lock.environments) == ["cpu"]


def test_equal_requests_have_equal_hashes() -> None:
    one = request_for({"python": "3.11", "requirements": ["a", "b"]})
    assert one.sha256 == request_for({"requirements": ["a", "b"], "python": "3.11"}).sha256
    assert one.sha256 != request_for({"requirements": ["b"], "python": "3.11"}).sha256
    assert one.mode == "wheelhouse"
    assert request_for({}).mode == "inherit"
    assert request_for({"image": "a.sif"}).mode == "container"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_an_input_is_taken_out_of_a_package(tmp_path: Path, links: Path, kind: str) -> None:
    a_wheel(links, "data", data__rows_txt=b"from the wheel\n")
    an_sdist(links, "data", data__rows_txt=b"from the source\n")
    path = {"wheel": "data/rows_txt", "sdist": "data-1.0/data/rows_txt"}[kind]
    source = {"package": "data==1.0", "kind": kind, "path": path}
    spec = a_spec(tmp_path, inputs=[{"name": "rows", "source": source}])
    lock = lock_inputs(spec, None)
    text = {"wheel": b"from the wheel\n", "sdist": b"from the source\n"}[kind]
    (file,) = lock.inputs["rows"].files
    assert (file.path, file.sha256) == ("rows_txt", hashlib.sha256(text).hexdigest())
    assert not lock.inputs["rows"].folder
    shutil.rmtree(links)
    assert lock_inputs(spec, lock) == lock


def test_a_wrong_path_in_a_package_says_what_is_there(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "data", data__rows=b"")
    source = {"package": "data==1.0", "path": "rows"}
    with pytest.raises(SpecInvalid) as caught:
        lock_inputs(a_spec(tmp_path, inputs=[{"name": "rows", "source": source}]), None)
    assert code_of(caught) == ["E431"]
    assert "data/rows has that name" in caught.value.problems[0].message


def test_an_input_that_changed_under_its_version_is_an_error(tmp_path: Path, links: Path) -> None:
    a_wheel(links, "data", rows=b"one")
    source = {"package": "data==1.0", "path": "rows"}
    spec = a_spec(tmp_path, inputs=[{"name": "rows", "source": source}])
    lock = lock_inputs(spec, None)
    Store().path(lock.inputs["rows"].files[0].sha256).unlink()
    a_wheel(links, "data", rows=b"other")
    with pytest.raises(SpecInvalid) as caught:
        lock_inputs(spec, lock)
    assert code_of(caught) == ["E432"]
