"""Numbers out of what programs print and write."""

import json
import sys

from kind_attempts import run_attempt

MODULE = "specc_runtime.kinds.command.run"


def a_metric(**changes):
    return {"from": "json_lines", "unit": "s", "better": "lower", **changes}


def run_script(folder, script, **metrics):
    ran = run_attempt(folder, MODULE, {"script": script, "metrics": metrics})
    return ran, [(r["metric"], r["index"], r["value"]) for r in ran.of("metric")]


def test_json_lines_give_one_row_for_each_line_that_has_the_key(tmp_path):
    script = (
        """echo '{"t": 1.5, "n": {"k": 3}}'; echo noise; echo '{"t": 2}'; echo '[1]'; echo '{bad'"""
    )
    _, rows = run_script(tmp_path, script, t=a_metric(), k=a_metric(key="n.k"))
    assert rows == [("t", 0, 1.5), ("t", 1, 2.0), ("k", 0, 3.0)]


def test_the_output_with_metrics_still_reaches_the_log(tmp_path):
    ran, _ = run_script(tmp_path, """echo before; echo '{"t": 1}'; printf end""", t=a_metric())
    assert ran.output == 'before\n{"t": 1}\nend'


def test_first_and_last_take_one_of_several(tmp_path):
    script = "for i in 1 2 3; do echo rate $i; done"
    pattern = {"from": "regex", "pattern": "rate ([0-9]+)"}
    _, rows = run_script(
        tmp_path, script, a=a_metric(**pattern, take="first"), b=a_metric(**pattern, take="last")
    )
    assert rows == [("a", 0, 1.0), ("b", 0, 3.0)]


def test_a_group_named_value_wins_and_commas_group_digits(tmp_path):
    pattern = r"(\w+): (?P<value>[0-9.,e+-]+) op/s"
    _, rows = run_script(
        tmp_path, "echo 'read: 1,234.5 op/s'", x=a_metric(**{"from": "regex"}, pattern=pattern)
    )
    assert rows == [("x", 0, 1234.5)]


def test_a_regex_can_look_at_standard_error(tmp_path):
    metric = a_metric(**{"from": "regex"}, pattern="took ([0-9.]+)", stream="stderr")
    _, rows = run_script(tmp_path, "echo took 1; echo took 2 >&2", x=metric)
    assert rows == [("x", 0, 2.0)]


def test_a_json_file_gives_a_number_or_a_list(tmp_path):
    script = """echo '{"a": {"b": [1, 2.5]}, "c.d": 4}' > out.json"""
    file = {"from": "json_file", "file": "out.json"}
    _, rows = run_script(
        tmp_path, script, ab=a_metric(**file, key="a.b"), cd=a_metric(**file, key="c.d")
    )
    assert rows == [("ab", 0, 1.0), ("ab", 1, 2.5), ("cd", 0, 4.0)]


def test_a_missing_required_metric_fails_as_program_and_names_it(tmp_path):
    ran, rows = run_script(tmp_path, "echo nothing", t=a_metric())
    reason = "no line of standard output is a JSON object with this key"
    assert ran.outcome["category"] == "program"
    assert ran.outcome["message"] == f"the program did not yield t ({reason})"
    assert rows == [("t", 0, None)]
    assert ran.of("metric")[0]["value_reason"] == reason


def test_a_missing_optional_metric_is_null_with_a_reason(tmp_path):
    metric = a_metric(**{"from": "json_file"}, file="no.json", required=False)
    ran, rows = run_script(tmp_path, "true", t=metric)
    assert ran.outcome["what"] == "done"
    assert rows == [("t", 0, None)]
    assert (
        ran.of("metric")[0]["value_reason"] == "no.json cannot be read: No such file or directory"
    )


def test_what_is_no_finite_number_is_null_with_a_reason(tmp_path):
    reasons = []
    for n, value in enumerate(["NaN", '"fast"', "true", "null", "[1]"]):
        metric = a_metric(required=False)
        ran, rows = run_script(tmp_path / str(n), f"""echo '{{"t": {value}}}'""", t=metric)
        assert rows == [("t", 0, None)]
        reasons.append(ran.of("metric")[0]["value_reason"])
    assert reasons == [
        "the value found is not finite: nan",
        "the value found is not a number: fast",
        "the value found is not a number: true",
        "the value found is not a number: null",
        "the value found is not a number: [1]",
    ]


def test_a_value_that_is_not_finite_keeps_its_place_among_the_others(tmp_path):
    script = """echo '{"t": 1}'; echo '{"t": NaN}'; echo '{"t": 3}'; echo '{"t": null}'"""
    ran, rows = run_script(tmp_path, script, t=a_metric())
    assert rows == [("t", 0, 1.0), ("t", 1, None), ("t", 2, 3.0), ("t", 3, None)]
    assert ran.of("metric")[1]["value_reason"] == "the value found is not finite: nan"


def test_an_earlier_value_does_not_stand_in_for_a_last_one_that_is_not_finite(tmp_path):
    script = """echo '{"loss": 0.5}'; echo '{"loss": NaN}'"""
    ran, rows = run_script(tmp_path, script, loss=a_metric(take="last"))
    assert rows == [("loss", 0, None)]
    assert (
        ran.outcome["message"]
        == "the program did not yield loss (the value found is not finite: nan)"
    )


def test_only_text_that_can_be_read_in_one_way_is_a_number(tmp_path):
    texts = [
        "1,5",
        "0,123",
        "1_000",
        "1,23,456",
        "\u0661\u0662",
        "1.234,5",
        " -1,234.5e3 ",
        "+.5",
        "4,",
    ]
    script = "\n".join(f"""echo '{{"t": "{text}"}}'""" for text in texts)
    ran, rows = run_script(tmp_path, script, t=a_metric())
    assert [value for _, _, value in rows] == [None] * 6 + [-1234500.0, 0.5, 4.0]
    assert (
        ran.of("metric")[0]["value_reason"]
        == "the value found is not a number: 1,5 (commas only group thousands)"
    )


def test_a_line_nested_too_deeply_ends_neither_the_program_nor_the_search(tmp_path):
    lines = 'import sys\nprint("{\\"a\\":" + "[" * 300000)\nprint("{\\"t\\": 1}\\n" * 9)'
    metrics = {"t": a_metric(take="last")}
    ran = run_attempt(tmp_path, MODULE, {"argv": [sys.executable, "-c", lines], "metrics": metrics})
    assert ran.outcome["what"] == "done"
    assert [row["value"] for row in ran.of("metric")] == [1.0]


def test_a_file_in_the_code_is_never_taken_for_this_tasks(tmp_path):
    (tmp_path / "bundle" / "code").mkdir(parents=True)
    (tmp_path / "bundle" / "code" / "out.json").write_text('{"t": 1}')
    metrics = {"t": a_metric(**{"from": "json_file"}, file="out.json")}
    settings = {"script": "true", "workdir": "code", "metrics": metrics}
    ran = run_attempt(tmp_path, MODULE, settings)
    assert ran.outcome["category"] == "program"
    assert [row["value"] for row in ran.of("metric")] == [None]


def test_a_program_that_starts_in_the_code_leaves_its_files_in_scratch(tmp_path):
    metrics = {"t": a_metric(**{"from": "json_file"}, file="out.json")}
    script = """echo '{"t": 2}' > "$SPECC_SCRATCH/out.json\""""
    ran = run_attempt(
        tmp_path,
        MODULE,
        {"script": script, "workdir": "code", "metrics": metrics, "keep": ["out.json"]},
    )
    assert [row["value"] for row in ran.of("metric")] == [2.0]
    assert len(ran.outcome["artefacts"]) == 1


def test_broken_json_files_are_named(tmp_path):
    found = []
    for n, text in enumerate(["{", '{"other": 1}', '{"t": []}', '{"t": [1, "x"]}', "[" * 100_000]):
        metric = a_metric(**{"from": "json_file"}, file="o.json", required=False)
        folder = tmp_path / str(n)
        folder.mkdir()
        script = f"cat {folder}/text > o.json"
        (folder / "text").write_text(text)
        ran, _ = run_script(folder, script, t=metric)
        found.append(ran.of("metric")[-1]["value_reason"].split(":")[0])
    assert found == [
        "o.json is not JSON",
        "o.json has no key t",
        "o.json has an empty list there",
        "the value found is not a number",
        "o.json is not JSON",
    ]


def test_a_line_of_two_mebibytes_is_passed_on_but_not_searched(tmp_path):
    script = "head -c 2097152 /dev/zero | tr '\\0' x; echo; echo '{\"t\": 1}'"
    ran, rows = run_script(tmp_path, script, t=a_metric())
    assert len(ran.output) == 2097152 + 1 + len('{"t": 1}\n')
    assert rows == [("t", 0, 1.0)]


def test_a_metric_record_carries_unit_and_direction(tmp_path):
    ran, _ = run_script(tmp_path, """echo '{"t": 1}'""", t=a_metric(unit="ms", better="higher"))
    (row,) = ran.of("metric")
    assert (row["unit"], row["better"]) == ("ms", "higher")
    assert json.dumps(row)
