"""Names, sizes and what must not stand in the tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from house import DESK, KINDS, NODE, ROOT, modules, shown, tracked, tree

KIND_TABLES = ("compiler/specc/kinds/__init__.py", "runtime/specc_runtime/kinds/__init__.py")
PRINTING = ("compiler/specc/cli.py", "compiler/specc/commands/console.py")
MACHINES = re.compile(
    r"/home/(?!me/)\w+/|/root/|/Users/\w+/|https?://(?!127\.)(?:\d+\.\d+\.\d+\.\d+|[\w-]+\.(?:internal|local|lan))\b"
)
PYTHON = [path for path in tracked() if path.suffix == ".py"]
OURS = [path for path in modules().values() if path.stat().st_size]


def _docstrings(module: ast.Module) -> set[int]:
    """Return the ids of the constants that stand as statements of their own: documentation."""
    statements = (node for node in ast.walk(module) if isinstance(node, ast.Expr))
    return {id(node.value) for node in statements if isinstance(node.value, ast.Constant)}


def _strings(path: Path) -> Iterator[ast.Constant]:
    documentation = _docstrings(tree(path))
    for node in ast.walk(tree(path)):
        text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if text and id(node) not in documentation:
            yield node


def test_a_kind_is_named_only_in_its_rooms_and_the_tables() -> None:
    named = [
        f"{shown(path)}:{node.lineno} {node.value}"
        for path in OURS
        if shown(path) not in KIND_TABLES
        for node in _strings(path)
        if node.value in KINDS and f"/kinds/{node.value}/" not in path.as_posix()
    ]
    assert named == []


def test_a_module_is_not_longer_than_a_sitting() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
    limits = {path: 400 if path.is_relative_to(ROOT / "tests") else 300 for path in PYTHON}
    assert {shown(path): n for path, n in lengths.items() if n > limits[path]} == {}


def test_no_two_test_modules_have_one_name() -> None:
    # folders of tests are no packages, so pytest could load only the first of them
    names = [path.name for path in PYTHON if path.is_relative_to(ROOT / "tests")]
    assert sorted({n for n in names if names.count(n) > 1} - {"conftest.py"}) == []


def test_a_function_fits_on_a_screen() -> None:
    long = {
        f"{shown(path)}: {node.name}": node.end_lineno - node.lineno + 1
        for path in PYTHON
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > 60
    }
    assert long == {}


def test_a_module_opens_with_its_job() -> None:
    assert [shown(path) for path in OURS if not ast.get_docstring(tree(path))] == []


def test_only_the_console_prints() -> None:
    printing = [
        f"{shown(path)}:{node.lineno}"
        for path in OURS
        if path.is_relative_to(DESK) and shown(path) not in PRINTING
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("print", "sys.exit", "typer.echo")
    ]
    assert printing == []


def test_init_files_are_empty_except_the_kind_tables() -> None:
    filled = [shown(p) for p in modules().values() if p.name == "__init__.py" and p.stat().st_size]
    assert set(filled) <= set(KIND_TABLES)


def test_the_node_is_written_for_python_3_9() -> None:
    for path in OURS:
        if path.is_relative_to(NODE):
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))


def test_no_machine_is_named() -> None:
    named = {}
    for path in tracked():
        if path != Path(__file__) and path.stat().st_size < 1_000_000:
            text = path.read_bytes().decode("utf-8", errors="ignore")
            if found := MACHINES.findall(text):
                named[shown(path)] = found
    assert named == {}


def test_every_kind_has_its_rooms_and_an_example() -> None:
    missing = [
        shown(place)
        for kind in KINDS
        for place in (ROOT / f"compiler/specc/kinds/{kind}", NODE / "kinds" / kind)
        if not place.is_dir()
    ]
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "specs").glob("*.yaml")]
    missing += [
        f"an example of {k}" for k in KINDS if not any(f"\nkind: {k}\n" in t for t in texts)
    ]
    assert missing == []
