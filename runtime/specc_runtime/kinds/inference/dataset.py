"""Read labelled sentences, check that they are the stated ones, and choose those to use."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ...attempts.attempt import TaskError


@dataclass(frozen=True)
class Dataset:
    """The chosen sentences, in order."""

    texts: List[str]
    labels: List[Optional[int]]
    """Class of each sentence; None where the file has no labels."""
    facts: Dict[str, Any]
    """records (in the file), labelled (after thresholds), used, bytes, md5, sha256, licence, …"""


def read_dataset(path: str, settings: Mapping[str, Any]) -> Dataset:
    """Read the file as `settings` (the block `dataset`) says.

    Raises TaskError (dataset_load): unreadable, another hash or number of records, too few rows.
    """
    data = _read(path)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    sha256 = hashlib.sha256(data).hexdigest()
    _check("md5", settings.get("md5"), md5)
    _check("sha256", settings.get("sha256"), sha256)
    try:
        text = data.decode(settings.get("encoding", "utf-8"))
    except UnicodeDecodeError as error:
        raise _bad(f"byte {error.start} is not {error.encoding}; set dataset.encoding") from error
    lines = [line for line in text.split("\n") if line.strip()]
    if settings.get("header") and settings.get("format", "tsv") == "tsv":
        names: Optional[List[str]] = lines.pop(0).rstrip("\r").split("\t") if lines else []
    else:
        names = None
    _check("number of records", settings.get("records"), len(lines))
    rows = list(_rows(lines, names, settings))
    chosen = _choose(rows, settings)
    facts = {
        "records": len(lines),
        "labelled": len(rows),
        "used": len(chosen),
        "bytes": len(data),
        "md5": md5,
        "sha256": sha256,
        "licence": settings.get("licence"),
        "source": settings.get("source"),
    }
    return Dataset([text for text, _ in chosen], [label for _, label in chosen], facts)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _bad(f"{path}: {error.strerror}") from error


def _rows(
    lines: List[str], names: Optional[List[str]], settings: Mapping[str, Any]
) -> Iterator[Tuple[str, Optional[int]]]:
    columns = (settings.get("text", "sentence"), settings.get("label", "label"))
    is_tsv = settings.get("format", "tsv") == "tsv"
    places = [_place(column, names) for column in columns] if is_tsv else []
    for number, line in enumerate(lines, start=1 + (names is not None)):
        try:
            if is_tsv:
                cells = line.rstrip("\r").split("\t")
                values = [None if place is None else cells[place] for place in places]
            else:
                row = json.loads(line)
                values = [None if column is None else row[column] for column in columns]
            label = None if columns[1] is None else _label(values[1], settings.get("thresholds"))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise _bad(f"line {number} has no such text or label: {error!r}") from error
        if label is not None or columns[1] is None:
            yield str(values[0]), label


def _place(column: Any, names: Optional[List[str]]) -> Optional[int]:
    if column is None or isinstance(column, int):
        return column
    if names is None:
        raise _bad(f"column {column!r} is a name, but the file has no header; give its place")
    if column not in names:
        raise _bad(f"there is no column {column!r}; there are {', '.join(names)}")
    return names.index(column)


def _label(value: Any, thresholds: Optional[Mapping[str, float]]) -> Optional[int]:
    """Return the class, or None for a score between the thresholds."""
    if not thresholds:
        return int(value)
    score = float(value)
    if score <= thresholds["below"]:
        return 0
    return 1 if score >= thresholds["above"] else None


def _choose(
    rows: List[Tuple[str, Optional[int]]], settings: Mapping[str, Any]
) -> List[Tuple[str, Optional[int]]]:
    order = list(rows)
    seed = settings.get("shuffle_seed")
    if seed is not None:
        random.Random(seed).shuffle(order)
    skip, limit = settings.get("skip", 0), settings.get("limit")
    chosen = order[skip:] if limit is None else order[skip : skip + limit]
    if not chosen or (limit is not None and len(chosen) < limit):
        raise _bad(f"{skip} skipped and {limit or 1} wanted, but there are only {len(rows)} rows")
    return chosen


def _check(what: str, wanted: Any, found: Any) -> None:
    if wanted is not None and wanted != found:
        raise _bad(f"its {what} is {found}, but the spec says {wanted}")


def _bad(message: str) -> TaskError:
    return TaskError("dataset_load", f"the data set cannot be used: {message}")
