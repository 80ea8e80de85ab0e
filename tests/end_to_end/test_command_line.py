"""How the command behaves as a program: exit codes, JSON, colours, interruption."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest
from path import SPEC, SPECC, compiled, specc, specc_json

from specc.cli import VERBS as VERB_FUNCTIONS
from specc.kinds import KINDS

BAD = SPEC.replace("matrix:", "matrx:")
VERBS = sorted(verb.__name__.rstrip("_") for verb in VERB_FUNCTIONS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(verb: str) -> None:
    assert "--json" in specc(verb, "--help").stdout


@pytest.mark.parametrize("verb", VERBS)
def test_no_help_shows_a_python_type(verb: str) -> None:
    assert "list[" not in specc(verb, "--help").stdout


def test_an_unknown_verb_is_a_usage_error() -> None:
    assert specc("frobnicate").returncode == 2


def test_a_bad_spec_exits_3_and_shows_the_place(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(BAD)
    ended = specc("validate", "spec.yaml", cwd=tmp_path)
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert "spec.yaml:4:1" in ended.stderr
    assert "matrix" in ended.stderr


def test_a_bad_spec_as_json_is_one_object_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(BAD)
    found = specc_json("validate", "spec.yaml", cwd=tmp_path, code=3)
    first = found["problems"][0]
    assert (first["line"], first["column"]) == (4, 1)


def test_a_flipped_byte_exits_4_and_names_the_file(tmp_path: Path) -> None:
    bundle = compiled(tmp_path)
    tasks = bundle / "tasks.jsonl"
    content = bytearray(tasks.read_bytes())
    content[10] ^= 1
    tasks.write_bytes(content)
    assert specc_json("verify", bundle, code=4)["changed"] == ["tasks.jsonl"]


def test_what_is_no_bundle_exits_4(tmp_path: Path) -> None:
    for verb in ("verify", "status", "run"):
        assert specc(verb, tmp_path).returncode == 4


def test_a_wrong_only_option_exits_2(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert specc("plan", tmp_path / "spec.yaml", "--only", "left").returncode == 2


def test_the_version_is_told() -> None:
    assert specc("--version").stdout == "specc 0.1.0\n"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_starter_is_a_valid_spec(kind: str, tmp_path: Path) -> None:
    assert specc("init", kind, cwd=tmp_path).returncode == 0
    ended = specc("validate", f"{kind}.yaml", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_a_starter_of_any_program_compiles(tmp_path: Path) -> None:
    specc("init", "command", cwd=tmp_path)
    ended = specc("compile", "command.yaml", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "command.yaml").write_text("mine")
    assert specc("init", "command", cwd=tmp_path).returncode == 2
    assert (tmp_path / "command.yaml").read_text() == "mine"


def test_init_lists_kinds_and_examples() -> None:
    found = specc_json("init", "--list")
    assert "command" in found["kinds"]
    assert any(path.endswith("command-openssl.yaml") for path in found["examples"])


def test_a_misspelt_kind_is_corrected(tmp_path: Path) -> None:
    ended = specc("init", "comand", cwd=tmp_path)
    assert ended.returncode == 2
    assert "command" in ended.stderr


def test_the_schema_is_json() -> None:
    assert json.loads(specc("schema", "command").stdout)["type"] == "object"


def test_explain_tells_of_a_code_that_there_is_not() -> None:
    assert specc("explain", "E999").returncode != 0


def _in_terminal(folder: Path, **environment: str) -> str:
    """Validate a bad spec with stderr on a terminal; return what the terminal got."""
    (folder / "spec.yaml").write_text(BAD)
    terminal, end = pty.openpty()
    subprocess.run(
        [SPECC, "validate", "spec.yaml"], cwd=folder, stderr=end, env={**os.environ, **environment}
    )
    os.close(end)
    told = b""
    try:
        while block := os.read(terminal, 65536):
            told += block
    except OSError:  # the terminal's other end is closed
        pass
    os.close(terminal)
    return told.decode()


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    assert "\x1b[31" in _in_terminal(tmp_path, TERM="xterm")


def test_no_color_is_honoured(tmp_path: Path) -> None:
    assert "\x1b[" not in _in_terminal(tmp_path, TERM="xterm", NO_COLOR="1")


def test_an_interrupted_run_exits_130_and_can_go_on(tmp_path: Path) -> None:
    slow = SPEC.replace("script: |\n", "script: |\n    sleep 1\n")
    bundle = compiled(tmp_path, slow)
    process = subprocess.Popen([SPECC, "run", bundle], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not list(bundle.glob("results/r1/*/launch-*/events.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert specc_json("run", bundle)["completed"] == 6
    assert specc("verify", bundle).returncode == 0


def test_a_run_shows_its_progress_on_a_terminal(tmp_path: Path) -> None:
    bundle = compiled(tmp_path)
    terminal, end = pty.openpty()
    ended = subprocess.run(
        [SPECC, "run", bundle, "--json"], stderr=end, stdout=subprocess.PIPE, timeout=60
    )
    os.close(end)
    assert json.loads(ended.stdout)["completed"] == 6
    assert b"1-cpu-0000" in os.read(terminal, 65536)
    os.close(terminal)


def test_a_folder_without_tasks_is_no_bundle_to_compare(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    ended = specc("diff", "spec.yaml", ".", cwd=tmp_path)
    assert ended.returncode == 4
    assert ended.stderr.splitlines()[0] == "specc: . is not a bundle: no tasks.jsonl in it"


def test_a_folder_that_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    spec, taken = tmp_path / "spec.yaml", tmp_path / "file"
    spec.write_text(SPEC, encoding="utf-8")
    taken.touch()
    ended = specc("compile", spec, "--out", taken / "below")
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"specc: {taken / 'below'}: Not a directory",
        "  hint: check that folder, or choose another",
    ]
