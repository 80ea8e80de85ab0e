"""The command room on real programs."""

import json
import resource
import sys
from pathlib import Path

import pytest
from kind_attempts import Ran, run_attempt

MODULE = "specc_runtime.kinds.command.run"
ODD_VALUES = [
    "$(touch pwned)",
    "`touch pwned`",
    "a 'b' \"c\" \\ $HOME ${HOME} ; touch pwned &",
    "line one\nline two\n",
    "Grüße 日本語 🦊",
    "-rf",
    "*",
    "",
    "x" * 65536,
]


def a_command(folder: Path, **settings: object) -> Ran:
    inputs = settings.pop("inputs", None)
    return run_attempt(folder, MODULE, settings, inputs=inputs, repetition=2)  # type: ignore[arg-type]


def python(text: str, *args: object) -> list[object]:
    return [sys.executable, "-c", text, *args]


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda v: repr(v[:12]))
def test_a_value_reaches_the_program_unchanged_by_argument_and_by_variable(tmp_path, value):
    show = "import json, os, sys; print(json.dumps([sys.argv[1], os.environ['SPECC_TEXT']]))"
    ran = a_command(tmp_path, argv=python(show, value), parameters={"text": value})
    assert json.loads(ran.output) == [value, value]


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda v: repr(v[:12]))
def test_a_shell_script_gets_values_without_running_them(tmp_path, value):
    ran = a_command(
        tmp_path,
        script='printf %s "$1" >one; printf %s "${text}" >two; printf %s "$SPECC_TEXT" >three; ls',
        args=[value],
        parameters={"text": value},
        keep=["one", "two", "three"],
    )
    assert ran.outcome["what"] == "done", ran.outcome
    kept = ran.folder / "launch/tasks/0123456789abcdef"
    assert [(kept / name).read_bytes().decode() for name in ("one", "two", "three")] == [value] * 3
    assert ran.output.split() == ["one", "three", "two"]


def test_upper_case_parameters_do_not_replace_variables_of_the_system(tmp_path):
    ran = a_command(tmp_path, script='echo "$SPECC_PATH"; command -v ls', parameters={"PATH": "no"})
    assert ran.output.splitlines()[0] == "no"
    assert ran.output.splitlines()[1].endswith("/ls")


def test_numbers_booleans_and_lists_are_spelled_as_documented(tmp_path):
    ran = a_command(
        tmp_path,
        script='echo "$SPECC_A $SPECC_B $SPECC_C $SPECC_D_E"',
        parameters={"a": 1.5, "b": True, "c": [1, 2], "d-e": 7},
    )
    assert ran.output == "1.5 1 [1, 2] 7\n"


def test_specc_variables_name_task_repetition_and_inputs(tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("hello")
    ran = a_command(
        tmp_path / "run",
        script='echo "$SPECC_TASK_ID $SPECC_REPETITION $(cat "$SPECC_INPUT_MY_DATA") $(cat "$1")"',
        args=["input:my-data"],
        inputs={"my-data": data},
    )
    assert ran.output == "0123456789abcdef 2 hello hello\n"


def test_the_program_starts_in_an_empty_folder_that_is_gone_afterwards(tmp_path):
    ran = a_command(tmp_path, argv=python("import os; print(os.getcwd(), os.listdir())"))
    folder, listing = ran.output.split()
    assert listing == "[]"
    assert not Path(folder).exists()


def test_workdir_code_is_the_shipped_folder(tmp_path):
    ran = a_command(tmp_path, argv=["pwd"], workdir="code")
    assert ran.output == f"{tmp_path}/bundle/code\n"


def test_standard_input_is_the_given_text(tmp_path):
    assert a_command(tmp_path, argv=["cat"], stdin="$(no)\n").output == "$(no)\n"


def test_the_process_record_holds_times_and_memory(tmp_path):
    # the kernel folds the forking process into the peak, and these tests may have grown large
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 60_000_000
    spin = f"import time; b = b'x' * {size}\nwhile time.process_time() < 0.3: pass"
    (process,) = a_command(tmp_path, argv=python(spin)).of("process")
    assert process["exit_code"] == 0
    assert 0.3 <= process["user_s"] + process["system_s"] < 5
    assert process["wall_s"] >= 0.3
    assert size < process["max_rss_bytes"] < size + 240_000_000


def test_an_unexpected_exit_code_fails_the_task_as_program(tmp_path):
    ran = a_command(tmp_path, script="exit 3")
    assert ran.outcome["category"] == "program"
    assert ran.outcome["message"] == "the program ended with exit code 3"
    assert ran.outcome["evidence"] == {"exit_code": 3}


def test_a_listed_exit_code_is_success(tmp_path):
    assert a_command(tmp_path, script="exit 3", success=[0, 3]).outcome["what"] == "done"


def test_a_killed_program_names_its_signal(tmp_path):
    ran = a_command(tmp_path, script="kill -9 $$")
    assert ran.outcome["message"] == "the program was ended by SIGKILL"
    assert ran.outcome["evidence"] == {"signal": "SIGKILL"}


def test_a_missing_program_says_so(tmp_path):
    ran = a_command(tmp_path, argv=["no-such-program-here"])
    assert ran.outcome["category"] == "program"
    assert ran.outcome["message"].startswith("'no-such-program-here' cannot be started")


def test_output_of_a_descendant_that_lives_on_does_not_block_the_attempt(tmp_path):
    ran = a_command(
        tmp_path,
        script="sleep 20 2>/dev/null & echo '{\"x\": 1}'",
        metrics={"x": {"from": "json_lines", "unit": "1", "better": "lower"}},
    )
    assert [row["value"] for row in ran.of("metric")] == [1.0]


def test_a_peak_below_that_of_the_runner_itself_is_not_claimed(tmp_path):
    (process,) = a_command(tmp_path, argv=["true"]).of("process")
    assert process["max_rss_bytes"] is None
    assert process["max_rss_bytes_reason"].startswith("below the ")
