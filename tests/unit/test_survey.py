"""What survey sees of inputs, code and environments, and what it refuses."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from bundling import a_spec

from specc.bundling.hashing import HashMemory
from specc.locking.lockfile import Lock, LockedEnvironment, LockedFile
from specc.locking.store import Store
from specc.locking.target import request_for
from specc.model import Facts, Json
from specc.stages.survey import survey, with_environments


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def seen(root: Path, **data: Json) -> tuple[Facts, list[str]]:
    facts, problems = survey(a_spec(root, **data), None)
    return facts, [f"{p.code} {p.message}" for p in problems]


def an_input(root: Path, **declared: Json) -> list[str]:
    return seen(root, inputs=[{"name": "data", "path": "data", **declared}])[1]


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def a_repository(root: Path) -> Path:
    (root / "src").mkdir(parents=True)
    (root / "src" / "main.py").write_text("print(1)\n")
    (root / "src" / "run.sh").write_text("true\n")
    (root / "src" / "run.sh").chmod(0o755)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    (root / "src" / "untracked.txt").write_text("not ours\n")
    return root


def test_a_file_is_pinned_by_its_hash_and_a_folder_by_its_tree(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("x")
    (tmp_path / "many" / "a").mkdir(parents=True)
    (tmp_path / "many" / "a" / "1").write_text("1")
    (tmp_path / "many" / "2").write_text("2")
    (tmp_path / "many" / "2").chmod(0o755)
    inputs = [{"name": "one", "path": "one.txt"}, {"name": "many", "path": "many"}]
    facts, problems = seen(tmp_path, inputs=inputs)
    tree = sha(f"0755 {sha('2')} 2\n0644 {sha('1')} a/1\n")
    assert problems == []
    assert facts.inputs["one"].pin == f"sha256:{sha('x')}"
    assert facts.inputs["many"].pin == f"tree:{tree}"
    assert [f.path for f in facts.inputs["many"].files] == ["inputs/many/2", "inputs/many/a/1"]


def test_every_stated_value_is_compared(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a\n\nb\n")
    right = hashlib.md5(b"a\n\nb\n").hexdigest()
    assert an_input(tmp_path, pin={"sha256": sha("a\n\nb\n")}, md5=right, records=2) == []
    assert an_input(tmp_path, pin={"size": 5}) == []
    assert an_input(tmp_path, pin={"size": 6}) == [
        "E402 input data is size:5, but its pin says size:6"
    ]
    (wrong,) = an_input(tmp_path, pin={"sha256": "0" * 64})
    assert wrong.startswith("E402 input data is sha256:")
    assert wrong.endswith(f", but its pin says sha256:{'0' * 64}")
    assert an_input(tmp_path, md5="0" * 32) == [
        f"E404 the MD5 of input data is {right}, but the spec says {'0' * 32}"
    ]
    assert an_input(tmp_path, records=3) == [
        "E405 input data has 2 records (lines), but the spec says 3"
    ]


def test_missing_and_unusable_inputs_are_named(tmp_path: Path) -> None:
    assert an_input(tmp_path) == ["E401 there is no file or folder data"]
    (tmp_path / "data").mkdir()
    assert an_input(tmp_path) == ["E401 the folder data holds no file"]
    (tmp_path / "data" / "new\nline").write_text("")
    assert an_input(tmp_path) == [
        "E401 'inputs/data/new\\nline' has a control character in its name"
    ]
    (tmp_path / "data" / "new\nline").unlink()
    (tmp_path / "data" / "round").symlink_to("..")
    (tmp_path / "loop").symlink_to("data")
    assert "is a link to a folder that holds it" in an_input(tmp_path)[0]
    (tmp_path / "data" / "round").unlink()
    os.mkfifo(tmp_path / "data" / "pipe")
    assert "is neither a file nor a folder" in an_input(tmp_path)[0]


def test_links_in_an_input_are_followed(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("content")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.bin").symlink_to("../blob")
    facts, problems = seen(tmp_path, inputs=[{"name": "data", "path": "data"}])
    assert problems == []
    assert facts.inputs["data"].files[0].sha256 == sha("content")


def test_cluster_inputs_are_not_touched(tmp_path: Path) -> None:
    inputs = [{"name": "far", "path": "/no/such", "at": "cluster", "pin": {"size": 3}}]
    facts, problems = seen(tmp_path, inputs=inputs)
    assert problems == []
    assert (facts.inputs["far"].pin, facts.inputs["far"].files) == ("size:3", ())


def test_a_fetched_input_that_is_not_locked_asks_for_the_lock(tmp_path: Path) -> None:
    inputs = [{"name": "far", "source": {"package": "a==1", "path": "x"}}]
    assert "run `specc lock`" in seen(tmp_path, inputs=inputs)[1][0]


def test_code_is_what_git_tracks(tmp_path: Path) -> None:
    a_repository(tmp_path / "repo")
    facts, problems = seen(tmp_path, code={"path": "repo/src"})
    assert problems == []
    assert facts.code is not None
    assert [(f.path, f.executable) for f in facts.code.files] == [
        ("code/main.py", False),
        ("code/run.sh", True),
    ]
    assert facts.code.dirty is False
    assert len(facts.code.commit or "") == 40


def test_variables_of_a_git_hook_do_not_turn_the_code_into_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_repository(tmp_path / "repo")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    facts, problems = seen(tmp_path, code={"path": "repo/src"})
    assert problems == []
    assert facts.code is not None
    assert (len(facts.code.files), facts.code.dirty) == (2, False)


def test_uncommitted_changes_are_recorded_or_refused(tmp_path: Path) -> None:
    repo = a_repository(tmp_path / "repo")
    (repo / "src" / "main.py").write_text("print(2)\n")
    facts, problems = seen(tmp_path, code={"path": "repo/src", "dirty": "record"})
    assert facts.code is not None
    assert (facts.code.dirty, problems) == (True, [])
    assert seen(tmp_path, code={"path": "repo/src", "dirty": "refuse"})[1] == [
        "E423 the code has uncommitted changes and code.dirty is refuse"
    ]


def test_code_problems_have_their_codes(tmp_path: Path) -> None:
    assert seen(tmp_path, code={"path": "nothing"})[1][0].startswith("E420 ")
    (tmp_path / "plain").mkdir()
    assert seen(tmp_path, code={"path": "plain", "select": "all"})[1][0].startswith("E424 ")
    assert seen(tmp_path, code={"path": "plain"})[1][0].startswith("E422 ")
    repo = a_repository(tmp_path / "repo")
    (repo / "src" / "out").symlink_to("/etc/passwd")
    git(repo, "add", "-A")
    assert seen(tmp_path, code={"path": "repo/src"})[1] == [
        "E425 out is a link out of the code's folder"
    ]


def test_all_code_leaves_hidden_files_at_home(tmp_path: Path) -> None:
    for name in ("a.py", ".secret", ".git/config", "__pycache__/a.pyc", "b/c.py"):
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text("")
    facts, _ = seen(tmp_path, code={"path": "src", "select": "all"})
    assert facts.code is not None
    assert [f.path for f in facts.code.files] == ["code/a.py", "code/b/c.py"]


def test_the_runtime_goes_along_as_source_only(tmp_path: Path) -> None:
    paths = [f.path for f in seen(tmp_path)[0].runtime]
    assert "runtime/specc_runtime/__main__.py" in paths
    assert all(path.endswith(".py") for path in paths)
    assert paths == sorted(paths)


def a_lock(declared: Json) -> Lock:
    draft = Path(os.environ["XDG_CACHE_HOME"]) / "wheel"
    draft.parent.mkdir(exist_ok=True)
    draft.write_bytes(b"wheel")
    wheel = LockedFile(file="a-1-py3-none-any.whl", sha256=Store().add(draft), bytes=5)
    request = request_for(declared)
    environment = LockedEnvironment(
        target=request.target,
        request_sha256=request.sha256,
        requirements=(f"a==1 --hash=sha256:{wheel.sha256}",),
        wheels=(wheel,),
        installer=wheel,
    )
    return Lock(environments={"cpu": environment})


def test_a_locked_environment_brings_its_wheels(tmp_path: Path) -> None:
    declared = {"python": "3.11", "requirements": ["a"]}
    spec = a_spec(tmp_path, environment={"cpu": declared})
    facts, problems = with_environments(seen(tmp_path)[0], spec, ["cpu"], a_lock(declared))
    found = facts.environments["cpu"]
    assert problems == ()
    assert [w.path for w in found.wheels] == ["wheels/a-1-py3-none-any.whl"] * 2
    assert found.requirements == f"a==1 --hash=sha256:{sha('wheel')}\n"
    assert found.description["pinned"] is True
    assert found.description["platform"] == "x86_64-manylinux_2_28"


def test_an_environment_that_changed_or_lost_its_wheels_is_refused(tmp_path: Path) -> None:
    declared = {"python": "3.11", "requirements": ["a"]}
    lock = a_lock(declared)
    base = seen(tmp_path)[0]

    def message(lock: Lock | None, **changes: Json) -> str:
        spec = a_spec(tmp_path, environment={"cpu": {**declared, **changes}})
        return with_environments(base, spec, ["cpu"], lock)[1][0].message

    assert message(None) == "environment cpu is not locked"
    assert message(lock, python="3.12") == "environment cpu changed since it was locked"
    Store().path(sha("wheel")).unlink()
    assert message(lock) == "a-1-py3-none-any.whl was locked but is not in the cache"


def test_an_inherited_environment_is_not_pinned(tmp_path: Path) -> None:
    spec = a_spec(tmp_path, environment={"default": {"variables": {"A": "1"}}})
    facts, _ = with_environments(seen(tmp_path)[0], spec, ["default"], None)
    description = facts.environments["default"].description
    assert (description["mode"], description["pinned"]) == ("inherit", False)
    assert description["variables"] == {"A": "1"}


def test_an_image_at_the_desk_goes_into_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "box.sif").write_text("image")
    declared = {"mode": "container", "image": "box.sif", "at": "desk", "binds": ["/b"]}
    spec = a_spec(tmp_path, environment={"box": declared}, profile={"container": {"binds": ["/a"]}})
    facts, problems = with_environments(seen(tmp_path)[0], spec, ["box"], None)
    assert problems == ()
    assert [f.path for f in facts.environments["box"].wheels] == ["images/box.sif"]
    assert facts.environments["box"].description["binds"] == ["/a", "/b"]
    wrong = a_spec(tmp_path, environment={"box": {**declared, "sha256": "0" * 64}})
    assert "is " + sha("image") in with_environments(facts, wrong, ["box"], None)[1][0].message


def test_a_large_files_hash_is_remembered_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(5 << 20))
    os.utime(path, (1, 1))
    memory = HashMemory()
    first = memory.sha256(path)
    memory.save()
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert HashMemory().sha256(path) == first  # a stat that lies is believed
    os.utime(path, (2, 2))
    assert HashMemory().sha256(path) != first
    (tmp_path / "cache/specc/hashes.json").write_text("[")
    assert HashMemory().sha256(path) != first


def test_a_memory_of_hashes_that_has_no_place_costs_nothing_but_time(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(5 << 20))
    os.utime(path, (1, 1))
    memory = HashMemory(Path(os.devnull) / "specc")
    assert memory.sha256(path) == hashlib.sha256(bytes(5 << 20)).hexdigest()
    memory.save()
