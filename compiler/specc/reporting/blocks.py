"""The parts a printed report is made of: texts, lists, tables that fit on a page, figures.

Pure. A block is data: a template lays it out and computes nothing. Every text is only ever text,
whatever signs stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from specc.kinds.sentences import visible
from specc.model import Json

Block = dict[str, Any]

MOST_ROWS = 45
"""Rows of a table on paper; the tables folder has all."""
_MOST_LETTERS = 400
"""Letters of one text in a table or list."""
_PAGE_LETTERS = 106
"""So many letters of a table's type stand beside each other between the margins."""
_GAP_LETTERS = 2.6
"""What the space between two columns takes."""
_BOLD, _CAPITAL = 1.1, 1.25
_SMALL = 0.84
"""The size of an interval's type to that of its value."""
_MOST_NEEDED = 26
"""A column with longer texts than this can do with less: they wrap."""
_MOST_SHARE = 60
_LONG_TOKEN = re.compile(r"\S{25,}")
_BREAK_EVERY = 6
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
BREAK = "\u200b"
"""A place where a line may break, without a sign."""


def printable(words: str) -> str:
    """Return a text without signs that XML and PDF can't hold: they show as a box."""
    return _UNPRINTABLE.sub("\ufffd", visible(words))


def text(words: str) -> Block:
    return {"type": "text", "text": words}


def warning(words: str) -> Block:
    return {"type": "warning", "text": words}


def heading(words: str) -> Block:
    return {"type": "heading", "text": words}


def code(lines: Iterable[str]) -> Block:
    return {"type": "code", "text": "\n".join(lines)}


def listed(items: Iterable[tuple[str, str]]) -> Block:
    """Return (term, text) pairs as a list; a term may be empty."""
    return {
        "type": "list",
        "items": [{"term": term, "text": cut(words)} for term, words in items],
    }


def figure(path: str, caption: str, alt: str) -> Block:
    return {"type": "figure", "path": path, "caption": caption, "alt": alt}


def tables(
    found: Mapping[str, Any], *, keys: int = 1, most: int = MOST_ROWS, where: str = "tables/"
) -> list[Block]:
    """Return a table of `tabulate` as blocks: cut into several where it is wider than a page.

    keys: its first columns, which stand in each of them.   where: the file that has all rows.
    """
    if not found["rows"]:
        return [text("None.")]
    rows = [[_cell(entry) for entry in row] for row in found["rows"][:most]]
    widths = [
        _width(column["name"], [row[at] for row in rows])
        for at, column in enumerate(found["columns"])
    ]
    made = []
    for chosen in _parts(widths, min(keys, len(widths) - 1)):
        shares = _shares([widths[at] for at in chosen])
        made.append(
            {
                "type": "table",
                # a narrow one keeps the widths of its texts, instead of gaps between them
                "wide": sum(shares) > _PAGE_LETTERS * 0.7,
                "columns": [
                    {
                        "name": found["columns"][at]["name"],
                        "right": bool(found["columns"][at]["numeric"]),
                        "share": round(share, 1),
                    }
                    for at, share in zip(chosen, shares, strict=True)
                ],
                "rows": [[row[at] for at in chosen] for row in rows],
            }
        )
    notes = [f"({number}) {cut(note)}" for number, note in enumerate(found.get("notes") or (), 1)]
    notes += [
        f"{one['name']}: no value{': ' + one['reason'] if one['reason'] else ''}"
        for one in found.get("folded") or ()
    ]
    if rest := len(found["rows"]) - len(rows) + found["more"]:
        notes.append(f"{rest:,} more rows: the rest stands in {where}.")
    return [*made, *([{"type": "notes", "items": list(map(cut, notes))}] if notes else [])]


def _cell(entry: Mapping[str, Json]) -> dict[str, Json]:
    """Return what stands in a cell: its text, a smaller second line, and how it is marked."""
    words = str(entry["text"])
    if entry.get("mark"):
        words = f"{words} ({entry['mark']})"
    under = entry["note"] if entry["kind"] == "interval" and not entry.get("mark") else ""
    return {"text": breakable(cut(words)), "under": under, "kind": entry["kind"]}


def _width(name: str, cells: Sequence[Mapping[str, Json]]) -> float:
    """Return the letters a column needs: those of its texts, and of the head's longest word."""
    head = max((_BOLD * _letters(word) for word in name.split()), default=0)
    texts = (max(_letters(cell["text"]), _SMALL * _letters(cell["under"])) for cell in cells)
    return max(head, max(texts, default=0), 3)


def _letters(words: str) -> float:
    return len(words) + (_CAPITAL - 1) * sum(map(str.isupper, words))


def _shares(widths: Sequence[float]) -> list[float]:
    """Return the letters each column gets: short ones what they need, long ones the rest."""
    long = [min(width, _MOST_SHARE) for width in widths if width > _MOST_NEEDED]
    short = sum(width + _GAP_LETTERS for width in widths if width <= _MOST_NEEDED)
    left = max(_PAGE_LETTERS - short - _GAP_LETTERS * len(long), 0)
    return [
        _GAP_LETTERS
        + (
            width
            if width <= _MOST_NEEDED
            else min(width, left * min(width, _MOST_SHARE) / sum(long))
        )
        for width in widths
    ]


def _parts(widths: Sequence[float], keys: int) -> list[list[int]]:
    """Return the columns of each part: the key columns, and as many others as a page takes.

    All parts are about as wide, so that none has a single column.
    """
    needed = [min(width, _MOST_NEEDED) + _GAP_LETTERS for width in widths]
    room = _PAGE_LETTERS - sum(needed[:keys])
    greedy = _filled(needed, keys, room)
    even = _filled(needed, keys, min(room, 1.15 * sum(needed[keys:]) / len(greedy)))
    chosen = even if len(even) == len(greedy) else greedy
    return [[*range(keys), *part] for part in chosen]


def _filled(needed: Sequence[float], start: int, room: float) -> list[list[int]]:
    """Return the columns from `start` on, in parts that fit into the room."""
    parts: list[list[int]] = [[]]
    left = room
    for at in range(start, len(needed)):
        if parts[-1] and needed[at] > left:
            parts.append([])
            left = room
        parts[-1].append(at)
        left -= needed[at]
    return parts


def cut(words: str, most: int = _MOST_LETTERS) -> str:
    """Return a text of at most so many letters; what is left out shows as an ellipsis."""
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def breakable(words: str) -> str:
    """Return a text whose hashes and paths may be broken over lines."""

    def broken(found: re.Match[str]) -> str:
        token = found[0]
        return BREAK.join(
            token[at : at + _BREAK_EVERY] for at in range(0, len(token), _BREAK_EVERY)
        )

    return _LONG_TOKEN.sub(broken, words)
