"""Rows that are written alike are read without a JSON parser, and say what one says of them."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import polars as pl
import pytest

from specc.collate.records.alike import read_alike

SCHEMA: dict[str, Any] = {
    "type": pl.String(),
    "task_id": pl.String(),
    "attempt": pl.Int64(),
    "end_ns": pl.Int64(),
    "ok": pl.Boolean(),
    "error": pl.String(),
    "tokens": pl.Int64(),
}
ROWS = [
    {"type": "request", "task_id": "a", "attempt": 1, "t_ns": n, "end_ns": 2 * n, "ok": True}
    for n in range(1, 40)
]


def text_of(*rows: Any) -> bytes:
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def read(data: bytes) -> Any:
    return read_alike(data, [(len(data), data.count(b"\n"))], SCHEMA, ["request"])


@pytest.mark.parametrize(
    "more",
    [
        lambda n: {},
        lambda n: {"tokens": n},
        lambda n: {"tokens": n if n % 3 else None},
        lambda n: {"tokens": -n, "error": None},
        lambda n: {"error": None if n % 5 else "timeout"},
        lambda n: {"error": ["a", 'q"uote', "back\\slash", "späť", None][n % 5]},
        lambda n: {"ok": n % 2 == 0},
        lambda n: {"unread": n / 3 if n % 2 else 1.5} if n < 30 else {"unread": 1.5},
        lambda n: {"task_id": "a" if n < 20 else "b"},
    ],
)
def test_rows_are_what_a_json_parser_finds(more: Any):
    data = text_of(*({**row, **more(n)} for n, row in enumerate(ROWS, 1)))
    found = read(data)
    assert found.frame.equals(pl.read_ndjson(io.BytesIO(data), schema=SCHEMA))
    assert (found.type, found.rows, found.others) == ("request", (39,), ())


def test_lines_of_other_types_around_them_are_kept_apart():
    opening, last = {"type": "attempt", "pid": 7}, {"type": "load", "start_ns": 5}
    parts = [text_of(opening, *ROWS[:10], last), text_of(opening, opening, *ROWS[10:]), text_of()]
    stretches = [(len(part), part.count(b"\n")) for part in parts]
    found = read_alike(b"".join(parts), stretches, SCHEMA, ["request"])
    assert found is not None
    assert (found.rows, found.others) == ((10, 29, 0), (0, 11, 12, 13))
    assert found.lines == text_of(opening, last, opening, opening)
    assert found.frame["end_ns"].to_list() == [2 * n for n in range(1, 40)]


ODD = {
    "nonsense": b"nonsense",
    "blank": b"",
    "cut short": b'{"type":"request","task_id":"a","attempt":1,"t_ns":5,"end_ns":',
    "one key less": b'{"type":"request","task_id":"a","attempt":1,"t_ns":5,"end_ns":6}',
    "one key more": text_of({**ROWS[0], "tokens": 3})[:-1],
    "another order": text_of(dict(reversed(ROWS[0].items())))[:-1],
    "another type": text_of({**ROWS[0], "type": "load"})[:-1],
    "another key": text_of(ROWS[0])[:-1].replace(b'"end_ns"', b'"begin"'),
    "another unread key": text_of(ROWS[0])[:-1].replace(b'"t_ns"', b'"u_ns"'),
    "text for a number": text_of({**ROWS[0], "end_ns": "soon"})[:-1],
    "fraction": text_of({**ROWS[0], "end_ns": 1.5})[:-1],
    "nothing for an unread number": text_of(ROWS[0])[:-1].replace(b'"t_ns":1', b'"t_ns":'),
    "number for a truth": text_of({**ROWS[0], "ok": 2})[:-1],
    "no truth": text_of(ROWS[0])[:-1].replace(b"true", b"tru"),
    "no end": text_of(ROWS[0])[:-2],
    "more behind the end": text_of(ROWS[0])[:-1] + b',"x":1',
    "space": text_of(ROWS[0])[:-1].replace(b",", b", "),
    "comma in a text": text_of({**ROWS[0], "task_id": "a,b"})[:-1],
    "no UTF-8": text_of(ROWS[0])[:-1].replace(b'"a"', b'"\xff"'),
}


@pytest.mark.parametrize("line", ODD.values(), ids=ODD)
@pytest.mark.parametrize("place", [0, 20, 39])
def test_one_odd_line_leaves_all_to_the_json_parser(line: bytes, place: int):
    lines = text_of(*ROWS).splitlines()
    lines.insert(place, line)
    data = b"\n".join(lines) + b"\n"
    found = read(data)
    if found is not None:
        # at the ends it may stand apart from the rows, as lines of another type do
        assert found.lines == line + b"\n"
        assert found.frame["end_ns"].to_list() == [2 * n for n in range(1, 40)]


def test_many_different_texts_are_left_to_the_json_parser():
    assert read(text_of(*({**row, "id": f"n{n}"} for n, row in enumerate(ROWS * 3)))) is None


TOKENS = [
    *(b'"', b",", b":", b"{", b"}", b"null", b"true", b"\\", b" ", b"\r", b"-", b"1e3", b".5"),
    *(b"\n", b"\xff", b"[", b"\0", b"9" * 20, b'"type":"request",', b'"end_ns":5,', b'"ok":"a,b"'),
]


def _damaged(line: bytes, chance: random.Random) -> bytes:
    at, length = chance.randrange(len(line) + 1), chance.randrange(12)
    put = chance.choice([b"", chance.choice(TOKENS), bytes([chance.randrange(58, 256)])])
    return line[:at] + put + line[at + length :]


def test_damage_anywhere_is_never_read_as_another_value():
    chance = random.Random(1)
    lines = text_of(*ROWS).splitlines()
    read_at_all = 0
    for _ in range(2_000):
        few = chance.sample(lines, 8)
        place = chance.randrange(8)
        few[place] = _damaged(few[place], chance)
        data = b"\n".join(few) + b"\n"
        found = read(data)
        if found is None or found.others:
            continue
        if b":0" in few[place] or b":-0" in few[place]:
            continue  # where the first digit of a number was cut away
        read_at_all += 1
        assert found.frame.equals(pl.read_ndjson(io.BytesIO(data), schema=SCHEMA)), few[place]
    assert read_at_all > 40
