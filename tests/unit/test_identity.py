"""What changes a task's id, and what does not. tests/golden/task_ids.json guards upgrades.

After a change that is meant to give new ids: ACCEPT_GOLDEN=1 pytest test_identity.py
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from studies import a_study, argv, ids

from specc.bundling.canonical import canonical
from specc.matrix.identity import Identity, declared_pins, input_name, strip_defaults
from specc.model import Json
from specc.pipeline import check_spec
from specc.stages.expand import expand

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "task_ids.json"
SPECS = ("specs/command-openssl.yaml", "specs/command-python.yaml", "specs/inference.yaml")
"""Ids as `check_spec` gives them: inputs count by the pins that the spec states, or by name."""

BASE = """matrix: {axes: {n: [1, 2]}}
repetitions: {n: 2}
"""


def an_identity(
    schema: Json = None, pins: dict[str, str | None] | None = None, code: str | None = None
) -> Identity:
    return Identity(kind="k", version=1, schema=schema or {}, pins=pins or {}, code_tree=code)


def test_ids_are_the_golden_ones() -> None:
    found = {
        name: [task.task_id for task in check_spec(ROOT / name).expansion.tasks] for name in SPECS
    }
    if os.environ.get("ACCEPT_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert GOLDEN.exists(), "accept new ids with ACCEPT_GOLDEN=1"
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8")), (
        "ids changed: old results no longer line up; raise IDENTITY_VERSION or undo the change"
    )


def test_id_is_the_hash_of_the_canonical_document() -> None:
    identity = an_identity({"properties": {"b": {"default": 1}}}, code="feed")
    settings = {"z": [1.5, "ä"], "b": 1, "a": {"x": None}}
    document = {
        "kind": "k", "identity_version": 1, "code": "feed", "repetition": 3,
        "settings": {"z": [1.5, "ä"], "a": {"x": None}}}  # fmt: skip
    expected = hashlib.sha256(canonical(document)).hexdigest()[:16]
    assert identity.task_id(identity.stem(settings), 3) == expected


def test_purpose_comments_and_key_order_change_no_id() -> None:
    other = """# a comment
repetitions: {n: 2}
purpose: another one   # said better
rationale: {n: because}
matrix: {axes: {n: [1, 2]}}
"""
    assert ids(other) == ids(BASE)


def test_task_and_job_shapes_change_no_id() -> None:
    shapes = "task: {cpus: 4, memory: 2GiB, estimate: 2min}\njob: {cpus_per_node: 8}\n"
    assert ids(BASE + shapes) == ids(BASE)


def test_environment_and_cluster_change_no_id() -> None:
    assert ids(BASE + "cluster: desk\nenvironment: {python: '3.11'}\n") == ids(BASE)


def test_new_axis_value_keeps_the_old_ids() -> None:
    grown = ids(BASE.replace("[1, 2]", "[0, 1, 2, 3]"))
    assert set(ids(BASE)) < set(grown)
    assert len(set(grown)) == 8


def test_more_repetitions_keep_the_old_ids() -> None:
    assert set(ids(BASE)) < set(ids(BASE.replace("n: 2}", "n: 3}")))


def test_changed_setting_changes_exactly_the_tasks_it_touches() -> None:
    text = BASE + "when: [{if: {n: 2}, set: {settings.stdin: hello}}]\n"
    assert [old == new for old, new in zip(ids(BASE), ids(text), strict=True)] == [
        True, True, False, False]  # fmt: skip


def test_default_written_out_is_the_same_work() -> None:
    text = argv("--x")
    assert ids(text.replace("{argv", "{workdir: scratch, argv")) == ids(text)


def test_new_defaulted_field_keeps_the_ids() -> None:
    settings = {"a": 1, "deep": {"b": 2}}
    old = {"properties": {"a": {}, "deep": {"properties": {"b": {}}}}}
    new = {
        "properties": {
            "a": {},
            "deep": {"properties": {"b": {}, "c": {"default": "x"}}},
            "more": {"default": {}, "properties": {"d": {"default": 5}}},
        }
    }
    filled = {"a": 1, "deep": {"b": 2, "c": "x"}, "more": {"d": 5}}
    first, second = an_identity(old), an_identity(new)
    assert first.stem(settings) == second.stem(filled)


DATASET = """kind: inference
inputs: [{name: d, path: d.tsv}]
settings:
  model: {config: {dim: 8}}
  tokenizer: input:d
  dataset: {file: input:d, label: 1%s}
"""


def test_descriptive_settings_change_no_id() -> None:
    plain = ids(DATASET % "")
    told = f", licence: MIT, source: a book, records: 7, md5: {'a' * 32}, sha256: {'a' * 64}"
    assert ids(DATASET % told) == ids(DATASET % ", licence: BSD") == plain
    assert ids(DATASET % ", skip: 1") != plain


def test_definition_of_a_metric_changes_no_id_but_its_unit_does() -> None:
    metric = "settings: {argv: [x], metrics: {t: {from: json_lines, unit: %s, better: lower%s}}}\n"
    assert ids(metric % ("s", ", definition: wall time")) == ids(metric % ("s", ""))
    assert ids(metric.replace("lower", "higher") % ("s", "")) == ids(metric % ("s", ""))
    assert ids(metric % ("ms", "")) != ids(metric % ("s", ""))


def test_descriptive_fields_are_left_out_at_every_depth() -> None:
    note = {"properties": {"note": {"x-descriptive": True}, "n": {}}}
    schema = {"properties": {"rows": {"items": note}, "note": {"x-descriptive": True}}}
    identity = an_identity(schema)
    assert identity.stem({"note": "x", "rows": [{"note": "y", "n": 1}]}) == b'{"rows":[{"n":1}]}'


def test_empty_mapping_without_a_default_stays() -> None:
    schema = {"properties": {"compile": {"properties": {"mode": {"default": "fast"}}}}}
    assert strip_defaults(schema, {"compile": {"mode": "fast"}}) == {"compile": {}}


def test_true_is_no_default_of_one() -> None:
    assert strip_defaults({"properties": {"a": {"default": 1}}}, {"a": True}) == {"a": True}


def test_defaults_go_inside_lists_maps_and_branches() -> None:
    item = {"properties": {"p": {"default": 0}}}
    schema = {
        "properties": {
            "rows": {"items": item},
            "named": {"additionalProperties": item},
            "one": {"oneOf": [{"type": "string"}, {"type": "object", **item}]},
        }
    }
    branch = schema["properties"]["one"]["oneOf"][1]
    value = {"rows": [{"p": 0, "q": 1}], "named": {"x": {"p": 0}}, "one": {"p": 0}}
    assert branch["type"] == "object"
    assert strip_defaults(schema, value) == {"rows": [{"q": 1}], "named": {"x": {}}, "one": {}}


def test_whole_floats_and_integers_are_one_value_at_every_size() -> None:
    stems = {an_identity().stem({"a": value}) for value in (10.0**17, 10**17)}
    assert stems == {b'{"a":"100000000000000000"}'}


def test_repeated_settings_object_is_spelled_alike_the_second_time() -> None:
    identity, settings = an_identity(), {"a": [1, 2]}
    assert identity.stem(settings) == identity.stem(dict(settings)) == b'{"a":[1,2]}'


def test_input_counts_by_its_pin_not_by_its_name() -> None:
    one = an_identity(pins={"old": "sha256:aa"}).stem({"model": ["input:old"]})
    two = an_identity(pins={"new": "sha256:aa"}).stem({"model": ["input:new"]})
    assert one == two == b'{"model":["sha256:aa"]}'


def test_unpinned_input_counts_by_its_name() -> None:
    stem = an_identity(pins={"x": None}).stem({"m": {"a": "input:x", "b": "input:y"}})
    assert stem == b'{"m":{"a":"unpinned:x","b":"input:y"}}'


def test_other_content_of_an_input_changes_the_id() -> None:
    spec = a_study("inputs: [{name: m, path: x}]\n" + argv('"input:m"')).spec
    first = expand(spec, {"m": "sha256:aa"})[0].tasks[0].task_id
    assert first != expand(spec, {"m": "sha256:bb"})[0].tasks[0].task_id


def test_code_counts_unless_it_is_only_recorded() -> None:
    included = a_study("code: {path: .}\n").spec
    recorded = a_study("code: {path: ., identity: record}\n").spec
    plain = expand(included, {})[0].tasks[0].task_id
    assert expand(included, {}, "aa")[0].tasks[0].task_id != plain
    assert expand(recorded, {}, "aa")[0].tasks[0].task_id == plain


def test_declared_pins_are_spelled_like_surveyed_ones() -> None:
    inputs = [
        {"name": "a", "pin": {"sha256": "ff"}},
        {"name": "b", "pin": {"size": 3}},
        {"name": "c"},
    ]
    assert declared_pins(inputs) == {"a": "sha256:ff", "b": "size:3", "c": None}


def test_only_a_whole_word_names_an_input() -> None:
    assert input_name("input:model-1.5") == "model-1.5"
    assert input_name("input: model") is None
    assert input_name("input:a/b") is None
