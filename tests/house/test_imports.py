"""Who may import whom. The tables are the rule; a new line in them is a decision."""

from __future__ import annotations

import sys
from pathlib import Path

from house import DESK, KINDS, NODE, imports, modules, ours, type_only

# library -> the only modules that may import it (a name ending in ".*" means a folder)
DESK_LIBRARIES = {
    "typer": ("specc.cli", "specc.commands.*"),
    "rich": ("specc.commands.console", "specc.watching.live", "specc.watching.view"),
    "ruamel": ("specc.stages.parse", "specc.stages.render", "specc.language.*", "specc.pin"),
    "jsonschema": (
        "specc.stages.validate",
        "specc.language.settings_check",
        "specc.packing.resource_check",
    ),
    "markupsafe": ("specc.reporting.*",),
    "jinja2": ("specc.stages.render", "specc.reporting.*", "specc.kinds.*"),
    "rfc8785": ("specc.bundling.canonical",),
    "polars": ("specc.collate.*", "specc.analysis.*", "specc.kinds.*", "specc.exporting.*"),
    "altair": ("specc.reporting.*", "specc.kinds.*"),
    "vl_convert": ("specc.reporting.*",),
    "typst": ("specc.reporting.*",),
    "pptx": ("specc.reporting.*",),
    "uv": ("specc.locking.*",),
    "packaging": ("specc.locking.*",),
}
NODE_LIBRARIES = {
    "torch": ("specc_runtime.ml.*", "specc_runtime.kinds.*"),
    "transformers": ("specc_runtime.ml.*", "specc_runtime.kinds.*"),
    "tokenizers": ("specc_runtime.ml.*", "specc_runtime.kinds.*"),
    "safetensors": ("specc_runtime.ml.*", "specc_runtime.kinds.*"),
    "pynvml": ("specc_runtime.sensors.*",),
    "psutil": ("specc_runtime.sensors.*", "specc_runtime.ml.*"),
    "pyRAPL": ("specc_runtime.sensors.*",),
}
# both places compute with it
SHARED_LIBRARIES = {
    "numpy": (
        "specc.analysis.*",
        "specc.collate.*",
        "specc.reporting.bins",
        "specc_runtime.ml.*",
        "specc_runtime.kinds.*",
    ),
}
LIBRARIES = DESK_LIBRARIES | NODE_LIBRARIES | SHARED_LIBRARIES
OWN = {*sys.stdlib_module_names, "specc", "specc_runtime", "__future__"}


def _allowed(name: str, places: tuple[str, ...]) -> bool:
    return any(
        name == place or (place.endswith("*") and name.startswith(place[:-1])) for place in places
    )


def _inside(base: Path) -> list[str]:
    return [name for name, path in modules().items() if base in path.parents]


def _kind(name: str) -> str | None:
    return name.split(".kinds.")[1].split(".")[0] if ".kinds." in name else None


def test_a_library_is_imported_only_where_the_table_says() -> None:
    wrong = {}
    for name in modules():
        foreign = {found.partition(".")[0] for found in imports(name)} - OWN
        if bad := sorted(lib for lib in foreign if not _allowed(name, LIBRARIES.get(lib, ()))):
            wrong[name] = bad
    assert wrong == {}


def test_the_desk_imports_only_the_contract_of_the_node() -> None:
    wrong = {
        name: found
        for name in _inside(DESK)
        for found in imports(name)
        if found.startswith("specc_runtime")
        and not found.startswith("specc_runtime.contract")
        # its folder is what bundles get a copy of
        and (name, found) != ("specc.stages.survey", "specc_runtime")
    }
    assert wrong == {}


def test_the_node_never_imports_the_desk() -> None:
    wrong = [
        name for name in _inside(NODE) if any(i.split(".")[0] == "specc" for i in imports(name))
    ]
    assert wrong == []


def test_a_stage_never_imports_a_stage() -> None:
    stages = "specc.stages."
    wrong = {
        name: found
        for name in modules()
        if name.startswith(stages)
        for found in ours(name)
        if found.startswith(stages)
    }
    assert wrong == {}


def test_a_kind_never_imports_a_kind() -> None:
    wrong = {
        name: found
        for name in modules()
        if _kind(name) in KINDS
        for found in ours(name)
        if _kind(found) in set(KINDS) - {_kind(name)}
    }
    assert wrong == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = {name: ours(name) - type_only(name) - {name} for name in modules()}
    # whoever imports nothing that is left can go; what stays is a circle
    left = dict(edges)
    while gone := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in gone:
            del left[name]
    assert sorted(left) == []
