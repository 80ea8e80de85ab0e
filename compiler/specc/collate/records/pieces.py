"""Cut segments into pieces that fit into memory, and parse them with every column's type stated.

Only bytes inside segments are read. A row that doesn't fit its types is located by file and line,
without the file in memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby
from operator import or_
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from specc.collate.records.alike import read_alike
from specc.collate.records.lines import chosen, end_of_line, lines_before, lines_in
from specc_runtime.contract.segments import Segment

PIECE = 24 << 20
"""Bytes parsed at once; a table takes several times the room of its text. From 32 MiB on malloc
asks the system for fresh memory each time, and every page of it costs a fault."""
_TAIL = 1 << 16
"""Bytes in which the end of a line is looked for, so that the rest is read once."""
_WORTH = 1 << 20
"""Below this a piece is quicker to parse as a whole than by the types of its rows."""
_FEW = 0.1
"""Share of a piece that may be of other types before parsing them again costs more."""
_TRIED = 2
"""More pieces whose rows are not alike, than those whose are, before it isn't tried again."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole lines of one segment, within a piece."""

    number: int
    """Place of the segment in the list that is read."""
    offset: int
    """Where it starts in its file [bytes]."""
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines, and which segments they are of."""

    data: bytes
    spans: tuple[Span, ...]


@dataclass(slots=True)
class Parsed:
    """The rows of a piece; frames have the column `segment`, the number of a row's segment."""

    rest: pl.DataFrame
    """Rows of all types that do not come in bulk, with all columns."""
    bulk: dict[str, pl.DataFrame]
    """Type -> its rows, with the columns of that type; of which task they are is known."""
    wrong: dict[int, str]
    """Number of a segment -> what is wrong, by file and line; it has no rows here."""


def cut(run: str, segments: Sequence[Segment]) -> Iterator[Piece]:
    """Yield the lines of the segments in the order given, `PIECE` bytes at a time."""
    limit = PIECE
    blocks: list[bytes] = []
    spans: list[Span] = []
    size = 0
    for number, offset, block in _blocks(run, segments, limit):
        if spans and size + len(block) > limit:
            yield Piece(b"".join(blocks), tuple(spans))
            blocks, spans, size = [], [], 0
        blocks.append(block)
        spans.append(Span(number, offset, len(block), lines_in(block)))
        size += len(block)
    if spans:
        yield Piece(b"".join(blocks), tuple(spans))


def _blocks(run: str, segments: Sequence[Segment], limit: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (number of the segment, offset, whole lines); a file is opened once in a row."""
    for path, group in groupby(enumerate(segments), key=lambda one: one[1].path(run)):
        with Path(path).open("rb") as file:
            for number, segment in group:
                offset, left = segment.offset, segment.bytes
                file.seek(offset)
                # nothing more: the file became shorter since its hash was checked
                while left > 0 and (block := _lines(file, min(left, limit), left)):
                    yield number, offset, block
                    offset += len(block)
                    left -= len(block)


def _lines(file: BinaryIO, wanted: int, left: int) -> bytes:
    """Read whole lines of about so many bytes; a longer line is read to its end."""
    if wanted < left:
        start = file.tell()
        before = max(wanted - _TAIL, 0)
        file.seek(before, io.SEEK_CUR)
        end = before + file.read(wanted - before).rfind(b"\n") + 1
        file.seek(start)
        if end == before:
            block = file.read(wanted)
            return block + file.readline(left - len(block))
        wanted = end
    return file.read(wanted)


class Parser:
    """Parses pieces of the segments given. bulk: see `TablesRoom.bulk_columns`."""

    def __init__(
        self,
        run: str,
        segments: Sequence[tuple[Segment, str]],
        schema: Mapping[str, Any],
        bulk: Mapping[str, Sequence[str]],
    ) -> None:
        """segments: with the task whose rows they hold."""
        self._run = run
        self._segments = [segment for segment, _ in segments]
        self._owners = pl.Series([task for _, task in segments], dtype=pl.String)
        self._schema = dict(schema)
        self._bulk = {type_: tuple(columns) for type_, columns in bulk.items()}
        own = {"type", "task_id", *(name for columns in bulk.values() for name in columns)}
        self._even = self._uneven = 0
        self._narrow = {name: type_ for name, type_ in schema.items() if name in own}

    def parse(self, piece: Piece) -> Parsed:
        """Return the rows of a piece, without those of segments that hold a wrong one."""
        try:
            return self._parse(piece, {})
        except pl.exceptions.PolarsError:
            good, wrong = self._sorted_out(piece)
            return self._parse(good, wrong)

    def _parse(self, piece: Piece, wrong: dict[int, str]) -> Parsed:
        parsed = Parsed(rest=self._empty(), bulk={}, wrong=wrong)
        rows = sum(span.rows for span in piece.spans)
        if self._bulk and len(piece.data) >= _WORTH:
            if self._parse_alike(piece, parsed):
                return self._without_wrong(parsed)
            frame = _numbered(_exactly(piece.data, self._narrow, rows), piece.spans)
            of_type = {type_: frame["type"].eq_missing(type_) for type_ in self._bulk}
            others = (~reduce(or_, of_type.values())).arg_true()
            if len(others) <= _FEW * rows:
                self._check(frame, piece.spans, parsed)
                for type_, mine in of_type.items():
                    own = frame.select("segment", *self._bulk[type_])
                    parsed.bulk[type_] = own if mine.all() else own.filter(mine)
                lines = chosen(piece.data, others.to_list())
                rest = _exactly(lines, self._schema, len(others))
                parsed.rest = _numbered(rest, piece.spans, others)
                return self._without_wrong(parsed)
        parsed.rest = _numbered(_exactly(piece.data, self._schema, rows), piece.spans)
        self._check(parsed.rest, piece.spans, parsed)
        return self._without_wrong(parsed)

    def _parse_alike(self, piece: Piece, parsed: Parsed) -> bool:
        """Parse a piece whose rows are written alike; False, and nothing parsed, for another."""
        if self._uneven > self._even + _TRIED:
            return False
        found = read_alike(
            piece.data, [(one.bytes, one.rows) for one in piece.spans], self._narrow, self._bulk
        )
        rest = None if found is None else _exactly(found.lines, self._schema, len(found.others))
        if found is None or rest is None or rest["type"].is_in(list(self._bulk)).any():
            self._uneven += 1
            return False
        self._even += 1
        pairs = zip(piece.spans, found.rows, strict=True)
        spans = [replace(one, rows=rows) for one, rows in pairs if rows]
        frame = _numbered(found.frame, spans)
        self._check(frame, spans, parsed)
        parsed.bulk[found.type] = frame.select("segment", *self._bulk[found.type])
        parsed.rest = _numbered(rest, piece.spans, pl.Series(found.others, dtype=pl.UInt32()))
        self._check(parsed.rest, piece.spans, parsed)
        return True

    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema={**self._schema, "segment": pl.Int64()})

    def _check(self, frame: pl.DataFrame, spans: Sequence[Span], parsed: Parsed) -> None:
        """Note segments that hold rows of another task than their journal says."""
        # of one span, one text is compared with all
        segments = [spans[0].number] if len(spans) == 1 else frame["segment"]
        differs = frame["task_id"].ne_missing(self._owners.gather(segments))
        if not differs.any():
            return
        strange = frame.filter(differs).unique("segment", keep="first", maintain_order=True)
        for number, task_id in strange.select("segment", "task_id").iter_rows():
            launch = self._segments[number].launch
            parsed.wrong.setdefault(number, f"{launch}: its segments hold rows of task {task_id}")

    def _without_wrong(self, parsed: Parsed) -> Parsed:
        if parsed.wrong:
            fits = ~pl.col("segment").is_in(list(parsed.wrong))
            parsed.rest = parsed.rest.filter(fits)
            parsed.bulk = {type_: one.filter(fits) for type_, one in parsed.bulk.items()}
        return parsed

    def _sorted_out(self, piece: Piece) -> tuple[Piece, dict[int, str]]:
        """Return the piece without the spans that hold a wrong line, and what is wrong in them."""
        good, spans, wrong = [], [], {}
        start = 0
        for span in piece.spans:
            data = piece.data[start : start + span.bytes]
            start += span.bytes
            found = _first_wrong(data, span.rows, self._schema)
            if found is None:
                good.append(data)
                spans.append(span)
            else:
                line, text = found
                segment = self._segments[span.number]
                before = lines_before(Path(segment.path(self._run)), span.offset)
                wrong[span.number] = f"{segment.launch}/{segment.file}:{before + line}: {text}"
        return Piece(b"".join(good), tuple(spans)), wrong


def _exactly(data: bytes, schema: Mapping[str, Any], rows: int) -> pl.DataFrame:
    """Parse so many rows. Raises PolarsError when a line is none or doesn't fit."""
    if not data:
        return pl.DataFrame(schema=dict(schema))
    frame = pl.read_ndjson(io.BytesIO(data), schema=dict(schema))
    # polars skips blank lines, and every row must keep its owner
    if frame.height != rows:
        raise pl.exceptions.ComputeError("a line is no record")
    return frame


def _numbered(
    frame: pl.DataFrame, spans: Sequence[Span], rows: pl.Series | None = None
) -> pl.DataFrame:
    """Add the number of each row's segment.   rows: places in the piece; None for all in order."""
    if len(spans) == 1:
        # no column: all others would be copied to fit it
        return frame.with_columns(segment=pl.lit(spans[0].number, dtype=pl.Int64()))
    numbers = np.array([span.number for span in spans], dtype=np.int64)
    segments = pl.Series("segment", np.repeat(numbers, [span.rows for span in spans]))
    return frame.with_columns(segments if rows is None else segments.gather(rows))


def _first_wrong(data: bytes, rows: int, schema: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return (line counted from 1, why) of the first line that doesn't fit; None when all do."""
    try:
        _exactly(data, schema, rows)
        return None
    except pl.exceptions.PolarsError as error:
        text = str(error).strip().splitlines()[0]
    before = 0
    while rows > 1:
        half = rows // 2
        end = end_of_line(data, half)
        try:
            _exactly(data[:end], schema, half)
            before, data, rows = before + half, data[end:], rows - half
        except pl.exceptions.PolarsError:
            data, rows = data[:end], half
    try:
        _exactly(data, schema, 1)
    except pl.exceptions.PolarsError as error:
        text = str(error).strip().splitlines()[0]
    return before + 1, text
