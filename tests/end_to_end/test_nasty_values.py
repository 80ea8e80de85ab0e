"""Whatever a spec's values look like, the program receives exactly them, and nothing is executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from path import compiled, records, run_script, specc

VALUES = [
    "plain",
    'it\'s "quoted"',
    "two\nlines\n",
    "$(touch executed) `touch executed` ${HOME} $$",
    "; rm -rf . #",
    "umlaut ä, 日本語, 🦊",
    "-n",
    "",
    " \t blanks at both ends ",
    "back\\slash %s %d {{ jinja }} {% raw %}",
    "meta-llama/Llama-3.1-8B-Instruct",
    'a/b\\c:d*e?f"g<h>i|j',
    "x" * 65536,
]


def _spec(way: str) -> str:
    # JSON is YAML, so the values need no second spelling here
    program = "import hashlib, os, sys; v = {}; print('{{\"length\": %d}}' % len(v)); print(hashlib.sha256(os.fsencode(v)).hexdigest())"
    argument = {
        "argument": ["python3", "-c", program.format("sys.argv[1]"), "${value}"],
        "environment": ["python3", "-c", program.format("os.environ['SPECC_VALUE']")],
    }[way]
    metric = {"from": "json_lines", "unit": "1", "better": "higher", "definition": "characters"}
    spec = {
        "schema_version": 1,
        "name": "nasty",
        "kind": "command",
        "matrix": {"axes": {"value": VALUES}},
        "settings": {"argv": argument, "metrics": {"length": metric}},
        "task": {"cpus": 1, "time_limit": "30s", "estimate": "1s"},
        "job": {"time_limit": "10min"},
    }
    return json.dumps(spec)


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_values_reach_the_program_unchanged(way: str, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, _spec(way))
    ended = run_script(bundle)
    assert ended.returncode == 0, ended.stderr
    assert sorted(row["value"] for row in records(bundle, "metric")) == sorted(map(len, VALUES))
    assert not list(tmp_path.rglob("executed"))
    assert specc("verify", bundle).returncode == 0
