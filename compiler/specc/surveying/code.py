"""Look at the user's own code: which files, which commit, whether something is uncommitted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from specc.bundling.hashing import HashMemory
from specc.model import CodeFact, FileFact, Json, Spec
from specc.problems import Problem, error
from specc.surveying.files import Unusable, fact, tree_of, walk

_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


def survey_code(spec: Spec, memory: HashMemory) -> tuple[CodeFact | None, tuple[Problem, ...]]:
    """Return what `code:` ships; None when the spec declares no code, or when it has problems."""
    declared: dict[str, Json] | None = spec.data.get("code")
    if declared is None:
        return None, ()
    root = (spec.root / declared.get("path", ".")).resolve()
    try:
        return _look(declared, root, memory), ()
    except Unusable as reason:
        return None, (_problem(spec, "E421", str(reason), None),)
    except _Refused as refused:
        return None, (_problem(spec, refused.code, str(refused), refused.hint),)


class _Refused(Exception):
    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def _look(declared: dict[str, Json], root: Path, memory: HashMemory) -> CodeFact:
    if not root.is_dir():
        raise _Refused("E420", f"{declared.get('path')} is not a folder", "name the code's folder")
    tracked = declared.get("select", "git-tracked") == "git-tracked"
    commit, dirty = git_state(root)
    if tracked and commit is None and dirty is None:
        raise _Refused(
            "E422",
            "the code's folder is not under git",
            "run `git init` and `git add` there, or set code.select: all",
        )
    if dirty and declared.get("dirty") == "refuse":
        raise _Refused(
            "E423",
            "the code has uncommitted changes and code.dirty is refuse",
            "commit them, or set code.dirty: record",
        )
    names = _tracked(root) if tracked else _not_hidden(root)
    files = tuple(_fact(root, name, memory) for name in sorted(names))
    if not files:
        raise _Refused(
            "E424",
            "no file of the code is selected",
            "`git add` the files, or set code.select: all",
        )
    return CodeFact(tree=tree_of(files, "code/"), files=files, commit=commit, dirty=dirty)


def _fact(root: Path, name: str, memory: HashMemory) -> FileFact:
    source = root / name
    target = Path(os.path.realpath(source))
    if not target.is_relative_to(root):
        raise _Refused(
            "E425",
            f"{name} is a link out of the code's folder",
            "copy the file into the folder, or declare it under inputs",
        )
    if target.is_dir():
        raise _Refused(
            "E426",
            f"{name} is a folder to git (a submodule or a link)",
            "declare it under inputs, or name the folder itself as code.path",
        )
    return fact(source, f"code/{name}", memory)


def _not_hidden(root: Path) -> Iterator[str]:
    for _, inside in walk(root):
        parts = inside.split("/")
        if not any(part.startswith(".") or part == "__pycache__" for part in parts):
            yield inside


def _tracked(root: Path) -> list[str]:
    listed = _git(root, "ls-files", "-z", "--cached", "--", ".") or ""
    # a tracked file that was deleted in the work tree counts as an uncommitted change, not as code
    return [name for name in set(listed.split("\0")) if name and os.path.lexists(root / name)]


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """Return (commit, dirty); (None, None) outside git, (None, True) before the first commit."""
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".")
    if changes is None:
        return None, None
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    return (commit or "").strip() or None, bool(changes.strip()) or not commit


def _git(root: Path, *arguments: str) -> str | None:
    # a hook or an alias of git passes these on, and they would mean its repository, not the code's
    own = {name: value for name, value in os.environ.items() if name not in _REPOSITORY}
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60, env=own)
    except FileNotFoundError:
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


def _problem(spec: Spec, code: str, message: str, hint: str | None) -> Problem:
    return error(
        code, message, mark=spec.document.mark("code", "path"), path="code.path", hint=hint
    )
