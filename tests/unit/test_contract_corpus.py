"""One corpus of good and bad documents goes through the readers and through jsonschema.

Each file of tests/contract holds base documents and the changes that make good or bad ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from specc_runtime.contract import (
    journal,
    launches,
    manifest,
    progress,
    samples,
    segments,
    tasks,
)
from specc_runtime.contract.fields import Check

ROOT = Path(__file__).parents[2]
READERS: dict[str, Check] = {
    "event": journal.check_event,
    "launch": launches.check_launch,
    "manifest": manifest.check_manifest,
    "progress": progress.check_progress,
    "sample": samples.check_sample,
    "segment": segments.SEGMENT,
    "task": tasks.check_task,
}


def _documents(name: str) -> Iterator[tuple[bool, Any]]:
    for case in json.loads((ROOT / "tests" / "contract" / f"{name}.json").read_text()):
        for good in (True, False):
            for change in case["good" if good else "bad"]:
                document = {**case["base"], **change.get("set", {})}
                document.pop(change.get("drop"), None)
                yield good, document
    for value in (None, True, 3, "text", []):
        yield False, value


@pytest.mark.parametrize("name", sorted(READERS))
def test_reader_and_schema_agree_with_the_corpus(name: str) -> None:
    schema = json.loads((ROOT / "schema" / "contract" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for good, document in _documents(name):
        assert (READERS[name](document) is None) == good, (READERS[name](document), document)
        # Python's $ also matches before a last line break; ECMA's, the one meant, does not
        if "\\n" not in json.dumps(document):
            assert validator.is_valid(document) == good, document


def test_every_reader_has_a_schema_and_a_corpus() -> None:
    schemas = {path.name.split(".")[0] for path in (ROOT / "schema" / "contract").iterdir()}
    assert set(READERS) <= schemas
    assert set(READERS) == {path.stem for path in (ROOT / "tests" / "contract").iterdir()}


def test_complaint_names_the_place() -> None:
    value = {"event": "task_completed", "seq": 0, "t_ns": 0, "epoch_ns": 0, "task_id": "0" * 16}
    value |= {"attempt": 1, "slot": 0, "segments": [{"launch": "x"}]}
    assert journal.check_event(value) == "segments: [0]: launch: must be <shard_id>/<launch>"
