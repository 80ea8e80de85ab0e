"""The catalogue of codes and the generated pages are complete and up to date."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from specc.handbook.explain import UnknownCode, catalogue, explain
from specc.handbook.reference import pages, write_pages
from specc.kinds.command.plan import RESERVED
from specc.language.suggest import closest, did_you_mean
from specc.resources import cluster_names, example, folder, kinds, schema, schema_text

ROOT = Path(__file__).parents[2]
SCHEMAS = sorted(
    path for path in (ROOT / "schema").rglob("*.schema.json") if "contract" not in path.parts
)


@pytest.mark.parametrize("name", ["reference.md", "errors.md", "metrics.md"])
def test_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run: python -m specc.handbook.reference"


def test_pages_are_written_to_a_folder(tmp_path: Path) -> None:
    write_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"reference.md", "errors.md", "metrics.md"}


def test_every_code_in_use_is_explained() -> None:
    used: dict[str, str] = {}
    for path in (ROOT / "compiler" / "specc").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        used |= dict.fromkeys(re.findall(r'"([EW]\d{3})"', text), path.name)
    assert {code: used[code] for code in used.keys() - catalogue().keys()} == {}


def test_codes_stand_once_and_in_order() -> None:
    codes = [code for code in catalogue() if code.startswith("E")]
    assert codes == sorted(codes)


def test_every_entry_says_what_to_do() -> None:
    for entry in catalogue().values():
        assert entry.title
        assert not entry.title.endswith(".")
        assert entry.text.endswith(".")
        assert entry.cure


def test_explanation_of_a_code() -> None:
    assert explain("e011") == (
        "E011  duplicate key\n\n"
        "  One mapping has the same key twice, so that one of the values would be lost.\n\n"
        "  cure: Keep one of the two."
    )


def test_unknown_code_ends_as_usage_with_a_hint() -> None:
    with pytest.raises(UnknownCode, match="no problem has the code 'E9O7'") as stopped:
        explain("E9O7")
    assert stopped.value.exit_code == 2
    with pytest.raises(UnknownCode) as stopped:
        explain("everything")
    assert stopped.value.hint == "docs/errors.md lists them all"


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_schema_is_valid_draft_2020_12(path: Path) -> None:
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_references_lead_to_files_as_editors_resolve_them(path: Path) -> None:
    for file in re.findall(r'"\$ref": "([^#"]+)', path.read_text(encoding="utf-8")):
        assert (path.parent / file).is_file()


@pytest.mark.parametrize("name", ["spec", "cluster"])
def test_every_property_is_described(name: str) -> None:
    def walk(node: Any, trail: str) -> None:
        for key, below in node.get("properties", {}).items():
            assert below.get("description"), f"{trail}.{key} has no description"
            walk(below, f"{trail}.{key}")
        for word in ("items", "additionalProperties"):
            if isinstance(node.get(word), dict):
                walk(node[word], f"{trail}.*")
        for branch in node.get("oneOf", []):
            walk(branch, trail)

    walk(schema(name), name)


@pytest.mark.parametrize("name", ["spec", "cluster", *(f"kinds/{kind}" for kind in kinds())])
def test_defaults_and_examples_fit_their_own_schema(name: str) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            values = [node["default"]] if "default" in node else []
            if isinstance(node.get("examples"), list):
                values += node["examples"]
            for value in values:
                assert list(Draft202012Validator(node).iter_errors(value)) == [], node
            for word, below in node.items():
                if word not in ("default", "examples", "enum", "const"):
                    walk(below)
        elif isinstance(node, list):
            for below in node:
                walk(below)

    walk(schema(name))


def test_inlined_schema_has_no_references_left() -> None:
    assert "$ref" not in json.dumps(schema("spec"))
    assert '"$ref"' in schema_text("spec")


def test_patterns_do_not_match_before_a_final_newline() -> None:
    pattern = schema("spec")["properties"]["name"]["pattern"]
    assert re.search(pattern, "a-study")
    assert not re.search(pattern, "a-study\n")


def test_shipped_data_is_found() -> None:
    assert cluster_names() == ("desk", "meluxina", "rtx8000")
    assert example("clusters/desk.yaml").is_file()
    with pytest.raises(FileNotFoundError, match="specc ships no example nothing"):
        example("nothing.yaml")
    with pytest.raises(FileNotFoundError, match="without its folder nowhere/"):
        folder("nowhere")


@pytest.mark.parametrize(
    ("name", "near"),
    [("gpuz", "gpus"), ("gpu_per_nod", "gpus_per_node"), ("partitoin", "partition"),
     ("Exclusive", "exclusive"), ("gpus-per-node", "gpus_per_node"), ("xyzzy", None)],
)  # fmt: skip
def test_nearest_name(name: str, near: str | None) -> None:
    assert closest(name, ["gpus", "gpus_per_node", "partition", "exclusive"]) == near


def test_without_a_near_name_the_known_ones_are_listed() -> None:
    assert did_you_mean("xyzzy", ["b", "a"], noun="axes") == "axes: a, b"
    assert did_you_mean("xyzzy", [], noun="axes") == "there is nothing to choose from"


def test_no_cure_leaves_the_reader_to_guess_the_name() -> None:
    vague = ("Correct the name.", "See the message", "Choose packages")
    found = [code for code, entry in catalogue().items() if entry.cure.startswith(vague)]
    assert found == []


def test_reserved_parameters_are_listed_in_full() -> None:
    cure = catalogue()["E604"].cure
    assert [name for name in RESERVED if name not in cure] == []
