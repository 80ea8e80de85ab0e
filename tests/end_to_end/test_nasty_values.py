"""Whatever a spec's values look like, the program gets exactly them, and nothing is executed."""

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


PROGRAM = """
import json, os, sys
value = {}
print(json.dumps({{"length": len(value), "sum": sum(value.encode())}}))
"""


def _spec(way: str) -> str:
    argument = {
        "argument": ["python3", "-c", PROGRAM.format("sys.argv[1]"), "${value}"],
        "environment": ["python3", "-c", PROGRAM.format("os.environ['SPECC_VALUE']")],
    }[way]
    metric = {"from": "json_lines", "unit": "1", "better": "higher"}
    # JSON is YAML, so the values need no second spelling here
    spec = {
        "schema_version": 1,
        "name": "nasty",
        "kind": "command",
        "matrix": {"axes": {"value": VALUES}},
        "settings": {"argv": argument, "metrics": {"length": metric, "sum": metric}},
        "task": {"cpus": 1, "time_limit": "30s", "estimate": "1s"},
        "job": {"time_limit": "10min"},
    }
    return json.dumps(spec, ensure_ascii=False)


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_values_reach_the_program_unchanged(way: str, tmp_path: Path) -> None:
    bundle = compiled(tmp_path, _spec(way))
    ended = run_script(bundle)
    assert ended.returncode == 0, ended.stderr
    found = {(row["metric"], row["value"]) for row in records(bundle, "metric")}
    assert found == {
        *(("length", len(value)) for value in VALUES),
        *(("sum", sum(value.encode())) for value in VALUES),
    }
    assert not list(tmp_path.rglob("executed"))
    assert specc("verify", bundle).returncode == 0
