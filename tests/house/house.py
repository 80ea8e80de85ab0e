"""The work tree as the house tests see it: its modules, their imports and their sizes."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DESK = ROOT / "compiler" / "specc"
NODE = ROOT / "runtime" / "specc_runtime"
KINDS = tuple(sorted(p.name.split(".")[0] for p in (ROOT / "schema" / "kinds").glob("*.json")))


@cache
def tracked() -> tuple[Path, ...]:
    """Return the files that git tracks or would track, those deleted left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


@cache
def modules() -> dict[str, Path]:
    """Return every module of desk and node by its dotted name."""
    found = {}
    for base in (DESK, NODE):
        for path in base.rglob("*.py"):
            parts = path.relative_to(base.parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return dict(sorted(found.items()))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def imports(name: str) -> frozenset[str]:
    """Return the dotted names that a module imports anywhere; our own down to modules."""
    path = modules()[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_from(node, package))
    return frozenset(found)


def _from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        parts = package.split(".")
        kept = ".".join(parts[: len(parts) - node.level + 1])
        base = f"{kept}.{base}" if base else kept
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield inner if inner in modules() else base


def ours(name: str) -> frozenset[str]:
    """Return the project's modules among a module's imports."""
    return frozenset(found for found in imports(name) if found in modules())


def type_only(name: str) -> frozenset[str]:
    """Return what a module imports only under `if TYPE_CHECKING`."""
    path = modules()[name]
    package = name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import):
                    found.update(alias.name for alias in inner.names)
                elif isinstance(inner, ast.ImportFrom):
                    found.update(_from(inner, package))
    return frozenset(found)
