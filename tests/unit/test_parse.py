"""YAML to values and marks; hostile texts end in a problem, soon and small."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import pytest

from specc.language.scalars import Refused, plain_value
from specc.model import JsonPath, Mark, SourceFile
from specc.problems import SpecInvalid
from specc.stages.parse import Parsed, parse

LIMIT_S = 8 if sys.gettrace() else 2  # measuring coverage slows the parser down


def parsed(text: str) -> Parsed:
    return parse(SourceFile(path=Path("a.yaml"), shown="a.yaml", text=text))


def codes(text: str) -> list[str]:
    with pytest.raises(SpecInvalid) as stopped:
        parsed(text)
    return [problem.code for problem in stopped.value.problems]


def span(mark: Mark) -> tuple[int, int, int]:
    return mark.line, mark.column, mark.end_column


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("on", "on"), ("010", 10), ("12:30:00", "12:30:00"), ("0o17", 15),
     ("0x1F", 31), ("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("-7", -7), ("~", None), ("", None),
     ("True", True), ("FALSE", False), ("tRue", "tRue"), ("1_000", "1_000"), ("1.2.3", "1.2.3"),
     ("-", "-"), ("+1", 1), ("0b11", "0b11"), ("١", "١"), ("inf", "inf"), ("nan", "nan")],
)  # fmt: skip
def test_meaning_of_a_plain_scalar(text: str, value: object) -> None:
    found = plain_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "code"),
    [(".nan", "E021"), (".INF", "E021"), ("-.inf", "E021"), ("1e400", "E021"), ("9" * 5000, "E020"),
     ("-" + "1" * 41, "E020"), ("2024-01-01", "E022"), ("2024-1-1T10:00:00Z", "E022")],
)  # fmt: skip
def test_plain_scalars_without_a_json_value(text: str, code: str) -> None:
    found = plain_value(text)
    assert isinstance(found, Refused)
    assert found.code == code


def test_quoted_scalars_are_text() -> None:
    assert parsed('a: "1"\nb: \'2024-01-01\'\n"1": .nan text\n').data == {
        "a": "1",
        "b": "2024-01-01",
        "1": ".nan text",
    }


TEXT = """\
# a comment
name: grün
task: {cpus: 2, memory: "8GiB"}   # why
list:
  - a: 1
  - [x,
     y]
empty:
text: |
  one
  two
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (2, 1, 11)),
        (("name",), (2, 7, 11)),
        (("task",), (3, 7, 32)),
        (("task", "memory"), (3, 25, 31)),
        (("list",), (5, 3, 9)),
        (("list", 0), (5, 5, 9)),
        (("list", 1), (6, 5, 8)),
        (("list", 1, 1), (7, 6, 7)),
        (("empty",), (8, 1, 6)),
        (("text",), (9, 7, 8)),
    ],
)
def test_place_of_a_value(path: JsonPath, place: tuple[int, int, int]) -> None:
    assert span(parsed(TEXT).value_marks[path]) == place


def test_place_of_a_key() -> None:
    marks = parsed(TEXT).key_marks
    assert span(marks[("task", "memory")]) == (3, 17, 23)
    assert ("list", 0) not in marks


def test_columns_count_characters_not_bytes() -> None:
    assert span(parsed('{"ü𝄞": 1, b: 2}').value_marks[("b",)]) == (1, 14, 15)


def test_all_problems_of_a_text_come_at_once() -> None:
    assert codes("a: .nan\nb: 2024-01-01\nc: !!binary aa\na: 2\n1: x\n") == [
        "E021",
        "E022",
        "E014",
        "E011",
        "E015",
    ]


def alias_bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    return "\n".join(lines)


def merge_bomb() -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)]
    return "\n".join(lines)


HOSTILE = {
    "alias bomb": (alias_bomb(), "E012"),
    "merge bomb": (merge_bomb(), "E013"),
    "nested lists": ("a: " + "[" * 20_000 + "]" * 20_000, "E018"),
    "nested mappings": ("{a: " * 20_000 + "1" + "}" * 20_000, "E018"),
    "nested blocks": ("\n".join(" " * i + "a:" for i in range(1_400)), "E018"),
    "nested dashes": ("- " * 20_000 + "a", "E018"),
    "nested keys": ("? " * 20_000, "E015"),
    "unclosed nesting": ("[" * 20_000, "E018"),
    "list as key": ("{" * 20_000, "E015"),
    "many values": ("a: [" + "1," * 400_000 + "]", "E019"),
    "many lines": ("a:\n" + "- 1\n" * 200_000, "E019"),
    "digits": ("a: " + "1" * 5_000, "E020"),
    "digits as a key": ("1" * 5_000 + ": a", "E020"),
    "long float": ("a: " + "1" * 5_000 + ".0", "E021"),
    "aliases without end": ("a: &a [" + "*a," * 100_000 + "]", "E012"),
    "anchor of itself": ("a: &a {b: *a}", "E012"),
    "undefined alias": ("a: *nobody", "E012"),
    "two documents": ("a: 1\n---\nb: 1\n", "E017"),
    "directive after a comment": ("# hi\n\n%TAG ! tag:x,2000:\n---\na: !b 1\n", "E016"),
    "unknown directive": ("%FOO bar\n---\na: 1\n", "E016"),
    "delete character": ("a: \x7f", "E008"),
    "lone carriage return": ("a: 1\rb: 2", "E008"),
    "tab before a value": ("a:\n  b: 1\n\tc: 2\n", "E009"),
    "only a document end": ("---\n...\n", "E007"),
    "null": ("null\n", "E007"),
    "blanks": ("  \n\n", "E007"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_soon_and_small(name: str) -> None:
    text, code = HOSTILE[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    found = codes(text)
    assert code in found
    assert len(found) <= 25
    assert time.process_time() - started < LIMIT_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_a_long_text_of_64_kib_passes_unchanged() -> None:
    long = "x y 'z' $(id) ü " * 4096
    assert parsed(f'a: "{long}"').data == {"a": long}


def test_an_anchor_that_nobody_uses_is_harmless() -> None:
    assert parsed("a: &here 1").data == {"a": 1}


def test_forty_nine_levels_are_allowed() -> None:
    value = parsed("a: " + "[" * 49 + "]" * 49).data["a"]
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 48


def test_escaped_surrogate_pairs_are_one_character_as_in_json() -> None:
    text = r'{"a": "x\ud83e\udd8ay", "\uD83E\uDD8A": 1}'
    assert parsed(text).data == {"a": "x\U0001f98ay", "\U0001f98a": 1}


@pytest.mark.parametrize(
    "text",
    [r'a: "\ud83e"', r'a: "\ud83e x"', r'a: "\udd8a\ud83e"', r'a: ["\udfff"]', r'"\ud83e": 1'],
)
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    assert codes(text) == ["E008"]


def test_one_character_in_two_spellings_is_one_key() -> None:
    assert codes(r'{"\ud83e\udd8a": 1, "\U0001f98a": 2}') == ["E011"]


def test_backslashes_that_are_no_escape_stay() -> None:
    assert parsed(r"a: '\ud83e'").data == {"a": r"\ud83e"}
